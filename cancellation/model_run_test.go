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

// modelOp is one random operation: its name, and three numbers that choose its parameters.
type modelOp struct {
	name    string
	x, y, z int
}

func (op modelOp) String() string { return fmt.Sprintf("%s(%d, %d, %d)", op.name, op.x, op.y, op.z) }

// modelRun is one sequence of operations, on the library and on the model.
type modelRun struct {
	*fixture
	t        testing.TB
	model    *model
	servers  []uuid.UUID
	orders   []uuid.UUID // the IDs of all cancellations
	released *notify.MemoryOutbox
	failure  error                   // what hooks and the biller return
	credit   refund.Charge           // what the biller adds to a bill, if it is not 0
	assigned map[uuid.UUID]time.Time // when each assignment began
}

// modelOps returns all operations, by name.
func modelOps() map[string]func(*modelRun, modelOp) error {
	return map[string]func(*modelRun, modelOp) error{
		"wait":       (*modelRun).wait,
		"schedule":   (*modelRun).trySchedule,
		"reschedule": (*modelRun).tryReschedule,
		"discard":    (*modelRun).tryDiscard,
		"settings":   (*modelRun).saveRandomSettings,
		"billing":    (*modelRun).changeBilling,
		"tick":       (*modelRun).tickOnce,
		"crash":      (*modelRun).tickAndCrash,
		"events":     (*modelRun).deliverEvents,
		"reassign":   (*modelRun).reassignServer,
		"failure":    (*modelRun).setHookFailure,
		"credit":     (*modelRun).setCredit,
		"gate":       (*modelRun).setGate,
		"stuck":      (*modelRun).retryOrAbandon,
	}
}

// choices returns the names of the operations, each as often as it is to be chosen.
func choices() []string {
	return strings.Fields("wait wait wait wait schedule schedule schedule schedule reschedule reschedule discard settings settings billing " +
		"tick tick tick crash crash events reassign failure failure credit credit gate stuck stuck stuck")
}

func newModelRun(t testing.TB) *modelRun {
	r := &modelRun{t: t, released: &notify.MemoryOutbox{}, assigned: map[uuid.UUID]time.Time{}}
	r.fixture = newFixture(t, func(c *cancellation.Config) {
		c.Biller = modelBiller{r}
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error {
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
	r.model = &model{berlin: berlin, now: r.clock.Now(), last: map[uuid.UUID]cancellation.Cancellation{},
		moved: map[uuid.UUID]bool{}, locks: map[uuid.UUID]int{}}
	for range 2 {
		s := r.server(t)
		r.servers = append(r.servers, s.ID)
		r.assigned[s.Assignment] = s.AssignedAt
	}
	return r
}

// modelBiller has one charge for each assignment, 100.00 for its first 90 days, and sometimes a credit.
type modelBiller struct{ run *modelRun }

func (b modelBiller) Paid(_ context.Context, s dedicated.Server, _ dedicated.Period) ([]refund.Charge, error) {
	end := s.AssignedAt.Add(90 * 24 * time.Hour)
	bill := []refund.Charge{{Label: "90 days", Paid: decimal.New(10000, -2), Start: s.AssignedAt, End: end}}
	if credit := b.run.credit; !credit.Paid.IsZero() {
		credit.Start, credit.End = s.AssignedAt, end.Add(credit.End.Sub(credit.Start))
		bill = append(bill, credit)
	}
	return bill, b.run.failure
}

func (b modelBiller) Refund(ctx context.Context, r cancellation.Refund) error {
	if b.run.failure != nil {
		return b.run.failure
	}
	return b.run.biller.Refund(ctx, r)
}

// checkAnswer compares an answer with that of the model.
func checkAnswer(what string, want, got error) error {
	if want == nil && got != nil || want != nil && !errors.Is(got, want) {
		return fmt.Errorf("%s answered %v, want %v", what, got, want)
	}
	return nil
}

func (r *modelRun) wait(op modelOp) error {
	units := []time.Duration{time.Microsecond, time.Minute, time.Hour, 24 * time.Hour, 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour}
	r.model.now = r.clock.Now().Add(units[op.x%len(units)] * time.Duration(1+op.y%7))
	r.clock.Set(r.model.now)
	return nil
}

// when returns a date up to 20 days from now, sometimes a past one, or another When.
func (r *modelRun) when(op modelOp) cancellation.When {
	switch op.y % 8 {
	case 0, 1:
		return endOfPeriod()
	case 2, 3:
		return cancellation.When{FirstAllowed: true}
	case 4:
		return cancellation.When{Now: op.z%3 == 0, EndOfPeriod: op.z%3 > 0}
	case 5:
		return cancellation.When{At: r.model.now.Add(-time.Duration(op.z%3) * 40 * time.Second)}
	}
	return cancellation.When{At: r.model.now.Add(time.Duration(op.z%500-40) * time.Hour)}
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

func (r *modelRun) trySchedule(op modelOp) error {
	client, s := op.x%2 == 0, r.readServer(r.t, r.servers[op.x/2%2])
	o := cancellation.Order{ServerID: s.ID, When: r.when(op), TellClient: op.x%3 == 0, Backdated: op.z%4 == 0}
	active, err := r.store.Active(r.t.Context(), []uuid.UUID{s.ID})
	if err != nil {
		return err
	}
	hasActive := false
	for _, c := range active {
		hasActive = hasActive || c.Assignment == s.Assignment
	}
	if op.z%5 == 0 {
		o.Expect = endOfNovember()
	}
	date, want := r.model.wantSchedule(client, s, hasActive, o)
	if client && s.ClientID != r.client.ID {
		want = cancellation.ErrNotFound
	}
	if err := r.checkPreview(client, o, date, want); err != nil {
		return err
	}
	c, err := r.Schedule(r.t.Context(), r.actor(client), o)
	if err == nil {
		r.orders = append(r.orders, c.ID)
		r.model.ordered(client, c.ID, false)
		if !c.At.Equal(date) {
			return fmt.Errorf("the date is %s, not %s", date, c.At)
		}
	}
	return checkAnswer("Schedule", want, err)
}

// checkPreview compares the Preview of an order with what Schedule must answer. Gates are not asked.
func (r *modelRun) checkPreview(client bool, o cancellation.Order, date time.Time, want error) error {
	if want != nil && r.model.gateClosed || r.failure != nil {
		return nil
	}
	p, err := r.Preview(r.t.Context(), r.actor(client), o)
	if err == nil && !p.Cancellation.At.Equal(date) {
		return fmt.Errorf("the preview's date is %s, not %s", date, p.Cancellation.At)
	}
	return checkAnswer("Preview", want, err)
}

func (r *modelRun) pick(n int) (cancellation.Cancellation, bool) {
	if len(r.orders) == 0 {
		return cancellation.Cancellation{}, false
	}
	return r.get(r.t, r.orders[n%len(r.orders)]), true
}

func (r *modelRun) tryReschedule(op modelOp) error {
	c, ok := r.pick(op.x / 2)
	if !ok {
		return nil
	}
	client := op.x%2 == 0
	w, want, s := r.when(op), r.model.wantChange(r.clientID(client), c), r.readServer(r.t, c.ServerID)
	if want == nil && (s.Assignment != c.Assignment || !s.Used()) {
		want = cancellation.ErrConflict
	}
	changes := want == nil
	if changes {
		date, err := r.model.wantWhen(client, s, w, false)
		same := w.EndOfPeriod == c.When.EndOfPeriod && w.FirstAllowed == c.When.FirstAllowed && w.Now == c.When.Now &&
			(w.Now || date.Equal(c.At))
		switch {
		case same && (w.EndOfPeriod || w.FirstAllowed || err == nil):
			changes = false
		case err != nil:
			want = err
		case r.model.gateClosed:
			want = cancellation.ErrForbidden
		}
	}
	_, err := r.Reschedule(r.t.Context(), r.actor(client), c.ID, w)
	if err == nil && changes {
		r.model.ordered(client, c.ID, true)
	}
	return checkAnswer("Reschedule", want, err)
}

func (r *modelRun) tryDiscard(op modelOp) error {
	c, ok := r.pick(op.x / 2)
	if !ok {
		return nil
	}
	want := r.model.wantChange(r.clientID(op.x%2 == 0), c)
	if want == nil && r.model.gateClosed {
		want = cancellation.ErrForbidden
	}
	_, err := r.Discard(r.t.Context(), r.actor(op.x%2 == 0), c.ID, "")
	return checkAnswer("Discard", want, err)
}

func (r *modelRun) saveRandomSettings(op modelOp) error {
	s := cancellation.Settings{
		Warn: op.x%4 > 0, DaysAhead: [][]int{{7}, {14, 3, 1}, {1}}[op.y%3], MinWarningDays: []int{0, 0, 2, 10}[op.z%4],
		ClientMayDiscard: op.x%2 == 0, ClientMayChooseDate: op.x%5 < 2,
		NoticeDays: []int{0, 0, 5, 40}[op.z%4], LockDays: []int{0, 0, 2, 35}[op.y%4],
	}
	var err error
	r.model.settings, err = r.SaveSettings(r.t.Context(), r.reseller, s)
	return err
}

func (r *modelRun) changeBilling(op modelOp) error {
	s := r.readServer(r.t, r.servers[op.x%2])
	if !s.Used() {
		return nil
	}
	b := monthly()
	b.Cycle = []dedicated.Cycle{{Unit: dedicated.Month, Count: 1}, {Unit: dedicated.Week, Count: 2}, {Unit: dedicated.Month, Count: 3}, {Unit: dedicated.Day, Count: 30}}[op.y%4]
	if op.z%3 == 0 {
		b.Anchor = r.model.now.Add(time.Duration(op.z%50) * 24 * time.Hour)
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

// tickAndCrash runs a Tick of another process, which stops at some call.
func (r *modelRun) tickAndCrash(op modelOp) error {
	stop := &interruption{call: op.x % 45, mode: crashModes[op.y%len(crashModes)]}
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

// deliverEvents delivers the events of the inventory to the Subscriber.
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

// reassignServer assigns a server to a client, maybe to the same as before.
func (r *modelRun) reassignServer(op modelOp) error {
	ctx, s := r.t.Context(), r.readServer(r.t, r.servers[op.x%2])
	if s.Used() {
		if _, err := r.fixture.servers.Release(ctx, r.reseller, s.ID, s.Assignment, uuid.Nil, ""); err != nil {
			return err
		}
	}
	if s.LockedBy != uuid.Nil {
		_, err := r.fixture.servers.Restock(ctx, r.reseller, s.ID)
		return checkAnswer("Restock of a locked server", dedicated.ErrConflict, err)
	}
	if _, err := r.fixture.servers.Restock(ctx, r.reseller, s.ID); err != nil {
		return err
	}
	client := r.client.ID
	if op.y%3 == 0 {
		client = uuid.New()
	}
	s, err := r.fixture.servers.Assign(ctx, r.reseller, s.ID, dedicated.NewAssignment{ClientID: client, Billing: monthly()})
	r.assigned[s.Assignment] = s.AssignedAt
	return err
}

func (r *modelRun) setHookFailure(op modelOp) error {
	r.failure = nil
	if op.x%2 == 0 {
		r.failure = errors.New("no answer")
	}
	return nil
}

// setCredit makes the biller answer another credit from now on: none, less than was paid, all of it or more, for the same period or
// another one.
func (r *modelRun) setCredit(op modelOp) error {
	cents := []int64{0, 1, 1354, 9999, 10000, 20000}[op.x%6]
	start := r.model.now
	r.credit = refund.Charge{Label: "credit", Paid: decimal.New(-cents, -2), Start: start, End: start.Add(time.Duration(op.y%2) * time.Hour)}
	return nil
}

func (r *modelRun) setGate(op modelOp) error {
	r.model.gateClosed = op.x%2 == 0
	return nil
}

func (r *modelRun) retryOrAbandon(op modelOp) error {
	c, ok := r.pick(op.x)
	if !ok {
		return nil
	}
	leased := c.LeaseUntil.After(r.model.now)
	if op.y%2 == 0 {
		_, err := r.Retry(r.t.Context(), r.reseller, c.ID)
		if c.State.Active() && (c.Attempts > 0 || c.State == cancellation.Executing) && !leased {
			if r.model.gateClosed {
				return checkAnswer("Retry", cancellation.ErrForbidden, err)
			}
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
