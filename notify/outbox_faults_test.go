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

// faultyOutbox calls its functions first, and fails if they fail. nil functions do not fail.
type faultyOutbox struct {
	notify.Outbox
	register, claim, list func() error
	settle                func(d []notify.Delivery) error
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

func (o faultyOutbox) Deliveries(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
	if o.list != nil {
		return nil, "", o.list()
	}
	return o.Outbox.Deliveries(ctx, q)
}

func TestErrorsOfTheOutbox(t *testing.T) {
	t.Parallel()
	failure := errors.New("connection refused")
	fails := func() error { return failure }
	for name, tt := range map[string]struct {
		outbox faultyOutbox
		says   string
	}{
		"claim":  {faultyOutbox{claim: fails}, `dispatching to subscriber "mail": claiming deliveries: Config.Outbox failed`},
		"settle": {faultyOutbox{settle: func([]notify.Delivery) error { return failure }}, `dispatching to subscriber "mail": storing results: Config.Outbox failed`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l log
			outbox := &notify.MemoryOutbox{}
			tt.outbox.Outbox = outbox
			d := newDispatcher(t, notify.Config{Outbox: tt.outbox}, l.subscriber("mail"))
			outbox.Append(event())
			_, err := d.Tick(t.Context())
			require.ErrorIs(t, err, failure)
			require.ErrorContains(t, err, tt.says)
		})
	}
	var l log
	_, err := notify.New(notify.Config{Outbox: faultyOutbox{register: fails}}, l.subscriber("mail"))
	require.ErrorIs(t, err, failure)
	require.ErrorContains(t, err, `registering subscriber "mail"`)
}

// TestOutboxThatPanics: a panic of the outbox is ErrHost, and the other subscribers get their events.
func TestOutboxThatPanics(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		failure func()
		says    string
	}{
		"panics": {func() { panic("nil pointer") }, `Config.Outbox panicked: nil pointer`},
		"exits":  {runtime.Goexit, `dispatching to subscriber "mail": a part of Config failed: it ended the goroutine`},
	} {
		for _, where := range []string{"claim", "settle"} {
			t.Run(where+" "+name, func(t *testing.T) {
				t.Parallel()
				outbox := &notify.MemoryOutbox{}
				faulty := partlyFailingOutbox{Outbox: outbox, where: where, failure: tt.failure}
				var mail, other log
				d := newDispatcher(t, notify.Config{Outbox: faulty}, mail.subscriber("mail"), other.subscriber("other"))
				e := event()
				outbox.Append(e)
				_, err := d.Tick(t.Context())
				require.ErrorContains(t, err, tt.says)
				assert.Equal(t, []uuid.UUID{e.ID}, other.ids())
			})
		}
	}
}

// partlyFailingOutbox fails in one method, for the subscriber "mail" only.
type partlyFailingOutbox struct {
	notify.Outbox
	where   string
	failure func()
}

func (o partlyFailingOutbox) ClaimDue(ctx context.Context, name string, now, until time.Time, limit int) (notify.Due, error) {
	if name == "mail" && o.where == "claim" {
		o.failure()
	}
	return o.Outbox.ClaimDue(ctx, name, now, until, limit)
}

func (o partlyFailingOutbox) Settle(ctx context.Context, d ...notify.Delivery) error {
	if d[0].Subscriber == "mail" && o.where == "settle" {
		o.failure()
	}
	return o.Outbox.Settle(ctx, d...)
}

// TestNoAttemptAfterAFailureToStore: an attempt whose result is not stored would be repeated.
func TestNoAttemptAfterAFailureToStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outbox := &notify.MemoryOutbox{}
		failure := errors.New("disk full")
		faulty := faultyOutbox{Outbox: outbox, settle: func([]notify.Delivery) error { return failure }}
		var l log
		mail := l.subscriber("mail")
		mail.Handle = func(_ context.Context, e notify.Event) error {
			time.Sleep(time.Second)
			l.add(e)
			return nil
		}
		d := newDispatcher(t, notify.Config{Outbox: faulty, Parallel: 2}, mail)
		outbox.Append(events(20)...)
		_, err := d.Tick(t.Context())
		require.ErrorIs(t, err, failure)
		assert.LessOrEqual(t, len(l.ids()), 4)
	})
}

// TestStaleResultInAGroup: a result whose lease has ended does not prevent the storing of the others.
func TestStaleResultInAGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outbox := &notify.MemoryOutbox{}
		claimedByOther := event()
		list := append(events(5), claimedByOther)
		first := true
		faulty := faultyOutbox{Outbox: outbox, settle: func([]notify.Delivery) error {
			if first { // only one result has arrived; the others arrive while it is stored
				first = false
				time.Sleep(2 * time.Second)
				item := deliveries(t, outbox, notify.DeliveryQuery{Event: claimedByOther.ID})[0]
				return outbox.Settle(t.Context(), item)
			}
			return nil
		}}
		immediate := list[0].ID
		var l log
		mail := l.subscriber("mail")
		mail.Handle = func(_ context.Context, e notify.Event) error {
			if e.ID != immediate {
				time.Sleep(time.Second)
			}
			l.add(e)
			return nil
		}
		d := newDispatcher(t, notify.Config{Outbox: faulty}, mail)
		outbox.Append(list...)
		tick(t, d)
		delivered := 0
		for _, item := range deliveries(t, outbox, notify.DeliveryQuery{}) {
			if item.Delivered {
				delivered++
			} else {
				assert.Equal(t, claimedByOther.ID, item.Event.ID)
			}
		}
		assert.Equal(t, 5, delivered)
	})
}

// narrowOutbox lists one delivery a page, and ignores DeliveryQuery.Event.
type narrowOutbox struct{ *notify.MemoryOutbox }

func (o narrowOutbox) Deliveries(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
	q.Event, q.Limit = uuid.Nil, 1
	return o.MemoryOutbox.Deliveries(ctx, q)
}

func TestResendPagesThroughTheOutbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outbox := narrowOutbox{&notify.MemoryOutbox{}}
		d := newDispatcher(t, notify.Config{Outbox: outbox}, notify.Subscriber{Name: "mail", Handle: func(context.Context, notify.Event) error {
			return notify.Permanent(errors.New("refused"))
		}})
		list := events(5)
		outbox.Append(list...)
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
