package notify

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
)

// Subscriber gets every event of its kinds at least once, a subject's events in order. Handle is called by several
// goroutines at once; it should end soon after its context does. Its error is tried again later, with growing waits, and
// Permanent says that this is of no use. A panic is an error.
type Subscriber struct {
	Name   string // tells its deliveries in the outbox: keep it over restarts
	Kinds  []Kind // nil: all; empty, but not nil: none
	Handle func(ctx context.Context, e Event) error
}

// Config is what a Dispatcher needs. Outbox is required.
type Config struct {
	Outbox Outbox
	Clock  clock.Clock  // only Now is used; nil: real time
	Logger *slog.Logger // of failures; nil: none are logged
	Meter  Meter        // counts what becomes of deliveries; nil: nobody does

	Parallel    int           // events that one subscriber handles at once; 0: 8
	Timeout     time.Duration // that one Handle may take, in real time; 0: 30 seconds
	Batch       int           // deliveries claimed at once for a subscriber; 0: 100
	MaxAttempts int           // failures that make a dead letter; 0: 20, which takes about a day
	RetryFirst  time.Duration // wait after the first failure, doubled at each; 0: 10 seconds
	RetryMax    time.Duration // longest wait; 0: 4 hours
}

// withDefaults fills in what is zero and refuses what makes no sense.
func (c Config) withDefaults() (Config, error) {
	if c.Outbox == nil {
		return c, fmt.Errorf("%w: Config.Outbox is nil", ErrInvalid)
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Parallel = orDefault(c.Parallel, 8)
	c.Timeout = orDefault(c.Timeout, 30*time.Second)
	c.Batch = orDefault(c.Batch, 100)
	c.MaxAttempts = orDefault(c.MaxAttempts, 20)
	c.RetryFirst = orDefault(c.RetryFirst, 10*time.Second)
	c.RetryMax = orDefault(c.RetryMax, 4*time.Hour)
	for name, n := range map[string]int64{
		"Parallel": int64(c.Parallel), "Timeout": int64(c.Timeout), "Batch": int64(c.Batch),
		"MaxAttempts": int64(c.MaxAttempts), "RetryFirst": int64(c.RetryFirst), "RetryMax": int64(c.RetryMax),
	} {
		if n < 0 {
			return c, fmt.Errorf("%w: Config.%s is negative", ErrInvalid, name)
		}
	}
	return c, nil
}

func orDefault[N int | time.Duration](n, ifZero N) N {
	if n == 0 {
		return ifZero
	}
	return n
}

// Dispatcher hands events from an outbox to subscribers. New makes one. All its methods may be called by many goroutines,
// and any number of Dispatchers, in any number of processes, may work on one outbox.
type Dispatcher struct {
	state *dispatcher
}

type dispatcher struct {
	Config
	lanes []*lane // one for each subscriber
}

// New makes a Dispatcher and registers its subscribers in the outbox at once: from now on events are kept for them. A
// missing Outbox, a negative number, and a subscriber without a name, without Handle or with the name of another are
// ErrInvalid. Where one subscriber is slow, or there are many, give each a Dispatcher of its own: Tick waits for all.
func New(config Config, subscribers ...Subscriber) (*Dispatcher, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("notify.New: %w", err)
	}
	d := &dispatcher{Config: config}
	names := map[string]bool{}
	for i, s := range subscribers {
		switch {
		case s.Name == "":
			return nil, fmt.Errorf("notify.New: %w: subscriber %d has no name", ErrInvalid, i+1)
		case names[s.Name]:
			return nil, fmt.Errorf("notify.New: %w: there are two subscribers %q", ErrInvalid, s.Name)
		case s.Handle == nil:
			return nil, fmt.Errorf("notify.New: %w: subscriber %q has no Handle", ErrInvalid, s.Name)
		}
		names[s.Name] = true
		d.lanes = append(d.lanes, newLane(config, s))
	}
	for _, s := range subscribers {
		if err := config.Outbox.Register(context.Background(), s.Name, s.Kinds); err != nil {
			return nil, fmt.Errorf("notify.New: registering subscriber %q: %w", s.Name, err)
		}
	}
	return &Dispatcher{d}, nil
}

// Resend makes a dead letter due now, as if it had never failed. ErrNotFound: there is no such delivery. ErrConflict: it
// is not dead, or not any more.
func (d *Dispatcher) Resend(ctx context.Context, subscriber string, event uuid.UUID) error {
	if d.state == nil {
		return errZeroDispatcher
	}
	letter, err := d.state.find(ctx, subscriber, event)
	switch {
	case err != nil:
		return fmt.Errorf("resend event %s to %q: %w", event, subscriber, err)
	case !letter.Dead:
		return fmt.Errorf("resend event %s to %q: %w: it is not a dead letter", event, subscriber, ErrConflict)
	}
	letter.Dead, letter.Attempts = false, 0
	letter.Due, letter.LeaseUntil = now(d.state.Clock), time.Time{}
	if err := d.state.Outbox.Settle(ctx, letter); err != nil {
		return fmt.Errorf("resend event %s to %q: %w", event, subscriber, err)
	}
	return nil
}

// find pages through what the outbox lists, which is one delivery, unless it was written before DeliveryQuery.Event.
func (d *dispatcher) find(ctx context.Context, subscriber string, event uuid.UUID) (Delivery, error) {
	q := DeliveryQuery{Subscriber: subscriber, Event: event}
	for {
		items, next, err := d.Outbox.Deliveries(ctx, q)
		if err != nil {
			return Delivery{}, err
		}
		for _, item := range items {
			if item.Event.ID == event && item.Subscriber == subscriber {
				return item, nil
			}
		}
		if next == "" {
			return Delivery{}, ErrNotFound
		}
		q.After = next
	}
}
