package cancellation_test

import (
	"context"
	"errors"
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

// plugins are hooks that note what they were called with.
type plugins struct {
	gated      []cancellation.Cancellation
	wiped      []dedicated.Server
	closed     []dedicated.Released
	gate, wipe error
	closing    error
}

func (p *plugins) hooks(c *cancellation.Config) {
	c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, c cancellation.Cancellation) error {
		p.gated = append(p.gated, c)
		return p.gate
	})
	c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(_ context.Context, _ cancellation.Cancellation, s dedicated.Server) error {
		p.wiped = append(p.wiped, s)
		return p.wipe
	})
	c.Hooks.CloseDown = append(c.Hooks.CloseDown, func(_ context.Context, d dedicated.Released) error {
		p.closed = append(p.closed, d)
		return p.closing
	})
}

func TestExecution(t *testing.T) {
	t.Parallel()
	p := &plugins{}
	w := setup(t, p.hooks)
	s := w.server(t)
	c := w.schedule(t, s.ID, at("2026-11-20 12:00"))
	p.gated = nil
	w.tickAt(t, at("2026-11-22 08:00"))

	require.Len(t, p.gated, 1)
	assert.Equal(t, cancellation.Executing, p.gated[0].State, "as it would become")
	assertMoney(t, "10.00", p.gated[0].Refund.Total)
	require.Len(t, p.wiped, 1)
	assert.Equal(t, dedicated.CleanUp, p.wiped[0].State)
	assert.Equal(t, c.ID, p.wiped[0].LockedBy)
	assert.Equal(t, []dedicated.Released{{
		ResellerID: c.ResellerID, ServerID: s.ID, ClientID: w.client.ID, Assignment: s.Assignment, CancellationID: c.ID,
		At: at("2026-11-22 08:00"),
	}}, p.closed)
	done := w.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, done.State)
	assert.Equal(t, c.At, done.At)
	assert.True(t, done.Due.IsZero())
	assert.Equal(t, "EUR", done.Currency)
	var steps []string
	for _, step := range done.Steps {
		steps = append(steps, step.Name)
	}
	assert.Equal(t, []string{"release", "deprovision", "refund", "close_down", "done"}, steps)
	closed := payloads[cancellation.Closed](t, w, cancellation.KindClosed)
	require.Len(t, closed, 1)
	assert.Equal(t, c.At, closed[0].At)
	_, err := w.servers.Restock(t.Context(), w.reseller, s.ID)
	require.NoError(t, err, "no longer busy")
}

func TestGateRefusesExecution(t *testing.T) {
	t.Parallel()
	p := &plugins{}
	w := setup(t, p.hooks)
	s := w.server(t)
	c := w.schedule(t, s.ID, at("2026-11-20 12:00"))
	p.gate = dedicated.Refuse("a backup is running")
	next := w.tickAt(t, at("2026-11-20 12:00"))
	got := w.get(t, c.ID)
	assert.Equal(t, cancellation.Scheduled, got.State)
	assert.Equal(t, 1, got.Attempts)
	assert.Contains(t, got.LastError, "a backup is running")
	assert.Equal(t, got.RetryAt, next)
	assert.Equal(t, got.Due, next)
	assert.Empty(t, got.Steps)
	assert.Equal(t, dedicated.InUse, w.serverNow(t, s.ID).State)
	w.tick(t)
	assert.Len(t, p.gated, 2, "a second tick at the same instant does not ask again")
	stuck, _, err := w.Cancellations(t.Context(), w.reseller, cancellation.Query{Stuck: true})
	require.NoError(t, err)
	assert.Len(t, stuck, 1)

	p.gate = nil
	w.tickAt(t, next)
	got = w.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State)
	assert.Zero(t, got.Attempts)
	assert.Empty(t, got.LastError)
	require.Len(t, w.biller.refunds(), 1)
	assert.Equal(t, c.At, w.biller.refunds()[0].At)
}

// TestFailuresBeforeTheExecution leave it scheduled, to be tried again, less and less often.
func TestFailuresBeforeTheExecution(t *testing.T) {
	t.Parallel()
	trouble := errors.New("no answer")
	var broken bool
	formula := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		if broken {
			return refund.Result{}, trouble
		}
		return refund.Prorated{}.Refund(c)
	})
	for name, fail := range map[string]func(*fixture, error){
		"Paid":    func(w *fixture, err error) { w.biller.err = err },
		"formula": func(_ *fixture, err error) { broken = err != nil },
	} {
		w := setup(t, func(c *cancellation.Config) { c.RefundFormula = formula })
		s := w.server(t)
		c := w.schedule(t, s.ID, at("2026-11-20 12:00"))
		fail(w, trouble)
		w.clock.Set(at("2026-11-20 12:00"))
		var waits []time.Duration
		for n := 1; n <= 9; n++ {
			next, err := w.Tick(t.Context())
			require.ErrorIs(t, err, trouble, name)
			got := w.get(t, c.ID)
			assert.Equal(t, cancellation.Scheduled, got.State)
			assert.Equal(t, n, got.Attempts)
			assert.Contains(t, got.LastError, "no answer")
			waits = append(waits, next.Sub(w.clock.Now()))
			w.clock.Set(next)
		}
		assert.LessOrEqual(t, waits[0], time.Minute)
		assert.Greater(t, waits[2], time.Minute)
		assert.Greater(t, waits[8], 25*time.Minute)
		assert.LessOrEqual(t, waits[8], time.Hour)
		assert.Equal(t, dedicated.InUse, w.serverNow(t, s.ID).State)
		assert.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindStuck], "the reseller is told once")
		fail(w, nil)
		w.tick(t)
		got := w.get(t, c.ID)
		assert.Equal(t, cancellation.Executed, got.State)
		assertMoney(t, "10.00", got.Refund.Total)
	}
}

func TestFormulasThatMustNotBePaid(t *testing.T) {
	t.Parallel()
	line := func(amounts ...string) refund.Result {
		var r refund.Result
		for _, a := range amounts {
			r.Lines = append(r.Lines, refund.Line{Amount: decimal.RequireFromString(a)})
			r.Total = r.Total.Add(decimal.RequireFromString(a))
		}
		return r
	}
	apart := line("1.00", "2.00")
	apart.Total = decimal.RequireFromString("4.00")
	tests := []struct {
		name, want string
		result     refund.Result
	}{
		{"a charge turned into a refund", "below zero", line("-1.00")},
		{"more than was paid", "more than the 29", line("29.01")},
		{"fractions of a cent", "2 decimal places", line("1.005")},
		{"lines that do not add up", "add up to 3", apart},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, func(c *cancellation.Config) {
				c.RefundFormula = refund.FormulaFunc(func(refund.Case) (refund.Result, error) { return tt.result, nil })
			})
			charge := november()
			charge.Refunded = decimal.New(1, 0)
			w.biller.charges = []refund.Charge{charge}
			s := w.server(t)
			_, err := w.Quote(t.Context(), w.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
			e := problem(t, err, cancellation.ErrHost)
			require.ErrorContains(t, e.Err, tt.want)
			c := w.schedule(t, s.ID, at("2026-11-10 09:00"))
			_, err = w.Tick(t.Context())
			require.ErrorContains(t, err, tt.want)
			assert.Equal(t, cancellation.Scheduled, w.get(t, c.ID).State)
			assert.Empty(t, w.biller.refunds())
		})
	}
}

func TestNoBillerNoRefunds(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *cancellation.Config) { c.Biller = nil })
	s := w.server(t)
	quote, err := w.Quote(t.Context(), w.reseller, s.ID, endOfPeriod())
	require.NoError(t, err)
	assert.True(t, quote.Total.IsZero())
	c := w.schedule(t, s.ID, at("2026-11-10 09:00"))
	w.tick(t)
	got := w.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State)
	assert.Equal(t, at("2026-11-10 09:00"), got.Steps[2].Done, "the step is done with nothing to do")
	account := payloads[cancellation.Statement](t, w, cancellation.KindExecuted)[0]
	assert.Empty(t, account.Total+account.Currency)
}

func TestZeroIsNotRefunded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	c := w.endOfPeriod(t, w.server(t).ID)
	w.tickAt(t, endOfNovember())
	assert.Equal(t, cancellation.Executed, w.get(t, c.ID).State)
	assert.Zero(t, w.biller.calls)
}

// TestStepsThatFail are tried again, the steps before them are not.
func TestStepsThatFail(t *testing.T) {
	t.Parallel()
	trouble := errors.New("no answer")
	tests := []struct {
		step         string
		fail         func(*fixture, *plugins, error)
		wiped, payed int // before and after it got better
	}{
		{cancellation.StepDeprovision, func(_ *fixture, p *plugins, err error) { p.wipe = err }, 2, 1},
		{cancellation.StepRefund, func(w *fixture, _ *plugins, err error) { w.biller.failRefund(err) }, 1, 2},
		{cancellation.StepCloseDown, func(_ *fixture, p *plugins, err error) { p.closing = err }, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.step, func(t *testing.T) {
			t.Parallel()
			p := &plugins{}
			w := setup(t, p.hooks)
			s := w.server(t)
			c := w.schedule(t, s.ID, at("2026-11-20 12:00"))
			tt.fail(w, p, trouble)
			w.clock.Set(at("2026-11-20 12:00"))
			next, err := w.Tick(t.Context())
			require.ErrorIs(t, err, trouble)
			got := w.get(t, c.ID)
			assert.Equal(t, cancellation.Executing, got.State)
			assert.Equal(t, 1, got.Attempts)
			assert.Contains(t, got.LastError, "step "+tt.step+": ")
			assert.Equal(t, c.ID, w.serverNow(t, s.ID).LockedBy)
			_, err = w.servers.Restock(t.Context(), w.reseller, s.ID)
			require.ErrorIs(t, err, dedicated.ErrConflict, "nobody gets it under the wipe")
			tt.fail(w, p, nil)
			w.tickAt(t, next)
			got = w.get(t, c.ID)
			assert.Equal(t, cancellation.Executed, got.State)
			assert.Zero(t, got.Attempts)
			assert.Len(t, p.wiped, tt.wiped)
			assert.Equal(t, tt.payed, w.biller.calls)
			assert.Len(t, w.biller.refunds(), 1)
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
		"biller":  func(c *cancellation.Config) { c.Biller = panicking{} },
		"servers": func(c *cancellation.Config) { c.Servers = panicking{Servers: c.Servers} },
	} {
		w := setup(t)
		c := w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
		m := w.another(t, change)
		_, err := m.Tick(t.Context())
		require.ErrorContains(t, err, "boom", name)
		got := w.get(t, c.ID)
		assert.Contains(t, got.LastError, "boom", name)
		assert.Equal(t, 1, got.Attempts, name)
		assert.True(t, got.LeaseUntil.IsZero(), "%s: given back", name)
	}
}

type panicking struct{ cancellation.Servers }

func (panicking) Server(context.Context, dedicated.Actor, uuid.UUID) (dedicated.Server, error) {
	panic("boom")
}
func (panicking) Paid(context.Context, dedicated.Server, dedicated.Period) ([]refund.Charge, error) {
	panic("boom")
}
func (panicking) Refund(context.Context, cancellation.Refund) error { panic("boom") }

// TestOneFailureHoldsUpNobodyElse: everything due is tried, failing ones come back later.
func TestOneFailureHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	trouble := errors.New("no answer")
	bad := map[uuid.UUID]bool{}
	w := setup(t, func(c *cancellation.Config) {
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(_ context.Context, _ cancellation.Cancellation, s dedicated.Server) error {
			if bad[s.ID] {
				return trouble
			}
			return nil
		})
	})
	for n := range 250 {
		s := w.server(t)
		bad[s.ID] = n%2 == 0
		w.schedule(t, s.ID, at("2026-11-20 12:00"))
	}
	w.clock.Set(at("2026-11-20 12:00"))
	_, err := w.Tick(t.Context())
	require.ErrorIs(t, err, trouble)
	for state, want := range map[cancellation.State]int{cancellation.Executed: 125, cancellation.Executing: 125} {
		all, _, err := w.Cancellations(t.Context(), w.reseller, cancellation.Query{States: []cancellation.State{state}, Limit: 1000})
		require.NoError(t, err)
		assert.Len(t, all, want)
	}
}

// TestHostsKeepTheirHandsOff: what hooks scribble on is not the record, and what a biller counts in is not how it is kept.
func TestHostsKeepTheirHandsOff(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *cancellation.Config) {
		scribble := func(_ context.Context, c cancellation.Cancellation) error {
			for i := range c.History {
				c.History[i].What = "scribble"
			}
			for i := range c.Steps {
				c.Steps[i].Name = "scribble"
			}
			return nil
		}
		c.Hooks.Gate = append(c.Hooks.Gate, scribble)
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, c cancellation.Cancellation, _ dedicated.Server) error {
			return scribble(ctx, c)
		})
	})
	charge := november()
	charge.Start = charge.Start.In(time.FixedZone("", 3600)).Add(789)
	w.biller.charges = []refund.Charge{charge}
	c := w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
	w.tick(t)
	got := w.get(t, c.ID)
	assert.Equal(t, []string{"scheduled", "executing", "executed"}, history(got))
	assert.Equal(t, november().Start, got.Refund.Lines[0].Charge.Start)
	assert.Equal(t, time.UTC, got.Refund.Lines[0].Charge.Start.Location())
}

// TestRefundWithoutABiller: it was fixed by a process that has one; another that has none must not call it paid.
func TestRefundWithoutABiller(t *testing.T) {
	t.Parallel()
	w, p, c := stuck(t)
	p.wipe = nil
	w.clock.Set(c.RetryAt)
	poor := w.another(t, func(c *cancellation.Config) { c.Biller = nil })
	next, err := poor.Tick(t.Context())
	require.ErrorContains(t, err, "20.00 EUR")
	got := w.get(t, c.ID)
	assert.Equal(t, cancellation.Executing, got.State)
	assert.Contains(t, got.LastError, "step refund: ")
	assert.Zero(t, w.kinds(t, c.ID)[cancellation.KindExecuted])
	w.tickAt(t, next)
	assert.Equal(t, cancellation.Executed, w.get(t, c.ID).State)
	assert.Len(t, w.biller.refunds(), 1)
}
