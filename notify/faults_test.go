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

// TestManyDispatchers: eight on one outbox, each event once.
func TestManyDispatchers(t *testing.T) {
	t.Parallel()
	var l log
	box := &notify.MemoryOutbox{}
	var all []*notify.Dispatcher
	for range 8 {
		all = append(all, newDispatcher(t, notify.Config{Outbox: box}, l.subscriber("mail")))
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
		box.Append(list[i])
	}
	for waiting := 1; waiting > 0; {
		runtime.Gosched()
		var err error
		waiting, _, _, err = box.Depth(t.Context())
		require.NoError(t, err)
	}
	done.Store(true)
	workers.Wait()
	got := l.ids()
	require.Len(t, got, len(list), "none lost, none twice")
	at := map[uuid.UUID]int{}
	for i, id := range got {
		at[id] = i
	}
	for i := len(subjects); i < len(list); i++ {
		require.Less(t, at[list[i-len(subjects)].ID], at[list[i].ID], "a subject's events in order")
	}
	require.Len(t, at, len(list))
}

func TestLeaseOfACrashedProcessIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l log
		box := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: box}, l.subscriber("mail"))
		e := event()
		box.Append(e)
		start := time.Now().UTC()
		crashed, err := box.ClaimDue(t.Context(), "mail", start, start.Add(time.Minute), 1)
		require.NoError(t, err)
		require.Len(t, crashed.Deliveries, 1)
		time.Sleep(time.Minute - time.Microsecond)
		tick(t, d)
		require.Empty(t, l.ids(), "under the lease")
		time.Sleep(time.Microsecond)
		tick(t, d)
		require.Equal(t, []uuid.UUID{e.ID}, l.ids())
		require.ErrorIs(t, box.Settle(t.Context(), crashed.Deliveries...), notify.ErrConflict, "who lost its lease")
	})
}

// TestOrderWithinASubject: while one of a subject's events fails, the next waits, and those of others do not.
func TestOrderWithinASubject(t *testing.T) {
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
		box := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: box}, mail)
		box.Append(first, second, third, other, free, free2)
		tick(t, d)
		assert.ElementsMatch(t, ids([]notify.Event{other, free, free2}), l.ids())
		drain(t, d)
		assert.Equal(t, ids([]notify.Event{first, third}), l.ids()[3:], "what follows a dead letter goes on")
	})
}

func TestPanicHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l log
		var out strings.Builder
		box := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: box, Logger: slog.New(slog.NewTextHandler(&out, nil))},
			notify.Subscriber{Name: "panics", Handle: func(context.Context, notify.Event) error { panic("out of cheese") }},
			notify.Subscriber{Name: "exits", Handle: func(context.Context, notify.Event) error {
				runtime.Goexit()
				return nil
			}},
			notify.Subscriber{Name: "hostile", Handle: func(context.Context, notify.Event) error { return hostileError{} }},
			notify.Subscriber{Name: "worse", Handle: func(context.Context, notify.Event) error { panic(hostileError{}) }},
			l.subscriber("log"))
		list := events(20)
		box.Append(list...)
		tick(t, d)
		assert.ElementsMatch(t, ids(list), l.ids())
		for name, says := range map[string]string{
			"panics": "subscriber panics panicked: out of cheese", "hostile": "subscriber hostile panicked: no text",
			"worse": "subscriber worse panicked: %!v(PANIC=Error method: no text)",
			"exits": "the subscriber ended its goroutine instead of returning",
		} {
			items := deliveries(t, box, notify.DeliveryQuery{Subscriber: name})
			require.Len(t, items, 20)
			for _, item := range items {
				assert.Equal(t, 1, item.Attempts)
				assert.Equal(t, says, item.LastError)
			}
		}
		assert.Contains(t, out.String(), "faults_test.go", "the log says where it panicked")
	})
}

type hostileError struct{}

func (hostileError) Error() string { panic("no text") }

func (hostileError) Unwrap() error { panic("no cause") }

// TestHangHarmsNobodyElse: a subscriber that ignores the end of its context keeps its slots until it returns, and no more.
func TestHangHarmsNobodyElse(t *testing.T) {
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
		box := &notify.MemoryOutbox{}
		config := notify.Config{Outbox: box, Parallel: 3, Timeout: time.Minute}
		d := newDispatcher(t, config, hangs, l.subscriber("log"))
		box.Append(events(10)...)
		began := time.Now()
		tick(t, d)
		assert.Less(t, time.Since(began), 2*time.Minute)
		assert.Len(t, l.ids(), 10)
		assert.EqualValues(t, 3, running.Load())
		failed := 0
		for _, item := range deliveries(t, box, notify.DeliveryQuery{Subscriber: "hangs"}) {
			failed += item.Attempts
			assert.True(t, item.LeaseUntil.IsZero(), "nothing is left under a lease")
			assert.False(t, item.Delivered)
		}
		assert.Equal(t, 3, failed)

		box.Append(events(10)...)
		began = time.Now()
		next := tick(t, d)
		assert.Zero(t, time.Since(began), "while all hang nothing is tried")
		assert.Equal(t, 10*time.Second, next.Sub(began), "and looked at again")
		assert.Len(t, l.ids(), 20)
		assert.EqualValues(t, 3, running.Load())

		close(release)
		drain(t, d)
		for _, item := range deliveries(t, box, notify.DeliveryQuery{Subscriber: "hangs"}) {
			assert.True(t, item.Delivered)
		}
	})
}

// TestTimeoutIsHandedOn: who heeds its context answers in its own words, and its slot is free again.
func TestTimeoutIsHandedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := notify.Subscriber{Name: "slow", Handle: func(ctx context.Context, _ notify.Event) error {
			<-ctx.Done()
			return fmt.Errorf("dialing 192.0.2.1: %w", ctx.Err())
		}}
		box := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: box, Timeout: 5 * time.Second, Parallel: 2}, slow)
		box.Append(events(20)...)
		began := time.Now()
		next := tick(t, d)
		assert.LessOrEqual(t, time.Since(began), 10*time.Second, "what was not begun in time waits for the next tick")
		assert.False(t, next.After(time.Now()))
		failed := 0
		for _, item := range deliveries(t, box, notify.DeliveryQuery{}) {
			if item.Attempts > 0 {
				failed++
				assert.Equal(t, "dialing 192.0.2.1: context deadline exceeded", item.LastError)
			}
		}
		assert.GreaterOrEqual(t, failed, 2)
		assert.LessOrEqual(t, failed, 4)
	})
}

// TestParallelIsBounded: no more at once than was asked for, and no fewer.
func TestParallelIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		box := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: box, Parallel: 4, Batch: 7},
			notify.Subscriber{Name: "mail", Handle: func(context.Context, notify.Event) error {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				return nil
			}})
		box.Append(events(28)...)
		began := time.Now()
		tick(t, d)
		assert.EqualValues(t, 4, most.Load())
		assert.Equal(t, 8*time.Second, time.Since(began), "four batches of seven, two rounds each")
	})
}

// TestEndOfContext: what was handled is settled, what was not begun or was interrupted is given back, what does not answer
// is left to its lease.
func TestEndOfContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var number atomic.Int32
		mail := notify.Subscriber{Name: "mail", Handle: func(ctx context.Context, _ notify.Event) error {
			switch number.Add(1) {
			case 1:
				return nil
			case 2: // finishes although it is told to stop
				<-ctx.Done()
				return nil
			case 3: // is interrupted
				<-ctx.Done()
				return ctx.Err()
			case 4: // knows by then that it is of no use
				<-ctx.Done()
				return notify.Permanent(errors.New("550"))
			}
			<-release // does not answer
			return nil
		}}
		box := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: box, Parallel: 4}, mail)
		box.Append(events(9)...)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		began := time.Now()
		_, err := d.Tick(ctx)
		require.ErrorIs(t, err, context.Canceled)
		assert.LessOrEqual(t, time.Since(began), 3*time.Second)
		var delivered, dead, leased, free int
		for _, item := range deliveries(t, box, notify.DeliveryQuery{}) {
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
		drainLeases(t, d, box)
		_, err = d.Tick(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// drainLeases waits until leases have ended and all is delivered or dead.
func drainLeases(t *testing.T, d *notify.Dispatcher, box *notify.MemoryOutbox) {
	t.Helper()
	for range 100 {
		tick(t, d)
		waiting, _, _, err := box.Depth(t.Context())
		require.NoError(t, err)
		if waiting == 0 {
			return
		}
		time.Sleep(10 * time.Second)
	}
	t.Fatal("the deliveries do not end")
}
