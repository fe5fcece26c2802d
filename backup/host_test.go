package backup_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// secret is in every error and panic of a host's part. Only the log may have it.
const secret = "dsn=postgres://root:secret@db"

// faultyHost is all parts of a host. The part with the given name fails.
type faultyHost struct {
	backup.Store
	backup.Servers
	part  string
	fault func() error // nil: no part fails
	calls int          // of the faulty part
}

func (h *faultyHost) fail(part string) error {
	if part != h.part || h.fault == nil {
		return nil
	}
	h.calls++
	return h.fault()
}

func (h *faultyHost) Request(ctx context.Context, id uuid.UUID) (backup.Request, error) {
	if err := h.fail("Store.Request"); err != nil {
		return backup.Request{}, err
	}
	return h.Store.Request(ctx, id)
}

func (h *faultyHost) Requests(ctx context.Context, reseller uuid.UUID, q backup.RequestQuery) ([]backup.Request, string, error) {
	if err := h.fail("Store.Requests"); err != nil {
		return nil, "", err
	}
	return h.Store.Requests(ctx, reseller, q)
}

func (h *faultyHost) Task(ctx context.Context, id uuid.UUID) (backup.Task, error) {
	if err := h.fail("Store.Task"); err != nil {
		return backup.Task{}, err
	}
	return h.Store.Task(ctx, id)
}

func (h *faultyHost) Tasks(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
	if err := h.fail("Store.Tasks"); err != nil {
		return nil, "", err
	}
	return h.Store.Tasks(ctx, reseller, q)
}

func (h *faultyHost) Counts(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) (map[backup.State]int, error) {
	if err := h.fail("Store.Counts"); err != nil {
		return nil, err
	}
	return h.Store.Counts(ctx, reseller, q)
}

func (h *faultyHost) ClaimDue(ctx context.Context, now, until time.Time, limit int) (backup.Due, error) {
	if err := h.fail("Store.ClaimDue"); err != nil {
		return backup.Due{}, err
	}
	return h.Store.ClaimDue(ctx, now, until, limit)
}

func (h *faultyHost) Commit(ctx context.Context, changes ...backup.Change) error {
	if err := h.fail("Store.Commit"); err != nil {
		return err
	}
	return h.Store.Commit(ctx, changes...)
}

func (h *faultyHost) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if err := h.fail("Servers.Server"); err != nil {
		return dedicated.Server{}, err
	}
	return h.Servers.Server(ctx, a, id)
}

func (h *faultyHost) gate(context.Context, dedicated.Actor, backup.Request) error {
	return h.fail("Gate")
}

func (h *faultyHost) ends(context.Context, []uuid.UUID) (map[uuid.UUID]time.Time, error) {
	return nil, h.fail("Ends")
}

// hostOperations returns all operations. Tick and CloseServer take no actor: their errors are for the log.
func hostOperations() map[string]func(context.Context, *matrixFixture, dedicated.Actor) error {
	all := operations()
	maps.Copy(all, map[string]func(context.Context, *matrixFixture, dedicated.Actor) error{
		"Requests": func(ctx context.Context, f *matrixFixture, a dedicated.Actor) error {
			_, _, err := f.Requests(ctx, a, backup.RequestQuery{})
			return err
		},
		"Tasks": func(ctx context.Context, f *matrixFixture, a dedicated.Actor) error {
			_, _, err := f.Tasks(ctx, a, backup.TaskQuery{})
			return err
		},
		"Counts": func(ctx context.Context, f *matrixFixture, a dedicated.Actor) error {
			_, err := f.Counts(ctx, a, backup.TaskQuery{})
			return err
		},
		"Upcoming": func(ctx context.Context, f *matrixFixture, a dedicated.Actor) error {
			_, err := f.Upcoming(ctx, a, start, start.AddDate(0, 1, 0), 0)
			return err
		},
		"Tick": func(ctx context.Context, f *matrixFixture, _ dedicated.Actor) error {
			_, err := f.Tick(ctx)
			return err
		},
		"CloseServer": func(ctx context.Context, f *matrixFixture, _ dedicated.Actor) error {
			return f.CloseServer(ctx, f.released())
		},
	})
	return all
}

func forTheLog(op string) bool { return op == "Tick" || op == "CloseServer" }

// hostParts returns the parts of a host, and the operations that call each part.
func hostParts() map[string][]string {
	return map[string][]string{
		"Store.Request": {
			"Cancel", "CloseServer", "Complete", "Confirm", "Fail", "Request", "Retry", "Revise", "Submit", "Withdraw",
		},
		"Store.Requests": {"CloseServer", "Requests", "Upcoming"},
		"Store.Task":     {"Cancel", "CloseServer", "Complete", "Fail", "Retry", "Revise", "Task", "Tick", "Withdraw"},
		"Store.Tasks":    {"Cancel", "CloseServer", "Complete", "Fail", "Retry", "Revise", "Tasks", "Tick", "Withdraw"},
		"Store.Counts":   {"Counts"},
		"Store.ClaimDue": {"Tick"},
		"Store.Commit":   {"Cancel", "CloseServer", "Complete", "Confirm", "Fail", "Retry", "Revise", "Submit", "Tick", "Withdraw"},
		"Servers.Server": {"Cancel", "Complete", "Fail", "Retry", "Revise", "Submit", "Tick", "Withdraw"},
		"Gate":           {"Revise", "Submit"},
		"Ends":           {"Retry", "Submit", "Task", "Tasks", "Upcoming"},
	}
}

// hostFixture returns a fixture with a pending task that is due, and with a skipped task.
func hostFixture(t *testing.T) (*matrixFixture, *faultyHost) {
	t.Helper()
	host := &faultyHost{}
	f := newMatrixFixture(t, dedicated.Owner{}, func(c *backup.Config) {
		host.Store, host.Servers = c.Store, c.Servers
		c.Store, c.Servers, c.Ends = host, host, host.ends
		c.Hooks.Gate = append(c.Hooks.Gate, host.gate)
	})
	f.clock.Set(at("2026-01-05 12:00"))
	f.tick(t)
	f.clock.Set(at("2026-01-06 12:00"))
	return f, host
}

// everything returns all records and events, without the fields of a request that a Tick changes after a failure.
func (f *fixture) everything(t *testing.T) (requests []backup.Request, tasks []backup.Task, kinds []notify.Kind) {
	t.Helper()
	requests, _, err := f.store.Requests(t.Context(), f.reseller.ResellerID, backup.RequestQuery{})
	require.NoError(t, err)
	for i := range requests {
		requests[i].Version, requests[i].Due, requests[i].LeaseUntil, requests[i].Failures = 0, time.Time{}, time.Time{}, 0
	}
	tasks, _, err = f.store.Tasks(t.Context(), f.reseller.ResellerID, backup.TaskQuery{})
	require.NoError(t, err)
	return requests, tasks, f.kinds(t)
}

// hostFaults returns the ways in which a part fails, by name.
func hostFaults() map[string]func() error {
	return map[string]func() error{
		"error":     func() error { return errors.New(secret) },
		"panic":     func() error { panic(secret) },
		"forbidden": func() error { return fmt.Errorf("%s: %w", secret, backup.ErrForbidden) },
		"invalid":   func() error { return fmt.Errorf("%s: %w", secret, backup.ErrInvalid) },
		"not found": func() error { return fmt.Errorf("%s: %w", secret, backup.ErrNotFound) },
		"conflict":  func() error { return fmt.Errorf("%s: %w", secret, backup.ErrConflict) },
	}
}

// TestFaultsOfTheHost: if a part of the host fails, the error is ErrHost and none of the caller's sentinels. Only the log has
// the part's words. Nothing is written.
func TestFaultsOfTheHost(t *testing.T) {
	t.Parallel()
	for part, reached := range hostParts() {
		for op, do := range hostOperations() {
			t.Run(part+" in "+op, func(t *testing.T) {
				t.Parallel()
				for name, fault := range hostFaults() {
					for _, who := range []string{"client", "reseller"} {
						f, host := hostFixture(t)
						requests, tasks, kinds := f.everything(t)
						host.part, host.fault = part, fault
						err := do(t.Context(), f, f.actors[who])
						what := fmt.Sprintf("%s for a %s: %v", name, who, err)
						if host.calls == 0 {
							required := slices.Contains(reached, op) && (part != "Servers.Server" || who == "client")
							require.False(t, required && !isForbidden(op, who), "%s does not reach %s: %s", op, part, what)
							continue
						}
						require.Contains(t, reached, op, what)
						if checkHostError(t, part, op, name, err) {
							continue // the answer had its own meaning, and the operation went on
						}
						gotRequests, gotTasks, gotKinds := f.everything(t)
						require.Equal(t, requests, gotRequests, what)
						require.Equal(t, tasks, gotTasks, what)
						require.Equal(t, kinds, gotKinds, what)
					}
				}
			})
		}
	}
}

// isForbidden reports whether an operation is not for the actor, whatever the host does.
func isForbidden(op, who string) bool {
	return who == "client" && (op == "Complete" || op == "Confirm" || op == "Fail" || op == "Retry")
}

// checkHostError checks the error of an operation whose part of the host failed. meant is true if the answer of the part was a
// proper answer, so that the operation may have succeeded.
func checkHostError(t *testing.T, part, op, fault string, err error) (meant bool) {
	t.Helper()
	what := fmt.Sprintf("%s: %v", fault, err)
	store := strings.HasPrefix(part, "Store.")
	if fault == "not found" && (part == "Servers.Server" || part == "Store.Request" && op == "Submit") {
		return true
	}
	require.Error(t, err, what)
	var e *backup.Error
	require.ErrorAs(t, err, &e, what)
	caller := []error{backup.ErrNotFound, backup.ErrConflict, backup.ErrForbidden, backup.ErrInvalid}
	is := func(target error) bool { return errors.Is(err, target) }
	record := part == "Store.Request" || part == "Store.Task"
	switch {
	case record && fault == "not found" && is(backup.ErrNotFound), store && fault == "conflict" && is(backup.ErrConflict):
		require.False(t, is(backup.ErrHost), what)
	default:
		require.True(t, is(backup.ErrHost), what)
		require.False(t, slices.ContainsFunc(caller, is), what)
		require.Equal(t, part == "Store.Commit", e.OutcomeUnknown, what)
	}
	if forTheLog(op) {
		assert.ErrorContains(t, err, secret, what)
	} else {
		assert.NotContains(t, err.Error(), "secret", what)
	}
	return false
}
