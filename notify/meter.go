package notify

import (
	"context"
	"time"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// Meter counts what becomes of deliveries. What waits, how old the oldest of it is and what is dead are not counted here:
// Outbox.Depth tells, whatever process asks.
type Meter interface {
	// Settled hears of each delivery that a subscriber has handled, once that is written down: d is Delivered, or Dead, or
	// waits to be tried again at d.Due; d.Attempts says how often it has failed. at minus d.Event.At is how late it is. A
	// delivery that was given back, or whose lease was lost, has not been handled. It is called by several goroutines at once
	// and returns soon. A panic is logged.
	Settled(ctx context.Context, d Delivery, at time.Time)
}

// MeterFunc is a function as a Meter.
type MeterFunc func(ctx context.Context, d Delivery, at time.Time)

// Settled calls f.
func (f MeterFunc) Settled(ctx context.Context, d Delivery, at time.Time) { f(ctx, d, at) }

func (l *lane) count(ctx context.Context, d Delivery, at time.Time) {
	err := fault.Guard("Config.Meter", func() error {
		l.Meter.Settled(ctx, d, at)
		return nil
	})
	if err != nil {
		l.log.ErrorContext(ctx, "a delivery was not counted", "event", d.Event.ID, "error", err)
	}
}
