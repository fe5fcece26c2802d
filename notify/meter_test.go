package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// counts is a Meter.
type counts struct {
	mu                       sync.Mutex
	delivered, retried, dead int
	maxDelay                 time.Duration
}

func (c *counts) Settled(_ context.Context, d notify.Delivery, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case d.Delivered:
		c.delivered++
		c.maxDelay = max(c.maxDelay, at.Sub(d.Event.At))
	case d.Dead:
		c.dead++
	default:
		c.retried++
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good, bad := event(), event()
		var c counts
		outbox := &notify.MemoryOutbox{}
		tries := 0
		d := newDispatcher(t, notify.Config{Outbox: outbox, Meter: &c, MaxAttempts: 4, Parallel: 1}, notify.Subscriber{
			Name: "mail", Handle: func(_ context.Context, e notify.Event) error {
				if tries++; e.ID == bad.ID || tries < 3 {
					return errors.New("down")
				}
				return nil
			},
		})
		outbox.Append(good, bad)
		drain(t, d)
		assert.Equal(t, []int{1, 1}, []int{c.delivered, c.dead})
		assert.GreaterOrEqual(t, c.retried, 4)
		assert.LessOrEqual(t, c.retried, 5)
		assert.GreaterOrEqual(t, c.maxDelay, 5*time.Second)
	})
}

// TestMeterCountsStoredResults: it counts neither attempts that did not start nor results that were not stored.
func TestMeterCountsStoredResults(t *testing.T) {
	t.Parallel()
	var c counts
	outbox := &notify.MemoryOutbox{}
	ctx, cancel := context.WithCancel(t.Context())
	d := newDispatcher(t, notify.Config{Outbox: outbox, Meter: &c, Parallel: 1}, notify.Subscriber{
		Name: "mail", Handle: func(context.Context, notify.Event) error {
			cancel()
			return nil
		},
	})
	outbox.Append(events(10)...)
	_, err := d.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []int{1, 0, 0}, []int{c.delivered, c.retried, c.dead})

	failure := errors.New("disk full")
	faulty := faultyOutbox{Outbox: outbox, settle: func([]notify.Delivery) error { return failure }}
	var l log
	_, err = newDispatcher(t, notify.Config{Outbox: faulty, Meter: &c}, l.subscriber("mail")).Tick(t.Context())
	require.ErrorIs(t, err, failure)
	assert.Equal(t, 1, c.delivered)
}

func TestMeterThatPanics(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	var l log
	outbox := &notify.MemoryOutbox{}
	d := newDispatcher(t, notify.Config{
		Outbox: outbox, Parallel: 1, Logger: slog.New(slog.NewTextHandler(&out, nil)),
		Meter: notify.MeterFunc(func(context.Context, notify.Delivery, time.Time) { panic("no such counter") }),
	}, l.subscriber("mail"))
	outbox.Append(events(3)...)
	tick(t, d)
	assert.Len(t, l.ids(), 3)
	waiting, _, _, err := outbox.Depth(t.Context())
	require.NoError(t, err)
	assert.Zero(t, waiting)
	assert.Equal(t, 3, strings.Count(out.String(), "a delivery was not counted"))
}
