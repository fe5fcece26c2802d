package cancellation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// move is one random operation: what, and three numbers to choose by.
type modelOp struct {
	name    string
	x, y, z int
}

func (m modelOp) String() string { return fmt.Sprintf("%s(%d, %d, %d)", m.name, m.x, m.y, m.z) }

// play is a run of moves on a fixture, with the model beside it.
type modelRun struct {
	*fixture
	t        testing.TB
	model    *model
	servers  []uuid.UUID
	orders   []uuid.UUID // every cancellation there was
	released *notify.MemoryOutbox
	failure  error                   // what hooks and the biller return
	assigned map[uuid.UUID]time.Time // when each assignment began
}

// moves are all operations.
func modelOps() map[string]func(*modelRun, modelOp) error {
	return map[string]func(*modelRun, modelOp) error{
		"wait":       (*modelRun).wait,
		"order":      (*modelRun).trySchedule,
		"reorder":    (*modelRun).tryReschedule,
		"discard":    (*modelRun).tryDiscard,
		"set":        (*modelRun).saveRandomSettings,
		"rebill":     (*modelRun).changeBilling,
		"work":       (*modelRun).tickOnce,
		"crash":      (*modelRun).tickAndCrash,
		"listen":     (*modelRun).deliverEvents,
		"give_away":  (*modelRun).reassignServer,
		"break":      (*modelRun).setHookFailure,
		"close_gate": (*modelRun).setGate,
		"operate":    (*modelRun).retryOrAbandon,
	}
}

// choices are the moves as often as they are to be chosen.
func choices() []string {
	return strings.Fields("wait wait wait wait order order order order reorder reorder discard set set rebill work work work crash crash " +
		"listen give_away break break close_gate operate operate operate")
}

func newModelRun(t testing.TB) *modelRun {
	r := &modelRun{t: t, released: &notify.MemoryOutbox{}, assigned: map[uuid.UUID]time.Time{}}
	r.fixture = newFixture(t, func(c *cancellation.Config) {
		c.Biller = modelBiller{r}
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, cancellation.Cancellation) error {
			if r.model.gateClosed {
				return dedicated.Refuse("the gate is closed")
			}
			return nil
		})
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error { return r.failure })
	})
	var err error
	r.fixture.servers, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{Outbox: r.released}, Clock: r.clock})
	require.NoError(t, err)
	r.config.Servers = r.fixture.servers
	r.Manager, err = cancellation.New(r.config)
	require.NoError(t, err)
	require.NoError(t, r.released.Register(t.Context(), "cancellation", r.Subscriber().Kinds))
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	r.model = &model{berlin: berlin, now: r.clock.Now(), last: map[uuid.UUID]cancellation.State{}}
	for range 2 {
		s := r.server(t)
		r.servers = append(r.servers, s.ID)
		r.assigned[s.Assignment] = s.AssignedAt
	}
	return r
}

// playBiller was paid 100.00 for 90 days from each assignment on.
type modelBiller struct{ run *modelRun }

func (b modelBiller) Paid(_ context.Context, s dedicated.Server, _ dedicated.Period) ([]refund.Charge, error) {
	end := s.AssignedAt.Add(90 * 24 * time.Hour)
	return []refund.Charge{{Label: "90 days", Paid: decimal.New(10000, -2), Start: s.AssignedAt, End: end}}, b.run.failure
}

func (b modelBiller) Refund(ctx context.Context, r cancellation.Refund) error {
	if b.run.failure != nil {
		return b.run.failure
	}
	return b.run.biller.Refund(ctx, r)
}

// answered compares an answer with what the model says.
func checkAnswer(what string, want, got error) error {
	if want == nil && got != nil || want != nil && !errors.Is(got, want) {
		return fmt.Errorf("%s answered %v, want %v", what, got, want)
	}
	return nil
}

func (r *modelRun) wait(m modelOp) error {
	units := []time.Duration{time.Microsecond, time.Minute, time.Hour, 24 * time.Hour, 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour}
	r.model.now = r.clock.Now().Add(units[m.x%len(units)] * time.Duration(1+m.y%7))
	r.clock.Set(r.model.now)
	return nil
}

// when is a date up to 20 days from now, sometimes past, or the end of the period.
func (r *modelRun) when(client bool, m modelOp) cancellation.When {
	if client || m.y%3 == 0 {
		return endOfPeriod()
	}
	return cancellation.When{At: r.model.now.Add(time.Duration(m.z%500-20) * time.Hour)}
}

func (r *modelRun) actor(client bool) dedicated.Actor {
	if client {
		return r.client
	}
	return r.reseller
}

func (r *modelRun) clientID(client bool) uuid.UUID {
	if client {
		return r.client.ID
	}
	return uuid.Nil
}

func (r *modelRun) trySchedule(m modelOp) error {
	client, s := m.x%2 == 0, r.readServer(r.t, r.servers[m.x/2%2])
	w := r.when(client, m)
	active, err := r.store.Active(r.t.Context(), []uuid.UUID{s.ID})
	if err != nil {
		return err
	}
	taken := false
	for _, c := range active {
		taken = taken || c.Assignment == s.Assignment
	}
	var end time.Time
	if s.Used() {
		if end, err = r.endOf(s, r.model.now); err != nil {
			return err
		}
	}
	want := r.model.wantSchedule(client, s, taken, w, end)
	if client && s.ClientID != r.client.ID {
		want = cancellation.ErrNotFound
	}
	c, err := r.Schedule(r.t.Context(), r.actor(client), cancellation.Order{ServerID: s.ID, When: w})
	if err == nil {
		r.orders = append(r.orders, c.ID)
		if w.EndOfPeriod && !c.At.Equal(end) {
			return fmt.Errorf("the end of the period is %s, not %s", end, c.At)
		}
	}
	return checkAnswer("Schedule", want, err)
}

// endOf finds the end of a period by walking through all of them.
func (r *modelRun) endOf(s dedicated.Server, asked time.Time) (time.Time, error) {
	for n := 0; ; n++ {
		period, err := s.Billing.Period(n)
		if err != nil || period.End.After(asked) {
			return period.End, err
		}
	}
}

func (r *modelRun) pick(n int) (cancellation.Cancellation, bool) {
	if len(r.orders) == 0 {
		return cancellation.Cancellation{}, false
	}
	return r.get(r.t, r.orders[n%len(r.orders)]), true
}

func (r *modelRun) tryReschedule(m modelOp) error {
	c, ok := r.pick(m.x / 2)
	if !ok {
		return nil
	}
	client := m.x%2 == 0
	w, want, s := r.when(client, m), r.model.wantChange(r.clientID(client), c), r.readServer(r.t, c.ServerID)
	if want == nil && (s.Assignment != c.Assignment || !s.Used()) {
		want = cancellation.ErrConflict
	}
	if want == nil {
		end, err := r.endOf(s, r.model.now)
		if err != nil {
			return err
		}
		same := w.EndOfPeriod == c.When.EndOfPeriod && w.At.Equal(c.When.At) && (!w.EndOfPeriod || end.Equal(c.At))
		if !same || !w.EndOfPeriod && w.At.Before(r.model.now) {
			want = r.model.wantWhen(client, w, end)
		}
	}
	_, err := r.Reschedule(r.t.Context(), r.actor(client), c.ID, w)
	return checkAnswer("Reschedule", want, err)
}

func (r *modelRun) tryDiscard(m modelOp) error {
	c, ok := r.pick(m.x / 2)
	if !ok {
		return nil
	}
	_, err := r.Discard(r.t.Context(), r.actor(m.x%2 == 0), c.ID, "")
	return checkAnswer("Discard", r.model.wantChange(r.clientID(m.x%2 == 0), c), err)
}

func (r *modelRun) saveRandomSettings(m modelOp) error {
	s := cancellation.Settings{
		Warn: m.x%4 > 0, DaysAhead: [][]int{{7}, {14, 3, 1}, {1}}[m.y%3], MinWarningDays: []int{0, 0, 2, 10}[m.z%4],
		ClientMayDiscard: m.x%2 == 0, NoticeDays: []int{0, 0, 5}[m.z%3], LockDays: []int{0, 0, 2}[m.y%3],
	}
	var err error
	r.model.settings, err = r.SaveSettings(r.t.Context(), r.reseller, s)
	return err
}

func (r *modelRun) changeBilling(m modelOp) error {
	s := r.readServer(r.t, r.servers[m.x%2])
	if !s.Used() {
		return nil
	}
	b := monthly()
	b.Cycle = []dedicated.Cycle{{Unit: dedicated.Month, Count: 1}, {Unit: dedicated.Week, Count: 2}, {Unit: dedicated.Month, Count: 3}, {Unit: dedicated.Day, Count: 30}}[m.y%4]
	if m.z%3 == 0 {
		b.Anchor = r.model.now.Add(time.Duration(m.z%50) * 24 * time.Hour)
	}
	_, err := r.fixture.servers.ChangeBilling(r.t.Context(), r.reseller, s.ID, b)
	return err
}

func (r *modelRun) tickOnce(modelOp) error {
	_, err := r.Tick(r.t.Context())
	if r.failure != nil && errors.Is(err, r.failure) {
		return nil
	}
	return err
}

// crash is a Tick of another process, which dies at some call.
func (r *modelRun) tickAndCrash(m modelOp) error {
	stop := &interruption{call: m.x % 45, mode: crashModes[m.y%len(crashModes)]}
	other, err := cancellation.New(interrupted(r.config, stop))
	if err != nil {
		return err
	}
	defer func() {
		if v := recover(); v != nil && v != errCrash { //nolint:errorlint // the panic's value itself
			panic(v)
		}
	}()
	if _, err = other.Tick(r.t.Context()); stop.happened || r.failure != nil && errors.Is(err, r.failure) {
		return nil
	}
	return err
}

// listen fixedClock over what the inventory has told.
func (r *modelRun) deliverEvents(modelOp) error {
	for {
		due, err := r.released.ClaimDue(r.t.Context(), "cancellation", r.model.now, r.model.now.Add(time.Hour), 100)
		if err != nil || len(due.Deliveries) == 0 {
			return err
		}
		for _, d := range due.Deliveries {
			if err := r.Subscriber().Handle(r.t.Context(), d.Event); err != nil {
				return err
			}
			d.Delivered = true
			if err := r.released.Settle(r.t.Context(), d); err != nil {
				return err
			}
		}
	}
}

// giveAway gives a server to somebody, who may be its client again.
func (r *modelRun) reassignServer(m modelOp) error {
	ctx, s := r.t.Context(), r.readServer(r.t, r.servers[m.x%2])
	if s.Used() {
		if _, err := r.fixture.servers.Release(ctx, r.reseller, s.ID, s.Assignment, uuid.Nil, ""); err != nil {
			return err
		}
	}
	if s.LockedBy != uuid.Nil {
		_, err := r.fixture.servers.Restock(ctx, r.reseller, s.ID)
		return checkAnswer("Restock of a busy server", dedicated.ErrConflict, err)
	}
	if _, err := r.fixture.servers.Restock(ctx, r.reseller, s.ID); err != nil {
		return err
	}
	client := r.client.ID
	if m.y%3 == 0 {
		client = uuid.New()
	}
	s, err := r.fixture.servers.Assign(ctx, r.reseller, s.ID, dedicated.NewAssignment{ClientID: client, Billing: monthly()})
	r.assigned[s.Assignment] = s.AssignedAt
	return err
}

func (r *modelRun) setHookFailure(m modelOp) error {
	r.failure = nil
	if m.x%2 == 0 {
		r.failure = errors.New("no answer")
	}
	return nil
}

func (r *modelRun) setGate(m modelOp) error {
	r.model.gateClosed = m.x%2 == 0
	return nil
}

func (r *modelRun) retryOrAbandon(m modelOp) error {
	c, ok := r.pick(m.x)
	if !ok {
		return nil
	}
	leased := c.LeaseUntil.After(r.model.now)
	if m.y%2 == 0 {
		_, err := r.Retry(r.t.Context(), r.reseller, c.ID)
		if c.State.Active() && (c.Attempts > 0 || c.State == cancellation.Executing) && !leased {
			return err
		}
		return checkAnswer("Retry", cancellation.ErrConflict, err)
	}
	_, err := r.Abandon(r.t.Context(), r.reseller, c.ID, "")
	if c.State == cancellation.Executing && !leased {
		return err
	}
	return checkAnswer("Abandon", cancellation.ErrConflict, err)
}
