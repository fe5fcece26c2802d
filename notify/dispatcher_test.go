package notify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// event makes an event about a new subject, due now.
func event() notify.Event {
	return notify.Event{
		ID: uuid.New(), Kind: "test.happened", At: time.Now().UTC().Truncate(time.Microsecond), ResellerID: uuid.New(),
		SubjectID: uuid.New(), Data: []byte(`{}`),
	}
}

func events(n int) []notify.Event {
	var list []notify.Event
	for range n {
		list = append(list, event())
	}
	return list
}

// log records the events that a subscriber has handled.
type log struct {
	mu      sync.Mutex
	handled []uuid.UUID
}

func (l *log) add(e notify.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled = append(l.handled, e.ID)
}

func (l *log) ids() []uuid.UUID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]uuid.UUID(nil), l.handled...)
}

func (l *log) subscriber(name string) notify.Subscriber {
	return notify.Subscriber{Name: name, Handle: func(_ context.Context, e notify.Event) error {
		l.add(e)
		return nil
	}}
}

func ids(list []notify.Event) []uuid.UUID {
	var found []uuid.UUID
	for _, e := range list {
		found = append(found, e.ID)
	}
	return found
}

func newDispatcher(t *testing.T, c notify.Config, s ...notify.Subscriber) *notify.Dispatcher {
	t.Helper()
	d, err := notify.New(c, s...)
	require.NoError(t, err)
	return d
}

func tick(t *testing.T, d *notify.Dispatcher) time.Time {
	t.Helper()
	next, err := d.Tick(t.Context())
	require.NoError(t, err)
	return next
}

// drain calls Tick until no delivery is waiting. It sleeps until each is due.
func drain(t *testing.T, d *notify.Dispatcher) {
	t.Helper()
	for range 1000 {
		next := tick(t, d)
		if next.IsZero() {
			return
		}
		time.Sleep(time.Until(next))
	}
	t.Fatal("the deliveries do not end")
}

func deliveries(t *testing.T, o notify.Outbox, q notify.DeliveryQuery) []notify.Delivery {
	t.Helper()
	items, next, err := o.Deliveries(t.Context(), q)
	require.NoError(t, err)
	require.Empty(t, next)
	return items
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	var l log
	good, outbox := l.subscriber("mail"), &notify.MemoryOutbox{}
	for name, tt := range map[string]struct {
		config      notify.Config
		subscribers []notify.Subscriber
		says        string
	}{
		"no outbox":         {notify.Config{}, []notify.Subscriber{good}, "Config.Outbox is nil"},
		"negative parallel": {notify.Config{Outbox: outbox, Parallel: -1}, []notify.Subscriber{good}, "Config.Parallel is negative"},
		"negative timeout":  {notify.Config{Outbox: outbox, Timeout: -1}, []notify.Subscriber{good}, "Config.Timeout is negative"},
		"no name":           {notify.Config{Outbox: outbox}, []notify.Subscriber{good, l.subscriber("")}, "subscriber 2 has no name"},
		"two of a name":     {notify.Config{Outbox: outbox}, []notify.Subscriber{good, good}, `two subscribers "mail"`},
		"no handle":         {notify.Config{Outbox: outbox}, []notify.Subscriber{{Name: "mail"}}, `"mail" has no Handle`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := notify.New(tt.config, tt.subscribers...)
			require.ErrorIs(t, err, notify.ErrInvalid)
			assert.ErrorContains(t, err, tt.says)
		})
	}
	_, err := new(notify.Dispatcher).Tick(t.Context())
	require.ErrorIs(t, err, notify.ErrInvalid, "New did not make it")
	require.ErrorIs(t, new(notify.Dispatcher).Resend(t.Context(), "mail", uuid.New()), notify.ErrInvalid)
}

func TestNewRegisters(t *testing.T) {
	t.Parallel()
	var all, some, none log
	outbox := &notify.MemoryOutbox{}
	outbox.Append(event())
	limited, empty := some.subscriber("some"), none.subscriber("none")
	limited.Kinds, empty.Kinds = []notify.Kind{"test.other"}, []notify.Kind{}
	d := newDispatcher(t, notify.Config{Outbox: outbox}, all.subscriber("all"), limited, empty)
	first, second := event(), event()
	second.Kind = "test.other"
	outbox.Append(first, second)
	assert.True(t, tick(t, d).IsZero())
	assert.ElementsMatch(t, ids([]notify.Event{first, second}), all.ids())
	assert.Equal(t, []uuid.UUID{second.ID}, some.ids())
	assert.Empty(t, none.ids())
}

func TestEachEventOnceAfterFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l log
		var mu sync.Mutex
		tries := map[uuid.UUID]int{}
		flaky := l.subscriber("mail")
		flaky.Handle = func(_ context.Context, e notify.Event) error {
			mu.Lock()
			defer mu.Unlock()
			if tries[e.ID]++; tries[e.ID] <= 5 {
				return fmt.Errorf("try %d", tries[e.ID])
			}
			l.add(e)
			return nil
		}
		outbox := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: outbox}, flaky)
		list := events(50)
		outbox.Append(list...)
		start := time.Now()
		drain(t, d)
		assert.ElementsMatch(t, ids(list), l.ids())
		assert.GreaterOrEqual(t, time.Since(start), 155*time.Second, "at least half of 10+20+40+80+160 seconds")
		assert.LessOrEqual(t, time.Since(start), 310*time.Second)
		for _, item := range deliveries(t, outbox, notify.DeliveryQuery{}) {
			assert.True(t, item.Delivered)
			assert.Empty(t, item.LastError)
			assert.Equal(t, 5, item.Attempts)
			assert.Equal(t, 6, tries[item.Event.ID])
		}
	})
}

func TestTickReturnsWhenTheNextIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outbox := &notify.MemoryOutbox{}
		failing := notify.Subscriber{Name: "mail", Handle: func(context.Context, notify.Event) error { return errors.New("refused") }}
		var l log
		d := newDispatcher(t, notify.Config{Outbox: outbox}, failing, l.subscriber("log"))
		require.True(t, tick(t, d).IsZero())
		later := event()
		later.At = later.At.Add(time.Hour)
		outbox.Append(later)
		assert.Equal(t, later.At, tick(t, d))
		outbox.Append(event())
		next := tick(t, d)
		item := deliveries(t, outbox, notify.DeliveryQuery{Subscriber: "mail"})[0]
		assert.Equal(t, item.Due, next)
		assert.Equal(t, next, tick(t, d), "a second tick at the same instant does nothing")
		assert.Equal(t, 1, deliveries(t, outbox, notify.DeliveryQuery{Subscriber: "mail"})[0].Attempts)
	})
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	noUser := errors.New("550 no such user")
	for name, tt := range map[string]struct {
		err      error
		attempts int
		says     string
	}{
		"permanent":         {notify.Permanent(noUser), 1, "550 no such user"},
		"wrapped permanent": {fmt.Errorf("smtp: %w", notify.Permanent(noUser)), 1, "smtp: 550 no such user"},
		"too many failures": {noUser, 3, "550 no such user"},
		"hostile text": {
			notify.Permanent(errors.New("a\x00\r\n\xff" + strings.Repeat("ß", 1000))), 1, "a    " + strings.Repeat("ß", 497),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				outbox := &notify.MemoryOutbox{}
				d := newDispatcher(t, notify.Config{Outbox: outbox, MaxAttempts: 3},
					notify.Subscriber{Name: "mail", Handle: func(context.Context, notify.Event) error { return tt.err }})
				outbox.Append(event())
				drain(t, d)
				dead := deliveries(t, outbox, notify.DeliveryQuery{Dead: true})
				require.Len(t, dead, 1)
				assert.Equal(t, tt.attempts, dead[0].Attempts)
				assert.Equal(t, tt.says, dead[0].LastError)
				assert.True(t, dead[0].LeaseUntil.IsZero())
			})
		})
	}
}

func TestDefaultRetriesLastAboutADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outbox := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: outbox},
			notify.Subscriber{Name: "mail", Handle: func(context.Context, notify.Event) error { return errors.New("down") }})
		outbox.Append(event())
		start := time.Now()
		drain(t, d)
		assert.Len(t, deliveries(t, outbox, notify.DeliveryQuery{Dead: true}), 1)
		assert.InDelta(t, 28, time.Since(start).Hours(), 10)
	})
}

func TestResend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l log
		working := false
		mail := notify.Subscriber{Name: "mail", Handle: func(_ context.Context, e notify.Event) error {
			if !working {
				return notify.Permanent(errors.New("refused"))
			}
			l.add(e)
			return nil
		}}
		outbox := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: outbox}, mail)
		e := event()
		outbox.Append(e)
		resend := func(subscriber string, id uuid.UUID) error { return d.Resend(t.Context(), subscriber, id) }
		require.ErrorIs(t, resend("mail", e.ID), notify.ErrConflict, "it is waiting")
		drain(t, d)
		require.ErrorIs(t, resend("mail", uuid.New()), notify.ErrNotFound)
		require.ErrorIs(t, resend("other", e.ID), notify.ErrNotFound)
		time.Sleep(time.Hour)
		working = true
		require.NoError(t, resend("mail", e.ID))
		require.ErrorIs(t, resend("mail", e.ID), notify.ErrConflict, "it is waiting again")
		letter := deliveries(t, outbox, notify.DeliveryQuery{})[0]
		assert.Equal(t, time.Now().UTC(), letter.Due)
		assert.Zero(t, letter.Attempts)
		drain(t, d)
		assert.Equal(t, []uuid.UUID{e.ID}, l.ids())
		require.ErrorIs(t, resend("mail", e.ID), notify.ErrConflict, "it was delivered")
	})
}

func TestPermanent(t *testing.T) {
	t.Parallel()
	require.NoError(t, notify.Permanent(nil))
	err := notify.Permanent(context.Canceled)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "context canceled", err.Error())
}

// TestMockClock: of its clock a Dispatcher calls only Now.
func TestMockClock(t *testing.T) {
	t.Parallel()
	mock := clock.NewMock()
	mock.Set(time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC))
	var l log
	outbox := &notify.MemoryOutbox{}
	d := newDispatcher(t, notify.Config{Outbox: outbox, Clock: mock}, l.subscriber("log"))
	e := event()
	e.At = mock.Now().Add(time.Hour)
	outbox.Append(e)
	assert.Equal(t, e.At, tick(t, d))
	require.Empty(t, l.ids())
	mock.Set(e.At)
	assert.True(t, tick(t, d).IsZero())
	assert.Equal(t, []uuid.UUID{e.ID}, l.ids())
}
