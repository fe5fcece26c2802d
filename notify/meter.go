package notify

import (
	"context"
	"time"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// Meter counts the results of deliveries. Each Dispatcher reports its own. Outbox.Depth counts the waiting and the dead
// deliveries of all Dispatchers together.
type Meter interface {
	// Settled reports the result of one attempt to deliver, after the result was stored. Either d.Delivered or d.Dead is
	// true, or the next attempt is at d.Due. d.Attempts counts the failed attempts. at is when the result was stored, in UTC:
	// at minus d.Event.At is the delay of the delivery. Settled is not called for an attempt that the end of the Tick's
	// context interrupted, or whose lease has ended.
	//
	// Many goroutines may call Settled at once. It should return soon. A panic is logged, and the delivery goes on.
	Settled(ctx context.Context, d Delivery, at time.Time)
}

// MeterFunc is a function that implements Meter.
type MeterFunc func(ctx context.Context, d Delivery, at time.Time)

// Settled calls f.
func (f MeterFunc) Settled(ctx context.Context, d Delivery, at time.Time) { f(ctx, d, at) }

// count reports a result to the Meter.
func (s *subscription) count(ctx context.Context, d Delivery, at time.Time) {
	err := fault.Guard("Config.Meter", func() error {
		s.Meter.Settled(ctx, d, at)
		return nil
	})
	if err != nil {
		s.log.ErrorContext(ctx, "a delivery was not counted", "event", d.Event.ID, "error", err)
	}
}
