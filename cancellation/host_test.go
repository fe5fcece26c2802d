package cancellation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// hostRow is an operation, and the parts of the host that it calls.
type hostRow struct {
	name    string
	method  string // of the Manager
	fixture func(*testing.T) *hostFixture
	do      func(context.Context, *hostFixture, dedicated.Actor) error
	// client and reseller are the parts that the operation calls for this actor, in any order. If they differ, the operation is not
	// for a client. A trusted function takes no actor: it has only a reseller.
	client, reseller string
	answers          answers
}

// answers are the errors of an operation after an answer of a part that has a meaning of its own; nil: it succeeds. The keys are
// "part: answer", "actor: part: answer" and "part: answer from call 2 on". A Store's ErrNotFound and ErrConflict that become the
// error of the operation are left out.
type answers map[string]error

// trusted reports whether the operation takes no actor, so that its errors are for the log.
func (r hostRow) trusted() bool {
	return slices.Contains([]string{"Ends", "ShouldRenew", "Subscriber", "Tick"}, r.method)
}

// claims reports whether the operation is a Tick that claims the cancellation.
func (r hostRow) claims() bool {
	return r.method == "Tick" && !strings.Contains(r.reseller, "Store.Cancellations")
}

// hostRows returns every operation of a Manager, some in several situations.
func hostRows() []hostRow {
	const (
		schedule = "Store.Cancellation Servers.Server Store.Settings Store.Active Hooks.Gate Store.Commit"
		change   = "Store.Cancellation Store.Settings Servers.Server Store.Commit"
		quote    = "Servers.Server Store.Settings Biller.Paid RefundFormula"
		begin    = "Store.ClaimDue Store.Settings Store.Cancellation Servers.ServersByID Servers.Server Biller.Paid RefundFormula Hooks.Gate Store.Commit"
		steps    = " Servers.Release Hooks.Deprovision Biller.Booked Biller.Refund Hooks.CloseDown Servers.Unlock"
		rearm    = "Store.ClaimDue Store.Cancellations Store.Commit Store.Settings"
		follow   = "Store.Active Servers.Server Store.Commit"
		present  = "Store.Active Servers.ServersByID"
		preview  = "Store.Cancellation Servers.Server Store.Settings Store.Active Biller.Paid RefundFormula"
	)
	notFound, conflict, forbidden, invalid := cancellation.ErrNotFound, cancellation.ErrConflict, cancellation.ErrForbidden, cancellation.ErrInvalid
	return []hostRow{
		{"Schedule", "Schedule", newHostFixture, hostSchedule, schedule, schedule, answers{
			"Store.Cancellation: not found": nil, "Store.Settings: not found": nil, "Servers.Server: not found": notFound,
		}},
		{"Reschedule", "Reschedule", ordered, hostReschedule, change + " Hooks.Gate", change + " Hooks.Gate", answers{
			"client: Store.Settings: not found": forbidden, "reseller: Store.Settings: not found": nil, "Servers.Server: not found": conflict,
		}},
		{"Discard", "Discard", ordered, hostDiscard, change + " Hooks.Gate", change + " Hooks.Gate", answers{
			"client: Store.Settings: not found": forbidden, "reseller: Store.Settings: not found": nil, "Servers.Server: not found": nil,
		}},
		{"Retry", "Retry", stuckExecution, hostRetry, "Store.Cancellation", "Store.Cancellation Hooks.Gate Store.Commit", nil},
		{"Abandon", "Abandon", stuckExecution, hostAbandon, "Store.Cancellation", "Store.Cancellation Store.Commit Servers.Unlock", answers{
			"Store.Commit: conflict from call 2 on": nil, // another process continues
		}},
		{"Confirm", "Confirm", unconfirmed, hostConfirm, "", "Store.Cancellation Store.Commit", nil},
		{"Quote", "Quote", newHostFixture, hostQuote, quote, quote, answers{
			"Store.Settings: not found": nil, "Servers.Server: not found": notFound,
		}},
		{"Cancellation", "Cancellation", ordered, hostCancellation, "Store.Cancellation", "Store.Cancellation", nil},
		{"Cancellations", "Cancellations", ordered, hostCancellations, "Store.Cancellations", "Store.Cancellations", nil},
		{"Cancellations after a cursor", "Cancellations", twoPages, hostCancellations, "Store.Cancellations", "Store.Cancellations", answers{
			"Store.Cancellations: invalid": invalid,
		}},
		{"Badges", "Badges", ordered, hostBadges, present, present, nil},
		{"Ends", "Ends", ordered, hostEnds, "", present, nil},
		{"ShouldRenew", "ShouldRenew", ordered, hostShouldRenew, "", present, nil},
		{"Preview", "Preview", newHostFixture, hostPreview, preview, preview, answers{
			"Store.Cancellation: not found": nil, "Store.Settings: not found": nil, "Servers.Server: not found": notFound,
		}},
		{"Quotes", "Quotes", newHostFixture, hostQuotes, quote, quote, answers{
			"Store.Settings: not found": nil, "Servers.Server: not found": notFound,
		}},
		{"Policy", "Policy", newHostFixture, hostPolicy, "Servers.Server Store.Settings", "Servers.Server Store.Settings", answers{
			"Store.Settings: not found": nil, "Servers.Server: not found": notFound,
		}},
		{"Settings", "Settings", ordered, hostSettings, "", "Store.Settings", answers{"Store.Settings: not found": nil}},
		{"SaveSettings", "SaveSettings", newHostFixture, hostSaveSettings, "", "Store.Settings Store.Commit", answers{
			"Store.Settings: not found": nil,
		}},
		{"Tick that executes", "Tick", dueExecution, hostTick, "", begin + steps, answers{
			"Store.Settings: not found": nil, "Servers.Server: not found": nil, "Store.Commit: conflict": nil,
			"Store.Commit: conflict from call 2 on": conflict, // it cannot be counted
		}},
		{"Tick that warns", "Tick", dueWarning, hostTick, "", "Store.ClaimDue Store.Settings Servers.ServersByID Store.Commit", answers{
			"Store.Settings: not found": nil, "Store.Commit: conflict": nil,
		}},
		{"Tick after changed settings", "Tick", dueSettings, hostTick, "", rearm, answers{
			"Store.Commit: conflict from call 2 on": nil, "Store.Settings: not found": nil, "Store.Settings: conflict": nil,
		}},
		{"Tick after changed settings and a conflict", "Tick", dueSettingsWithConflict, hostTick, "", rearm + " Store.Cancellation", answers{
			"Store.Commit: conflict from call 2 on": nil, "Store.Settings: not found": nil, "Store.Settings: conflict": nil,
		}},
		{"Tick that unlocks an abandoned server", "Tick", abandoned, hostTick, "", "Store.ClaimDue Servers.Unlock Store.Commit", answers{
			"Store.Commit: conflict": nil,
		}},
		{"Subscriber of changed billing", "Subscriber", changedBilling, hostSubscriber, "", follow, answers{"Servers.Server: not found": nil}},
		{"Subscriber of a release", "Subscriber", released, hostSubscriber, "", follow, answers{"Servers.Server: not found": nil}},
	}
}

// TestHostRowsAreComplete: hostRows has every method of a Manager, and every part of a host.
func TestHostRowsAreComplete(t *testing.T) {
	t.Parallel()
	methods, parts := map[string]bool{}, map[string]bool{}
	for _, row := range hostRows() {
		methods[row.method] = true
		for _, part := range strings.Fields(row.client + " " + row.reseller) {
			parts[part] = true
		}
	}
	manager := reflect.TypeFor[*cancellation.Manager]()
	for i := range manager.NumMethod() {
		assert.Contains(t, methods, manager.Method(i).Name, "a method without a row")
	}
	assert.Equal(t, hostParts(), slices.Sorted(maps.Keys(parts)))
}

// hostRun is one run of an operation as an actor.
type hostRun struct {
	row   hostRow
	who   string // "client" or "reseller"
	part  string // that fails; "": none
	fault string
	from  int // the first call of the part that fails
}

// run runs the operation. It returns the Store's content before and after it.
func (r hostRun) run(t *testing.T) (f *hostFixture, before, after stored, err error) {
	t.Helper()
	f = r.row.fixture(t)
	f.host.clear()
	f.host.conflicts = f.conflicts
	before = f.readStored(t)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	if r.part != "" {
		f.host.part, f.host.from = r.part, r.from
		f.host.fault = func() error { return hostFaults()[r.fault](end) }
	} else if r.fault != "" {
		end()
	}
	err = r.row.do(ctx, f, map[string]dedicated.Actor{"client": f.client, "reseller": f.reseller}[r.who])
	return f, before, f.readStored(t), err
}

// want returns the sentinel, or nil, that the operation must return.
func (r hostRun) want() error {
	answer := r.part + ": " + r.fault
	for _, key := range []string{fmt.Sprintf("%s from call %d on", answer, r.from), r.who + ": " + answer, answer} {
		if want, ok := r.row.answers[key]; ok {
			return want
		}
	}
	store := strings.HasPrefix(r.part, "Store.")
	switch {
	case r.fault == "ended context":
		return context.Canceled
	case r.part == "Servers.ServersByID":
		return nil // the servers are read one by one
	case r.part == "Store.Cancellation" && r.fault == "not found":
		return cancellation.ErrNotFound
	case store && r.fault == "conflict":
		return cancellation.ErrConflict
	}
	return cancellation.ErrHost
}

// TestFaultsOfTheHost: each part of a host fails in each operation that calls it, from each of its calls on. The error is ErrHost and
// nothing else, unless the part's answer has a meaning of its own. An actor reads nothing that the part said; the log has all of
// it. Nothing is written, except what a Tick records about the failure.
func TestFaultsOfTheHost(t *testing.T) {
	t.Parallel()
	for _, row := range hostRows() {
		for who, parts := range map[string]string{"client": row.client, "reseller": row.reseller} {
			if row.trusted() && who == "client" {
				continue
			}
			t.Run(row.name+"/"+who, func(t *testing.T) {
				t.Parallel()
				f, _, _, err := hostRun{row: row, who: who}.run(t)
				if who == "reseller" || row.client == row.reseller {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, cancellation.ErrForbidden)
				}
				require.ElementsMatch(t, strings.Fields(parts), slices.Collect(maps.Keys(f.host.calls)), "the parts that it calls")
				for _, part := range strings.Fields(parts) {
					for fault := range hostFaults() {
						for from := 1; from == 1 || from <= f.host.calls[part]; from++ {
							hostRun{row, who, part, fault, from}.check(t)
						}
					}
				}
			})
		}
	}
}

// check runs the operation and checks its error, and what it has written.
func (r hostRun) check(t *testing.T) {
	t.Helper()
	f, before, after, err := r.run(t)
	want := r.want()
	what := fmt.Sprintf("%s, %s from call %d on: want %v, got %v", r.part, r.fault, r.from, want, err)
	require.ErrorIs(t, err, want, what)
	if want == nil {
		return
	}
	for _, sentinel := range []error{
		cancellation.ErrNotFound, cancellation.ErrConflict, cancellation.ErrForbidden, cancellation.ErrInvalid, cancellation.ErrHost,
	} {
		require.Equal(t, sentinel == want, errors.Is(err, sentinel), "%v: %s", sentinel, what)
	}
	var e *cancellation.Error
	require.ErrorAs(t, err, &e, what)
	failed := want == cancellation.ErrHost || want == context.Canceled //nolint:errorlint // the sentinels themselves
	switch {
	case !r.row.trusted():
		require.NotContains(t, err.Error(), "secret", what)
		if r.row.method == "Abandon" && written(before, after) {
			require.True(t, e.OutcomeUnknown, what)
			require.Contains(t, e.Msg, "the cancellation is given up", what)
			break // it has given the execution up before the part failed
		}
		require.Equal(t, failed && r.part == "Store.Commit", e.OutcomeUnknown, what)
		if failed && r.part != "Store.Commit" {
			require.Contains(t, e.Msg, "nothing was changed", what)
		}
	case failed && r.part != "Servers.ServersByID":
		require.ErrorContains(t, err, secret, what)
	}
	r.checkStored(t, f, before, after, what)
}

// written reports whether the Store's content has changed.
func written(before, after stored) bool { return !reflect.DeepEqual(before, after) }

// checkStored checks that a failed operation has written nothing. A Tick records the failure, and Abandon is recorded before the
// server is unlocked.
func (r hostRun) checkStored(t *testing.T, f *hostFixture, before, after stored, what string) {
	t.Helper()
	switch r.row.method {
	case "Tick":
		r.checkTick(t, f, before, after, what)
		return
	case "Abandon":
		if c := after.cancellations[0]; c.Abandoned {
			require.Empty(t, f.biller.refunds(), what)
			require.Contains(t, []cancellation.State{cancellation.Executing, cancellation.Failed}, c.State, what)
			return
		}
	}
	require.Equal(t, before, after, what)
}

// checkTick checks what a Tick has written about a cancellation after a failure: the steps before the failed one, and the failure.
func (r hostRun) checkTick(t *testing.T, f *hostFixture, before, after stored, what string) {
	t.Helper()
	was, is := before.cancellations[0], after.cancellations[0]
	if r.part == "Store.ClaimDue" && r.from > 1 {
		require.NotEqual(t, was, is, what) // the first claim was done
		return
	}
	require.Contains(t, []cancellation.State{cancellation.Scheduled, cancellation.Executing}, is.State, what)
	require.Equal(t, was.Warned, is.Warned, what)
	require.Equal(t, was.At, is.At, what)
	require.Equal(t, before.events, after.events, what)
	steps := map[string]string{
		"Servers.Release": cancellation.StepRelease, "Hooks.Deprovision": cancellation.StepDeprovision, "Biller.Booked": cancellation.StepRefund,
		"Biller.Refund":   cancellation.StepRefund,
		"Hooks.CloseDown": cancellation.StepCloseDown, "Servers.Unlock": cancellation.StepDone,
	}
	pending := false
	for _, step := range is.Steps {
		pending = pending || step.Done.IsZero() || step.Name == steps[r.part]
		require.Equal(t, pending, step.Done.IsZero(), "%s: step %s", what, step.Name)
	}
	if steps[r.part] == "" && r.part != "Store.Commit" && r.part != "Servers.Server" && r.part != "Store.Settings" {
		require.Equal(t, was.State, is.State, what)
	}
	switch {
	case r.part == "Store.Commit" && r.row.claims():
		require.Equal(t, was.Attempts, is.Attempts, what)
		require.True(t, is.LeaseUntil.After(f.clock.Now()), "%s: its lease ends by itself", what)
	case r.fault == "ended context" || !r.row.claims() || slices.Contains([]string{"Store.ClaimDue", "Store.Commit"}, r.part):
		require.Equal(t, was.Attempts, is.Attempts, what)
	default:
		require.Equal(t, was.Attempts+1, is.Attempts, what)
		require.Contains(t, is.LastError, secret, what)
		require.True(t, is.LeaseUntil.IsZero() && is.RetryAt.After(f.clock.Now()) && is.Due.Equal(is.RetryAt), what)
	}
}

// TestEndedContext: if the context of the caller has ended, every operation returns its error and writes nothing.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	for _, row := range hostRows() {
		for who, parts := range map[string]string{"client": row.client, "reseller": row.reseller} {
			if parts == "" {
				continue
			}
			t.Run(row.name+"/"+who, func(t *testing.T) {
				t.Parallel()
				_, before, after, err := hostRun{row: row, who: who, fault: "ended context"}.run(t)
				require.ErrorIs(t, err, context.Canceled)
				require.NotErrorIs(t, err, cancellation.ErrHost)
				var e *cancellation.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, before, after)
			})
		}
	}
}

// TestGatesAreAskedOnce: an operation decides again after each conflict of a commit, but asks the gates once.
func TestGatesAreAskedOnce(t *testing.T) {
	t.Parallel()
	for _, row := range hostRows() {
		if row.method == "Tick" || !strings.Contains(row.reseller, "Hooks.Gate") {
			continue
		}
		for conflicts, want := range []error{nil, nil, nil, nil, nil, cancellation.ErrConflict} {
			t.Run(fmt.Sprintf("%s/%d conflicts", row.name, conflicts), func(t *testing.T) {
				t.Parallel()
				f := row.fixture(t)
				f.host.clear()
				f.host.conflicts = conflicts
				require.ErrorIs(t, row.do(t.Context(), f, f.reseller), want)
				require.Equal(t, 1, f.host.calls["Hooks.Gate"])
				require.Equal(t, min(conflicts+1, 5), f.host.calls["Store.Cancellation"], "decisions")
			})
		}
	}
}
