package notify

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
)

// The parts that the host supplies, as errors name them.
const (
	partOutbox = "Config.Outbox"
	partClock  = "Config.Clock"
	partLogger = "Config.Logger"
)

// Subscriber receives each event of its kinds at least once, and the events of one subject in order.
type Subscriber struct {
	Name  string // identifies the subscriber's deliveries in the outbox: it must stay the same when the program restarts
	Kinds []Kind // nil: all kinds; empty but not nil: none
	// Handle handles one event. Many goroutines call it at once. It should return soon after its context ends. After an
	// error or a panic the event is tried again later, after a delay that grows. An error that is marked with Permanent
	// makes a dead letter at once.
	Handle func(ctx context.Context, e Event) error
}

// Config configures a Dispatcher. Outbox is required.
type Config struct {
	Outbox Outbox
	Clock  clock.Clock  // only Now is called; nil: real time
	Logger *slog.Logger // for failures; nil: nothing is logged
	Meter  Meter        // counts the results of deliveries; nil: nothing is counted

	Parallel    int           // the number of events that one subscriber handles at the same time; 0: 8
	Timeout     time.Duration // the longest time for one call of Handle, in real time; 0: 30 seconds
	Batch       int           // the largest number of deliveries in one claim; 0: 100
	MaxAttempts int           // the number of failed attempts that make a dead letter; 0: 20, which takes about a day
	RetryFirst  time.Duration // the delay after the first failure; each later failure doubles it; 0: 10 seconds
	RetryMax    time.Duration // the longest delay; 0: 4 hours
}

// withDefaults replaces zero values by the defaults. A missing Outbox and a negative number are ErrInvalid.
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

// Dispatcher delivers events from an outbox to subscribers. New makes one. Many goroutines may call its methods at once. Any
// number of Dispatchers, in any number of processes, may share one outbox.
type Dispatcher struct {
	state *dispatcher
}

type dispatcher struct {
	Config
	subscriptions []*subscription
}

// New makes a Dispatcher and registers its subscribers in the outbox. From then on the outbox keeps events for them.
//
// A missing Outbox and a negative number in config are ErrInvalid. So are a subscriber without a name, without a Handle, or
// with the same name as another, and an ErrInvalid of the outbox. Any other error of the outbox is ErrHost. Repeat New after
// an error: it registers the same subscribers again.
//
// Tick waits for all subscribers. If one of them is slow, or if there are many, give each a Dispatcher of its own.
func New(config Config, subscribers ...Subscriber) (*Dispatcher, error) {
	d, err := newDispatcher(config, subscribers)
	if err != nil {
		return nil, fmt.Errorf("notify.New: %w", err)
	}
	return &Dispatcher{d}, nil
}

func newDispatcher(config Config, subscribers []Subscriber) (*dispatcher, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := checkSubscribers(subscribers); err != nil {
		return nil, err
	}
	ctx, d := context.Background(), &dispatcher{Config: config}
	for _, s := range subscribers {
		err := callHost(ctx, partLogger, func() error {
			d.subscriptions = append(d.subscriptions, newSubscription(config, s))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, s := range subscribers {
		err := writeHost(ctx, partOutbox, func() error { return config.Outbox.Register(ctx, s.Name, s.Kinds) }, ErrInvalid)
		if err != nil {
			return nil, fmt.Errorf("registering subscriber %q: %w", s.Name, err)
		}
	}
	return d, nil
}

func checkSubscribers(subscribers []Subscriber) error {
	names := map[string]bool{}
	for i, s := range subscribers {
		switch {
		case s.Name == "":
			return fmt.Errorf("%w: subscriber %d has no name", ErrInvalid, i+1)
		case names[s.Name]:
			return fmt.Errorf("%w: there are two subscribers %q", ErrInvalid, s.Name)
		case s.Handle == nil:
			return fmt.Errorf("%w: subscriber %q has no Handle", ErrInvalid, s.Name)
		}
		names[s.Name] = true
	}
	return nil
}

// Resend makes a dead letter due now, with no failed attempts. If there is no such delivery, the error is ErrNotFound. If the
// delivery is not a dead letter, or changes during the call, it is ErrConflict. If the outbox or the clock fails, it is
// ErrHost. Then repeat Resend: ErrConflict tells that the first call has succeeded.
func (d *Dispatcher) Resend(ctx context.Context, subscriber string, event uuid.UUID) error {
	if d.state == nil {
		return errNotMadeByNew
	}
	if err := d.state.resend(ctx, subscriber, event); err != nil {
		return fmt.Errorf("resend event %s to %q: %w", event, subscriber, err)
	}
	return nil
}

func (d *dispatcher) resend(ctx context.Context, subscriber string, event uuid.UUID) error {
	letter, err := d.find(ctx, subscriber, event)
	switch {
	case err != nil:
		return err
	case !letter.Dead:
		return fmt.Errorf("%w: it is not a dead letter", ErrConflict)
	}
	letter.Dead, letter.Attempts, letter.LeaseUntil = false, 0, time.Time{}
	err = callHost(ctx, partClock, func() error {
		letter.Due = now(d.Clock)
		return nil
	})
	if err != nil {
		return err
	}
	return writeHost(ctx, partOutbox, func() error { return d.Outbox.Settle(ctx, letter) }, ErrNotFound, ErrConflict)
}

// find returns a delivery. It reads further pages for outboxes that ignore DeliveryQuery.Event.
func (d *dispatcher) find(ctx context.Context, subscriber string, event uuid.UUID) (Delivery, error) {
	q := DeliveryQuery{Subscriber: subscriber, Event: event}
	for {
		var items []Delivery
		var next string
		err := callHost(ctx, partOutbox, func() (err error) {
			items, next, err = d.Outbox.Deliveries(ctx, q)
			return err
		})
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
