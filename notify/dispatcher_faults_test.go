package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// TestManyDispatchers: eight Dispatchers share one outbox, and each event is handled once.
func TestManyDispatchers(t *testing.T) {
	t.Parallel()
	var l log
	outbox := &notify.MemoryOutbox{}
	var all []*notify.Dispatcher
	for range 8 {
		all = append(all, newDispatcher(t, notify.Config{Outbox: outbox}, l.subscriber("mail")))
	}
	list := events(10_000)
	subjects := events(2_500)
	for i := range list {
		list[i].SubjectID = subjects[i%len(subjects)].ID
	}
	var workers sync.WaitGroup
	var done atomic.Bool
	for _, d := range all {
		workers.Go(func() {
			for last := false; !last; {
				last = done.Load()
				if _, err := d.Tick(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range list {
		outbox.Append(list[i])
	}
	for waiting := 1; waiting > 0; {
		runtime.Gosched()
		var err error
		waiting, _, _, err = outbox.Depth(t.Context())
		require.NoError(t, err)
	}
	done.Store(true)
	workers.Wait()
	got := l.ids()
	require.Len(t, got, len(list), "each event once")
	at := map[uuid.UUID]int{}
	for i, id := range got {
		at[id] = i
	}
	for i := len(subjects); i < len(list); i++ {
		require.Less(t, at[list[i-len(subjects)].ID], at[list[i].ID], "a subject's events in order")
	}
	require.Len(t, at, len(list))
}

func TestLeaseOfACrashedProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l log
		outbox := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: outbox}, l.subscriber("mail"))
		e := event()
		outbox.Append(e)
		now := time.Now().UTC()
		crashed, err := outbox.ClaimDue(t.Context(), "mail", now, now.Add(time.Minute), 1)
		require.NoError(t, err)
		require.Len(t, crashed.Deliveries, 1)
		time.Sleep(time.Minute - time.Microsecond)
		tick(t, d)
		require.Empty(t, l.ids(), "under the lease")
		time.Sleep(time.Microsecond)
		tick(t, d)
		require.Equal(t, []uuid.UUID{e.ID}, l.ids())
		require.ErrorIs(t, outbox.Settle(t.Context(), crashed.Deliveries...), notify.ErrConflict, "its lease has ended")
	})
}

// TestEventsOfASubject: while an event of a subject fails, its next events wait; those of other subjects do not.
func TestEventsOfASubject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l log
		first, second, third, other, free, free2 := event(), event(), event(), event(), event(), event()
		second.SubjectID, third.SubjectID = first.SubjectID, first.SubjectID
		free.SubjectID, free2.SubjectID = uuid.Nil, uuid.Nil
		failures := 3
		mail := notify.Subscriber{Name: "mail", Handle: func(_ context.Context, e notify.Event) error {
			if e.ID == first.ID && failures > 0 {
				failures--
				return errors.New("not yet")
			}
			if e.ID == second.ID {
				return notify.Permanent(errors.New("never"))
			}
			l.add(e)
			return nil
		}}
		outbox := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: outbox}, mail)
		outbox.Append(first, second, third, other, free, free2)
		tick(t, d)
		assert.ElementsMatch(t, ids([]notify.Event{other, free, free2}), l.ids())
		drain(t, d)
		assert.Equal(t, ids([]notify.Event{first, third}), l.ids()[3:], "the events after a dead letter are delivered")
	})
}

func TestPanicOfASubscriber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l log
		var out strings.Builder
		outbox := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: outbox, Logger: slog.New(slog.NewTextHandler(&out, nil))},
			notify.Subscriber{Name: "panics", Handle: func(context.Context, notify.Event) error { panic("out of cheese") }},
			notify.Subscriber{Name: "exits", Handle: func(context.Context, notify.Event) error {
				runtime.Goexit()
				return nil
			}},
			notify.Subscriber{Name: "hostile", Handle: func(context.Context, notify.Event) error { return hostileError{} }},
			notify.Subscriber{Name: "worse", Handle: func(context.Context, notify.Event) error { panic(hostileError{}) }},
			l.subscriber("log"))
		list := events(20)
		outbox.Append(list...)
		tick(t, d)
		assert.ElementsMatch(t, ids(list), l.ids())
		for name, says := range map[string]string{
			"panics": "subscriber panics panicked: out of cheese", "hostile": "subscriber hostile panicked: no text",
			"worse": "subscriber worse panicked: %!v(PANIC=Error method: no text)",
			"exits": "the subscriber ended its goroutine instead of returning",
		} {
			items := deliveries(t, outbox, notify.DeliveryQuery{Subscriber: name})
			require.Len(t, items, 20)
			for _, item := range items {
				assert.Equal(t, 1, item.Attempts)
				assert.Equal(t, says, item.LastError)
			}
		}
		assert.Contains(t, out.String(), "faults_test.go", "the log has the stack of the panic")
	})
}

type hostileError struct{}

func (hostileError) Error() string { panic("no text") }

func (hostileError) Unwrap() error { panic("no cause") }

// TestHangingSubscriber: a Handle that ignores the end of its context occupies its slot until it returns. Other subscribers
// are not affected.
func TestHangingSubscriber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l log
		var running atomic.Int32
		release := make(chan struct{})
		hangs := notify.Subscriber{Name: "hangs", Handle: func(context.Context, notify.Event) error {
			running.Add(1)
			<-release
			running.Add(-1)
			return nil
		}}
		outbox := &notify.MemoryOutbox{}
		config := notify.Config{Outbox: outbox, Parallel: 3, Timeout: time.Minute}
		d := newDispatcher(t, config, hangs, l.subscriber("log"))
		outbox.Append(events(10)...)
		start := time.Now()
		tick(t, d)
		assert.Less(t, time.Since(start), 2*time.Minute)
		assert.Len(t, l.ids(), 10)
		assert.EqualValues(t, 3, running.Load())
		failed := 0
		for _, item := range deliveries(t, outbox, notify.DeliveryQuery{Subscriber: "hangs"}) {
			failed += item.Attempts
			assert.True(t, item.LeaseUntil.IsZero(), "no delivery is under a lease")
			assert.False(t, item.Delivered)
		}
		assert.Equal(t, 3, failed)

		outbox.Append(events(10)...)
		start = time.Now()
		next := tick(t, d)
		assert.Zero(t, time.Since(start), "while all slots are occupied no attempt starts")
		assert.Equal(t, 10*time.Second, next.Sub(start), "the next attempt")
		assert.Len(t, l.ids(), 20)
		assert.EqualValues(t, 3, running.Load())

		close(release)
		drain(t, d)
		for _, item := range deliveries(t, outbox, notify.DeliveryQuery{Subscriber: "hangs"}) {
			assert.True(t, item.Delivered)
		}
	})
}

// TestTimeout: a Handle that returns at the end of its context has its own error recorded, and frees its slot.
func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := notify.Subscriber{Name: "slow", Handle: func(ctx context.Context, _ notify.Event) error {
			<-ctx.Done()
			return fmt.Errorf("dialing 192.0.2.1: %w", ctx.Err())
		}}
		outbox := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: outbox, Timeout: 5 * time.Second, Parallel: 2}, slow)
		outbox.Append(events(20)...)
		start := time.Now()
		next := tick(t, d)
		assert.LessOrEqual(t, time.Since(start), 10*time.Second, "attempts that did not start in time wait for the next Tick")
		assert.False(t, next.After(time.Now()))
		failed := 0
		for _, item := range deliveries(t, outbox, notify.DeliveryQuery{}) {
			if item.Attempts > 0 {
				failed++
				assert.Equal(t, "dialing 192.0.2.1: context deadline exceeded", item.LastError)
			}
		}
		assert.GreaterOrEqual(t, failed, 2)
		assert.LessOrEqual(t, failed, 4)
	})
}

// TestParallelIsBounded: exactly Config.Parallel attempts run at the same time.
func TestParallelIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		outbox := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: outbox, Parallel: 4, Batch: 7},
			notify.Subscriber{Name: "mail", Handle: func(context.Context, notify.Event) error {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				return nil
			}})
		outbox.Append(events(28)...)
		start := time.Now()
		tick(t, d)
		assert.EqualValues(t, 4, most.Load())
		assert.Equal(t, 8*time.Second, time.Since(start), "four batches of seven, two rounds each")
	})
}

// TestEndOfContext: results are stored, attempts that did not start or were interrupted are due again at once, and an attempt
// that does not return is due again when its lease ends.
func TestEndOfContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var number atomic.Int32
		mail := notify.Subscriber{Name: "mail", Handle: func(ctx context.Context, _ notify.Event) error {
			switch number.Add(1) {
			case 1:
				return nil
			case 2: // succeeds after the end of its context
				<-ctx.Done()
				return nil
			case 3: // is interrupted
				<-ctx.Done()
				return ctx.Err()
			case 4: // fails permanently
				<-ctx.Done()
				return notify.Permanent(errors.New("550"))
			}
			<-release // does not return
			return nil
		}}
		outbox := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: outbox, Parallel: 4}, mail)
		outbox.Append(events(9)...)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		start := time.Now()
		_, err := d.Tick(ctx)
		require.ErrorIs(t, err, context.Canceled)
		assert.LessOrEqual(t, time.Since(start), 3*time.Second)
		var delivered, dead, leased, free int
		for _, item := range deliveries(t, outbox, notify.DeliveryQuery{}) {
			switch {
			case item.Delivered:
				delivered++
			case item.Dead:
				dead++
			case item.LeaseUntil.IsZero():
				free++
				assert.Zero(t, item.Attempts)
				assert.False(t, item.Due.After(time.Now()))
			default:
				leased++
			}
		}
		assert.Equal(t, [4]int{2, 1, 1, 5}, [4]int{delivered, dead, leased, free}, "delivered, dead, leased, free")
		close(release)
		synctest.Wait()
		drainLeases(t, d, outbox)
		_, err = d.Tick(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// drainLeases calls Tick until all deliveries are delivered or dead. It waits until leases end.
func drainLeases(t *testing.T, d *notify.Dispatcher, outbox *notify.MemoryOutbox) {
	t.Helper()
	for range 100 {
		tick(t, d)
		waiting, _, _, err := outbox.Depth(t.Context())
		require.NoError(t, err)
		if waiting == 0 {
			return
		}
		time.Sleep(10 * time.Second)
	}
	t.Fatal("the deliveries do not end")
}
