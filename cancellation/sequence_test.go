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
type move struct {
	what    string
	x, y, z int
}

func (m move) String() string { return fmt.Sprintf("%s(%d, %d, %d)", m.what, m.x, m.y, m.z) }

// play is a run of moves on a fixture, with the model beside it.
type play struct {
	*fixture
	t        testing.TB
	model    *model
	servers  []uuid.UUID
	orders   []uuid.UUID // every cancellation there was
	released *notify.MemoryOutbox
	failing  error                   // what hooks and the biller return
	assigned map[uuid.UUID]time.Time // when each assignment began
}

// moves are all operations.
func moves() map[string]func(*play, move) error {
	return map[string]func(*play, move) error{
		"wait":       (*play).wait,
		"order":      (*play).order,
		"reorder":    (*play).reorder,
		"discard":    (*play).discard,
		"set":        (*play).set,
		"rebill":     (*play).rebill,
		"work":       (*play).work,
		"crash":      (*play).crash,
		"listen":     (*play).listen,
		"give_away":  (*play).giveAway,
		"break":      (*play).breakHooks,
		"close_gate": (*play).closeGate,
		"operate":    (*play).operate,
	}
}

// choices are the moves as often as they are to be chosen.
func choices() []string {
	return strings.Fields("wait wait wait wait order order order order reorder reorder discard set set rebill work work work crash crash " +
		"listen give_away break break close_gate operate operate operate")
}

func newPlay(t testing.TB) *play {
	p := &play{t: t, released: &notify.MemoryOutbox{}, assigned: map[uuid.UUID]time.Time{}}
	p.fixture = setup(t, func(c *cancellation.Config) {
		c.Biller = playBiller{p}
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, cancellation.Cancellation) error {
			if p.model.closed {
				return dedicated.Refuse("the gate is closed")
			}
			return nil
		})
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error { return p.failing })
	})
	var err error
	p.fixture.servers, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{Outbox: p.released}, Clock: p.clock})
	require.NoError(t, err)
	p.config.Servers = p.fixture.servers
	p.Manager, err = cancellation.New(p.config)
	require.NoError(t, err)
	require.NoError(t, p.released.Register(t.Context(), "cancellation", p.Subscriber().Kinds))
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	p.model = &model{berlin: berlin, now: p.clock.Now(), last: map[uuid.UUID]cancellation.State{}}
	for range 2 {
		s := p.server(t)
		p.servers = append(p.servers, s.ID)
		p.assigned[s.Assignment] = s.AssignedAt
	}
	return p
}

// playBiller was paid 100.00 for 90 days from each assignment on.
type playBiller struct{ p *play }

func (b playBiller) Paid(_ context.Context, s dedicated.Server, _ dedicated.Period) ([]refund.Charge, error) {
	end := s.AssignedAt.Add(90 * 24 * time.Hour)
	return []refund.Charge{{Label: "90 days", Paid: decimal.New(10000, -2), Start: s.AssignedAt, End: end}}, b.p.failing
}

func (b playBiller) Refund(ctx context.Context, r cancellation.Refund) error {
	if b.p.failing != nil {
		return b.p.failing
	}
	return b.p.biller.Refund(ctx, r)
}

// answered compares an answer with what the model says.
func answered(what string, want, got error) error {
	if want == nil && got != nil || want != nil && !errors.Is(got, want) {
		return fmt.Errorf("%s answered %v, want %v", what, got, want)
	}
	return nil
}

func (p *play) wait(m move) error {
	units := []time.Duration{time.Microsecond, time.Minute, time.Hour, 24 * time.Hour, 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour}
	p.model.now = p.clock.Now().Add(units[m.x%len(units)] * time.Duration(1+m.y%7))
	p.clock.Set(p.model.now)
	return nil
}

// when is a date up to 20 days from now, sometimes past, or the end of the period.
func (p *play) when(client bool, m move) cancellation.When {
	if client || m.y%3 == 0 {
		return endOfPeriod()
	}
	return cancellation.When{At: p.model.now.Add(time.Duration(m.z%500-20) * time.Hour)}
}

func (p *play) actor(client bool) dedicated.Actor {
	if client {
		return p.client
	}
	return p.reseller
}

func (p *play) clientID(client bool) uuid.UUID {
	if client {
		return p.client.ID
	}
	return uuid.Nil
}

func (p *play) order(m move) error {
	client, s := m.x%2 == 0, p.serverNow(p.t, p.servers[m.x/2%2])
	w := p.when(client, m)
	active, err := p.store.Active(p.t.Context(), []uuid.UUID{s.ID})
	if err != nil {
		return err
	}
	taken := false
	for _, c := range active {
		taken = taken || c.Assignment == s.Assignment
	}
	var end time.Time
	if s.Used() {
		if end, err = p.endOf(s, p.model.now); err != nil {
			return err
		}
	}
	want := p.model.order(client, s, taken, w, end)
	if client && s.ClientID != p.client.ID {
		want = cancellation.ErrNotFound
	}
	c, err := p.Schedule(p.t.Context(), p.actor(client), cancellation.Order{ServerID: s.ID, When: w})
	if err == nil {
		p.orders = append(p.orders, c.ID)
		if w.EndOfPeriod && !c.At.Equal(end) {
			return fmt.Errorf("the end of the period is %s, not %s", end, c.At)
		}
	}
	return answered("Schedule", want, err)
}

// endOf finds the end of a period by walking through all of them.
func (p *play) endOf(s dedicated.Server, asked time.Time) (time.Time, error) {
	for n := 0; ; n++ {
		period, err := s.Billing.Period(n)
		if err != nil || period.End.After(asked) {
			return period.End, err
		}
	}
}

func (p *play) any(n int) (cancellation.Cancellation, bool) {
	if len(p.orders) == 0 {
		return cancellation.Cancellation{}, false
	}
	return p.get(p.t, p.orders[n%len(p.orders)]), true
}

func (p *play) reorder(m move) error {
	c, ok := p.any(m.x / 2)
	if !ok {
		return nil
	}
	client := m.x%2 == 0
	w, want, s := p.when(client, m), p.model.change(p.clientID(client), c), p.serverNow(p.t, c.ServerID)
	if want == nil && (s.Assignment != c.Assignment || !s.Used()) {
		want = cancellation.ErrConflict
	}
	if want == nil {
		end, err := p.endOf(s, p.model.now)
		if err != nil {
			return err
		}
		same := w.EndOfPeriod == c.When.EndOfPeriod && w.At.Equal(c.When.At) && (!w.EndOfPeriod || end.Equal(c.At))
		if !same || !w.EndOfPeriod && w.At.Before(p.model.now) {
			want = p.model.choice(client, w, end)
		}
	}
	_, err := p.Reschedule(p.t.Context(), p.actor(client), c.ID, w)
	return answered("Reschedule", want, err)
}

func (p *play) discard(m move) error {
	c, ok := p.any(m.x / 2)
	if !ok {
		return nil
	}
	_, err := p.Discard(p.t.Context(), p.actor(m.x%2 == 0), c.ID, "")
	return answered("Discard", p.model.change(p.clientID(m.x%2 == 0), c), err)
}

func (p *play) set(m move) error {
	s := cancellation.Settings{
		Warn: m.x%4 > 0, DaysAhead: [][]int{{7}, {14, 3, 1}, {1}}[m.y%3], MinWarningDays: []int{0, 0, 2, 10}[m.z%4],
		ClientMayDiscard: m.x%2 == 0, NoticeDays: []int{0, 0, 5}[m.z%3], LockDays: []int{0, 0, 2}[m.y%3],
	}
	var err error
	p.model.settings, err = p.SaveSettings(p.t.Context(), p.reseller, s)
	return err
}

func (p *play) rebill(m move) error {
	s := p.serverNow(p.t, p.servers[m.x%2])
	if !s.Used() {
		return nil
	}
	b := monthly()
	b.Cycle = []dedicated.Cycle{{Unit: dedicated.Month, Count: 1}, {Unit: dedicated.Week, Count: 2}, {Unit: dedicated.Month, Count: 3}, {Unit: dedicated.Day, Count: 30}}[m.y%4]
	if m.z%3 == 0 {
		b.Anchor = p.model.now.Add(time.Duration(m.z%50) * 24 * time.Hour)
	}
	_, err := p.fixture.servers.ChangeBilling(p.t.Context(), p.reseller, s.ID, b)
	return err
}

func (p *play) work(move) error {
	_, err := p.Tick(p.t.Context())
	if p.failing != nil && errors.Is(err, p.failing) {
		return nil
	}
	return err
}

// crash is a Tick of another process, which dies at some call.
func (p *play) crash(m move) error {
	f := &fuse{at: m.x % 45, mode: crashModes[m.y%len(crashModes)]}
	other, err := cancellation.New(fused(p.config, f))
	if err != nil {
		return err
	}
	defer func() {
		if v := recover(); v != nil && v != errCrash { //nolint:errorlint // the panic's value itself
			panic(v)
		}
	}()
	if _, err = other.Tick(p.t.Context()); f.blown || p.failing != nil && errors.Is(err, p.failing) {
		return nil
	}
	return err
}

// listen fixedClock over what the inventory has told.
func (p *play) listen(move) error {
	for {
		due, err := p.released.ClaimDue(p.t.Context(), "cancellation", p.model.now, p.model.now.Add(time.Hour), 100)
		if err != nil || len(due.Deliveries) == 0 {
			return err
		}
		for _, d := range due.Deliveries {
			if err := p.Subscriber().Handle(p.t.Context(), d.Event); err != nil {
				return err
			}
			d.Delivered = true
			if err := p.released.Settle(p.t.Context(), d); err != nil {
				return err
			}
		}
	}
}

// giveAway gives a server to somebody, who may be its client again.
func (p *play) giveAway(m move) error {
	ctx, s := p.t.Context(), p.serverNow(p.t, p.servers[m.x%2])
	if s.Used() {
		if _, err := p.fixture.servers.Release(ctx, p.reseller, s.ID, s.Assignment, uuid.Nil, ""); err != nil {
			return err
		}
	}
	if s.LockedBy != uuid.Nil {
		_, err := p.fixture.servers.Restock(ctx, p.reseller, s.ID)
		return answered("Restock of a busy server", dedicated.ErrConflict, err)
	}
	if _, err := p.fixture.servers.Restock(ctx, p.reseller, s.ID); err != nil {
		return err
	}
	client := p.client.ID
	if m.y%3 == 0 {
		client = uuid.New()
	}
	s, err := p.fixture.servers.Assign(ctx, p.reseller, s.ID, dedicated.NewAssignment{ClientID: client, Billing: monthly()})
	p.assigned[s.Assignment] = s.AssignedAt
	return err
}

func (p *play) breakHooks(m move) error {
	p.failing = nil
	if m.x%2 == 0 {
		p.failing = errors.New("no answer")
	}
	return nil
}

func (p *play) closeGate(m move) error {
	p.model.closed = m.x%2 == 0
	return nil
}

func (p *play) operate(m move) error {
	c, ok := p.any(m.x)
	if !ok {
		return nil
	}
	leased := c.LeaseUntil.After(p.model.now)
	if m.y%2 == 0 {
		_, err := p.Retry(p.t.Context(), p.reseller, c.ID)
		if c.State.Active() && (c.Attempts > 0 || c.State == cancellation.Executing) && !leased {
			return err
		}
		return answered("Retry", cancellation.ErrConflict, err)
	}
	_, err := p.Abandon(p.t.Context(), p.reseller, c.ID, "")
	if c.State == cancellation.Executing && !leased {
		return err
	}
	return answered("Abandon", cancellation.ErrConflict, err)
}
