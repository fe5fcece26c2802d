package notify_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// faultyOutbox fails where its functions say so.
type faultyOutbox struct {
	notify.Outbox
	register, claim func() error
	settle          func(d []notify.Delivery) error
}

func (o faultyOutbox) Register(ctx context.Context, name string, kinds []notify.Kind) error {
	if o.register != nil {
		return o.register()
	}
	return o.Outbox.Register(ctx, name, kinds)
}

func (o faultyOutbox) ClaimDue(ctx context.Context, name string, now, until time.Time, limit int) (notify.Due, error) {
	if o.claim != nil {
		if err := o.claim(); err != nil {
			return notify.Due{}, err
		}
	}
	return o.Outbox.ClaimDue(ctx, name, now, until, limit)
}

func (o faultyOutbox) Settle(ctx context.Context, d ...notify.Delivery) error {
	if o.settle != nil {
		if err := o.settle(d); err != nil {
			return err
		}
	}
	return o.Outbox.Settle(ctx, d...)
}

func TestErrorsOfTheOutbox(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	fails := func() error { return down }
	for name, tt := range map[string]struct {
		outbox faultyOutbox
		says   string
	}{
		"claim":  {faultyOutbox{claim: fails}, `claiming for subscriber "mail"`},
		"settle": {faultyOutbox{settle: func([]notify.Delivery) error { return down }}, `settling for subscriber "mail"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l log
			box := &notify.MemoryOutbox{}
			tt.outbox.Outbox = box
			d := newDispatcher(t, notify.Config{Outbox: tt.outbox}, l.subscriber("mail"))
			box.Append(event())
			_, err := d.Tick(t.Context())
			require.ErrorIs(t, err, down)
			require.ErrorContains(t, err, tt.says)
		})
	}
	var l log
	_, err := notify.New(notify.Config{Outbox: faultyOutbox{register: fails}}, l.subscriber("mail"))
	require.ErrorIs(t, err, down)
	require.ErrorContains(t, err, `registering subscriber "mail"`)
}

// TestOutboxThatPanics: a panic of the host's outbox is an error of the Tick, not the end of the program, and other
// subscribers get what is theirs.
func TestOutboxThatPanics(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		trouble func()
		says    string
	}{
		"panics": {func() { panic("nil pointer") }, `dispatching to subscriber "mail" panicked: nil pointer`},
		"exits":  {runtime.Goexit, `dispatching to subscriber "mail": something ended the goroutine`},
	} {
		for _, where := range []string{"claim", "settle"} {
			t.Run(where+" "+name, func(t *testing.T) {
				t.Parallel()
				box := &notify.MemoryOutbox{}
				faulty := troubledOutbox{Outbox: box, where: where, trouble: tt.trouble}
				var mail, other log
				d := newDispatcher(t, notify.Config{Outbox: faulty}, mail.subscriber("mail"), other.subscriber("other"))
				e := event()
				box.Append(e)
				_, err := d.Tick(t.Context())
				require.ErrorContains(t, err, tt.says)
				assert.Equal(t, []uuid.UUID{e.ID}, other.ids())
			})
		}
	}
}

// troubledOutbox does not return to the subscriber "mail".
type troubledOutbox struct {
	notify.Outbox
	where   string
	trouble func()
}

func (o troubledOutbox) ClaimDue(ctx context.Context, name string, now, until time.Time, limit int) (notify.Due, error) {
	if name == "mail" && o.where == "claim" {
		o.trouble()
	}
	return o.Outbox.ClaimDue(ctx, name, now, until, limit)
}

func (o troubledOutbox) Settle(ctx context.Context, d ...notify.Delivery) error {
	if d[0].Subscriber == "mail" && o.where == "settle" {
		o.trouble()
	}
	return o.Outbox.Settle(ctx, d...)
}

// TestNothingMoreIsBegunWhenResultsAreLost: what is handled and not written down is handled again.
func TestNothingMoreIsBegunWhenResultsAreLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &notify.MemoryOutbox{}
		down := errors.New("disk full")
		faulty := faultyOutbox{Outbox: box, settle: func([]notify.Delivery) error { return down }}
		var l log
		mail := l.subscriber("mail")
		mail.Handle = func(_ context.Context, e notify.Event) error {
			time.Sleep(time.Second)
			l.add(e)
			return nil
		}
		d := newDispatcher(t, notify.Config{Outbox: faulty, Parallel: 2}, mail)
		box.Append(events(20)...)
		_, err := d.Tick(t.Context())
		require.ErrorIs(t, err, down)
		assert.LessOrEqual(t, len(l.ids()), 4)
	})
}

// TestLostLeaseCostsItsGroupNothing: a result whose delivery somebody else has by now keeps no other from being written.
func TestLostLeaseCostsItsGroupNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &notify.MemoryOutbox{}
		stolen := event()
		list := append(events(5), stolen)
		first := true
		faulty := faultyOutbox{Outbox: box, settle: func([]notify.Delivery) error {
			if first { // one result alone was there; the others come while it is written
				first = false
				time.Sleep(2 * time.Second)
				item := deliveries(t, box, notify.DeliveryQuery{Event: stolen.ID})[0]
				return box.Settle(t.Context(), item)
			}
			return nil
		}}
		quick := list[0].ID
		var l log
		mail := l.subscriber("mail")
		mail.Handle = func(_ context.Context, e notify.Event) error {
			if e.ID != quick {
				time.Sleep(time.Second)
			}
			l.add(e)
			return nil
		}
		d := newDispatcher(t, notify.Config{Outbox: faulty}, mail)
		box.Append(list...)
		tick(t, d)
		delivered := 0
		for _, item := range deliveries(t, box, notify.DeliveryQuery{}) {
			if item.Delivered {
				delivered++
			} else {
				assert.Equal(t, stolen.ID, item.Event.ID)
			}
		}
		assert.Equal(t, 5, delivered)
	})
}

// narrowOutbox lists one delivery at a time, and does not know DeliveryQuery.Event.
type narrowOutbox struct{ *notify.MemoryOutbox }

func (o narrowOutbox) Deliveries(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
	q.Event, q.Limit = uuid.Nil, 1
	return o.MemoryOutbox.Deliveries(ctx, q)
}

func TestResendPagesThroughTheOutbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := narrowOutbox{&notify.MemoryOutbox{}}
		d := newDispatcher(t, notify.Config{Outbox: box}, notify.Subscriber{Name: "mail", Handle: func(context.Context, notify.Event) error {
			return notify.Permanent(errors.New("refused"))
		}})
		list := events(5)
		box.Append(list...)
		tick(t, d)
		for _, e := range list {
			require.NoError(t, d.Resend(t.Context(), "mail", e.ID))
		}
		require.ErrorIs(t, d.Resend(t.Context(), "mail", uuid.New()), notify.ErrNotFound)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, d.Resend(ended, "mail", list[0].ID), context.Canceled)
	})
}
