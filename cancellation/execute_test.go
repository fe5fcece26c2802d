package cancellation_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/refund"
)

// recordingHooks record their calls, and return the errors that are set.
type recordingHooks struct {
	mu                      sync.Mutex
	gateCalls               []cancellation.Cancellation
	deprovisioned           []dedicated.Server
	closedDown              []dedicated.Released
	gateErr, deprovisionErr error
	closeDownErr            error
}

func (hooks *recordingHooks) install(c *cancellation.Config) {
	c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, _ dedicated.Actor, _ string, c cancellation.Cancellation) error {
		hooks.mu.Lock()
		defer hooks.mu.Unlock()
		hooks.gateCalls = append(hooks.gateCalls, c)
		return hooks.gateErr
	})
	c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(_ context.Context, _ cancellation.Cancellation, s dedicated.Server) error {
		hooks.mu.Lock()
		defer hooks.mu.Unlock()
		hooks.deprovisioned = append(hooks.deprovisioned, s)
		return hooks.deprovisionErr
	})
	c.Hooks.CloseDown = append(c.Hooks.CloseDown, func(_ context.Context, d dedicated.Released) error {
		hooks.mu.Lock()
		defer hooks.mu.Unlock()
		hooks.closedDown = append(hooks.closedDown, d)
		return hooks.closeDownErr
	})
}

func TestExecution(t *testing.T) {
	t.Parallel()
	hooks := &recordingHooks{}
	f := newFixture(t, hooks.install)
	s := f.server(t)
	c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	hooks.gateCalls = nil
	f.tickAt(t, at("2026-11-22 08:00"))

	require.Len(t, hooks.gateCalls, 1)
	assert.Equal(t, cancellation.Executing, hooks.gateCalls[0].State, "as it would become")
	assertMoney(t, "10.00", hooks.gateCalls[0].Refund.Total)
	require.Len(t, hooks.deprovisioned, 1)
	assert.Equal(t, dedicated.CleanUp, hooks.deprovisioned[0].State)
	assert.Equal(t, c.ID, hooks.deprovisioned[0].LockedBy)
	assert.Equal(t, []dedicated.Released{{
		ResellerID: c.ResellerID, ServerID: s.ID, ClientID: f.client.ID, Assignment: s.Assignment, CancellationID: c.ID,
		At: at("2026-11-22 08:00"),
	}}, hooks.closedDown)
	done := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, done.State)
	assert.Equal(t, c.At, done.At)
	assert.True(t, done.Due.IsZero())
	assert.Equal(t, "EUR", done.Currency)
	var steps []string
	for _, step := range done.Steps {
		steps = append(steps, step.Name)
	}
	assert.Equal(t, []string{"release", "deprovision", "refund", "close_down", "done"}, steps)
	closed := payloads[cancellation.Closed](t, f, cancellation.KindClosed)
	require.Len(t, closed, 1)
	assert.Equal(t, c.At, closed[0].At)
	_, err := f.servers.Restock(t.Context(), f.reseller, s.ID)
	require.NoError(t, err, "the server is unlocked")
}

func TestGateRefusesExecution(t *testing.T) {
	t.Parallel()
	hooks := &recordingHooks{}
	f := newFixture(t, hooks.install)
	s := f.server(t)
	c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	hooks.gateErr = dedicated.Refuse("a backup is running")
	next := f.tickAt(t, at("2026-11-20 12:00"))
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Scheduled, got.State)
	assert.Equal(t, 1, got.Attempts)
	assert.Contains(t, got.LastError, "a backup is running")
	assert.Equal(t, got.RetryAt, next)
	assert.Equal(t, got.Due, next)
	assert.Empty(t, got.Steps)
	assert.Equal(t, dedicated.InUse, f.readServer(t, s.ID).State)
	f.tick(t)
	assert.Len(t, hooks.gateCalls, 2, "a second tick at the same instant does not ask again")
	stuck, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{Stuck: true})
	require.NoError(t, err)
	assert.Len(t, stuck, 1)

	hooks.gateErr = nil
	f.tickAt(t, next)
	got = f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State)
	assert.Zero(t, got.Attempts)
	assert.Empty(t, got.LastError)
	require.Len(t, f.biller.refunds(), 1)
	assert.Equal(t, c.At, f.biller.refunds()[0].At)
}

// TestFailuresBeforeTheExecution: the cancellation stays scheduled and is tried again after longer and longer waits.
func TestFailuresBeforeTheExecution(t *testing.T) {
	t.Parallel()
	failure := errors.New("no answer")
	var fails bool
	formula := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		if fails {
			return refund.Result{}, failure
		}
		return refund.Prorated{}.Refund(c)
	})
	for name, fail := range map[string]func(*fixture, error){
		"Paid":    func(f *fixture, err error) { f.biller.err = err },
		"formula": func(_ *fixture, err error) { fails = err != nil },
	} {
		f := newFixture(t, func(c *cancellation.Config) { c.RefundFormula = formula })
		s := f.server(t)
		c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
		fail(f, failure)
		f.clock.Set(at("2026-11-20 12:00"))
		var waits []time.Duration
		for n := 1; n <= 9; n++ {
			next, err := f.Tick(t.Context())
			require.ErrorIs(t, err, failure, name)
			got := f.get(t, c.ID)
			assert.Equal(t, cancellation.Scheduled, got.State)
			assert.Equal(t, n, got.Attempts)
			assert.Contains(t, got.LastError, "no answer")
			waits = append(waits, next.Sub(f.clock.Now()))
			f.clock.Set(next)
		}
		assert.LessOrEqual(t, waits[0], time.Minute)
		assert.Greater(t, waits[2], time.Minute)
		assert.Greater(t, waits[8], 25*time.Minute)
		assert.LessOrEqual(t, waits[8], time.Hour)
		assert.Equal(t, dedicated.InUse, f.readServer(t, s.ID).State)
		assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindStuck], "the reseller is told once")
		fail(f, nil)
		f.tick(t)
		got := f.get(t, c.ID)
		assert.Equal(t, cancellation.Executed, got.State)
		assertMoney(t, "10.00", got.Refund.Total)
	}
}

func TestImpossibleRefunds(t *testing.T) {
	t.Parallel()
	line := func(amounts ...string) refund.Result {
		var r refund.Result
		for _, a := range amounts {
			r.Lines = append(r.Lines, refund.Line{Amount: decimal.RequireFromString(a)})
			r.Total = r.Total.Add(decimal.RequireFromString(a))
		}
		return r
	}
	wrongTotal := line("1.00", "2.00")
	wrongTotal.Total = decimal.RequireFromString("4.00")
	tests := []struct {
		name, want string
		result     refund.Result
	}{
		{"a negative refund", "below zero", line("-1.00")},
		{"more than was paid", "more than the 29", line("29.01")},
		{"fractions of a cent", "2 decimal places", line("1.005")},
		{"lines that do not add up", "add up to 3", wrongTotal},
		{"a line below zero", `is -1: want 0 or more`, line("2.00", "-1.00")},
		{"lines with fractions of a cent", `is 0.505: want 0 or more with at most 2 decimal places`, line("0.505", "0.495")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(c *cancellation.Config) {
				c.RefundFormula = refund.FormulaFunc(func(refund.Case) (refund.Result, error) { return tt.result, nil })
			})
			charge := november()
			charge.Refunded = decimal.New(1, 0)
			f.biller.charges = []refund.Charge{charge}
			s := f.server(t)
			_, err := f.Quote(t.Context(), f.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
			e := requireError(t, err, cancellation.ErrHost)
			require.ErrorContains(t, e.Err, tt.want)
			c := f.scheduleAt(t, s.ID, at("2026-11-10 09:00"))
			_, err = f.Tick(t.Context())
			require.ErrorContains(t, err, tt.want)
			assert.Equal(t, cancellation.Scheduled, f.get(t, c.ID).State)
			assert.Empty(t, f.biller.refunds())
		})
	}
}

func TestNoBillerNoRefunds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *cancellation.Config) { c.Biller = nil })
	s := f.server(t)
	quote, err := f.Quote(t.Context(), f.reseller, s.ID, endOfPeriod())
	require.NoError(t, err)
	assert.True(t, quote.Total.IsZero())
	c := f.scheduleAt(t, s.ID, at("2026-11-10 09:00"))
	f.tick(t)
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State)
	assert.Equal(t, at("2026-11-10 09:00"), got.Steps[2].Done, "the step is done")
	statement := payloads[cancellation.Statement](t, f, cancellation.KindExecuted)[0]
	assert.Empty(t, statement.Total+statement.Currency)
}

func TestZeroIsNotRefunded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.scheduleAsClient(t, f.server(t).ID)
	f.tickAt(t, endOfNovember())
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
	assert.Zero(t, f.biller.calls)
}

// TestFailedSteps: a failed step is tried again; the steps before it are not.
func TestFailedSteps(t *testing.T) {
	t.Parallel()
	failure := errors.New("no answer")
	tests := []struct {
		step                string
		fail                func(*fixture, *recordingHooks, error)
		deprovisioned, paid int // calls, the failed one included
	}{
		{cancellation.StepDeprovision, func(_ *fixture, hooks *recordingHooks, err error) { hooks.deprovisionErr = err }, 2, 1},
		{cancellation.StepRefund, func(f *fixture, _ *recordingHooks, err error) { f.biller.failRefund(err) }, 1, 2},
		{cancellation.StepCloseDown, func(_ *fixture, hooks *recordingHooks, err error) { hooks.closeDownErr = err }, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.step, func(t *testing.T) {
			t.Parallel()
			hooks := &recordingHooks{}
			f := newFixture(t, hooks.install)
			s := f.server(t)
			c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
			tt.fail(f, hooks, failure)
			f.clock.Set(at("2026-11-20 12:00"))
			next, err := f.Tick(t.Context())
			require.ErrorIs(t, err, failure)
			got := f.get(t, c.ID)
			assert.Equal(t, cancellation.Executing, got.State)
			assert.Equal(t, 1, got.Attempts)
			assert.Contains(t, got.LastError, "step "+tt.step+": ")
			assert.Equal(t, c.ID, f.readServer(t, s.ID).LockedBy)
			_, err = f.servers.Restock(t.Context(), f.reseller, s.ID)
			require.ErrorIs(t, err, dedicated.ErrConflict, "the server is locked during the execution")
			tt.fail(f, hooks, nil)
			f.tickAt(t, next)
			got = f.get(t, c.ID)
			assert.Equal(t, cancellation.Executed, got.State)
			assert.Zero(t, got.Attempts)
			assert.Len(t, hooks.deprovisioned, tt.deprovisioned)
			assert.Equal(t, tt.paid, f.biller.calls)
			assert.Len(t, f.biller.refunds(), 1)
		})
	}
}

func TestPanicsOfHostCodeAreErrors(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*cancellation.Config){
		"deprovision": func(c *cancellation.Config) {
			c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error { panic("boom") })
		},
		"close-down": func(c *cancellation.Config) {
			c.Hooks.CloseDown = append(c.Hooks.CloseDown, func(context.Context, dedicated.Released) error { panic("boom") })
		},
		"formula": func(c *cancellation.Config) {
			c.RefundFormula = refund.FormulaFunc(func(refund.Case) (refund.Result, error) { panic("boom") })
		},
		"biller":  func(c *cancellation.Config) { c.Biller = panickingHost{} },
		"servers": func(c *cancellation.Config) { c.Servers = panickingHost{Servers: c.Servers} },
	} {
		f := newFixture(t)
		c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
		m := f.newManager(t, change)
		_, err := m.Tick(t.Context())
		require.ErrorContains(t, err, "boom", name)
		got := f.get(t, c.ID)
		assert.Contains(t, got.LastError, "boom", name)
		assert.Equal(t, 1, got.Attempts, name)
		assert.True(t, got.LeaseUntil.IsZero(), "%s: given back", name)
	}
}

type panickingHost struct{ cancellation.Servers }

func (panickingHost) Server(context.Context, dedicated.Actor, uuid.UUID) (dedicated.Server, error) {
	panic("boom")
}
func (panickingHost) Paid(context.Context, dedicated.Server, dedicated.Period) ([]refund.Charge, error) {
	panic("boom")
}
func (panickingHost) Refund(context.Context, cancellation.Refund) error { panic("boom") }

// TestFailureDelaysNoOther: a Tick tries everything that is due. Failed cancellations are tried again later.
func TestFailureDelaysNoOther(t *testing.T) {
	t.Parallel()
	failure := errors.New("no answer")
	failing := map[uuid.UUID]bool{}
	f := newFixture(t, func(c *cancellation.Config) {
		c.MaxExecutions = -1
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(_ context.Context, _ cancellation.Cancellation, s dedicated.Server) error {
			if failing[s.ID] {
				return failure
			}
			return nil
		})
	})
	for n := range 250 {
		s := f.server(t)
		failing[s.ID] = n%2 == 0
		f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	}
	f.clock.Set(at("2026-11-20 12:00"))
	_, err := f.Tick(t.Context())
	require.ErrorIs(t, err, failure)
	for state, want := range map[cancellation.State]int{cancellation.Executed: 125, cancellation.Executing: 125} {
		all, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{States: []cancellation.State{state}, Limit: 1000})
		require.NoError(t, err)
		assert.Len(t, all, want)
	}
}

// TestHooksGetCopies: a hook that changes its argument changes no record. Times of a biller's charges are stored in UTC, to the
// microsecond.
func TestHooksGetCopies(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *cancellation.Config) {
		overwrite := func(_ context.Context, _ dedicated.Actor, _ string, c cancellation.Cancellation) error {
			for i := range c.History {
				c.History[i].What = "changed"
			}
			for i := range c.Steps {
				c.Steps[i].Name = "changed"
			}
			return nil
		}
		c.Hooks.Gate = append(c.Hooks.Gate, overwrite)
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, c cancellation.Cancellation, _ dedicated.Server) error {
			return overwrite(ctx, dedicated.Actor{}, "", c)
		})
	})
	charge := november()
	charge.Start = charge.Start.In(time.FixedZone("", 3600)).Add(789)
	f.biller.charges = []refund.Charge{charge}
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.tick(t)
	got := f.get(t, c.ID)
	assert.Equal(t, []string{"scheduled", "executing", "executed"}, history(got))
	assert.Equal(t, november().Start, got.Refund.Lines[0].Charge.Start)
	assert.Equal(t, time.UTC, got.Refund.Lines[0].Charge.Start.Location())
}

// TestRefundWithoutABiller: a process with a Biller has fixed the refund. A process without one must not record it as paid.
func TestRefundWithoutABiller(t *testing.T) {
	t.Parallel()
	f, hooks, c := newStuckFixture(t)
	hooks.deprovisionErr = nil
	f.clock.Set(c.RetryAt)
	withoutBiller := f.newManager(t, func(c *cancellation.Config) { c.Biller = nil })
	next, err := withoutBiller.Tick(t.Context())
	require.ErrorContains(t, err, "20.00 EUR")
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executing, got.State)
	assert.Contains(t, got.LastError, "step refund: ")
	assert.Zero(t, f.countEvents(t, c.ID)[cancellation.KindExecuted])
	f.tickAt(t, next)
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
	assert.Len(t, f.biller.refunds(), 1)
}
