package cancellation

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/alive"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// runs are the cancellations that one Tick works on beside its batches: executions, and cancellations whose servers take long to look up.
// They run in parallel, while the Tick goes on to claim what falls due. Only the goroutine of the Tick uses it.
type runs struct {
	m          *Manager
	executions lane
	lookUps    lane
	ended      chan ended
	stalled    bool // nothing has ended for a while although executions wait: their parts hang
	errs       []error
	unread     manage.Unread
}

// lane is a queue of claimed cancellations, of which Config.Parallel run at once. A slow look-up does not hold up an execution.
type lane struct {
	queue   []Cancellation
	running map[uuid.UUID]int // by reseller
	count   int               // of all resellers
}

// ended is a cancellation that has been worked on, as far as this Tick is concerned.
type ended struct {
	lane     *lane
	reseller uuid.UUID
	err      error
}

func (m *Manager) newRuns() *runs {
	return &runs{
		m: m, executions: lane{running: map[uuid.UUID]int{}}, lookUps: lane{running: map[uuid.UUID]int{}}, ended: make(chan ended),
	}
}

func (rs *runs) addError(err error) {
	if err != nil {
		rs.errs = append(rs.errs, err)
	}
}

// addUnreadable adds an error for each claimed record that the Store cannot read, once a Tick. It reports whether there was one.
func (rs *runs) addUnreadable(due Due) bool {
	fresh := rs.unread.Fresh(due.Unreadable)
	for _, u := range fresh {
		id := u.ID
		if id == u.ResellerID {
			id = uuid.Nil // settings
		}
		rs.addError(report(opTick, id, uuid.Nil, manage.UnreadableError("cancellation or settings", u)))
	}
	return len(fresh) > 0
}

// full reports whether so many executions wait that nothing more is to be claimed. If they hang, the claims go on, so that others get their
// turn.
func (rs *runs) full() bool { return len(rs.executions.queue) >= batchSize && !rs.stalled }

// add adds claimed cancellations. If parts hang, it leaves those that are too many for their reseller to the end of their leases.
func (rs *runs) add(executions, lookUps []Cancellation) {
	if rs.stalled {
		rs.executions.addFew(executions)
	} else {
		rs.executions.queue = append(rs.executions.queue, executions...)
	}
	rs.stalled = false
	rs.lookUps.addFew(lookUps)
}

// addFew adds cancellations, but of a reseller that has many waiting in a long queue.
func (l *lane) addFew(claimed []Cancellation) {
	waiting := map[uuid.UUID]int{}
	for _, c := range l.queue {
		waiting[c.ResellerID]++
	}
	for _, c := range claimed {
		if len(l.queue) < batchSize || waiting[c.ResellerID] < batchSize/4 {
			l.queue = append(l.queue, c)
			waiting[c.ResellerID]++
		}
	}
}

// count is how many cancellations are worked on.
func (rs *runs) count() int { return rs.executions.count + rs.lookUps.count }

// start begins what waits as long as there are free goroutines. After the end of ctx it begins nothing: the leases end by themselves.
func (rs *runs) start(ctx context.Context) {
	for _, l := range []*lane{&rs.executions, &rs.lookUps} {
		if ctx.Err() != nil {
			l.queue = nil
		}
		for l.count < rs.m.config.Parallel && len(l.queue) > 0 {
			c := l.takeFairest()
			l.count++
			l.running[c.ResellerID]++
			go func() {
				err := c.tickError(fault.Nonsense("store", errors.New("it ended its goroutine instead of returning")))
				defer func() { rs.ended <- ended{l, c.ResellerID, err} }()
				err = c.tickError(fault.Guard("execution", func() error { return rs.m.execute(ctx, c) }))
			}()
		}
	}
}

// takeFairest takes the first waiting cancellation of the reseller that has the fewest running, so that the slow executions of one
// reseller do not hold up another.
func (l *lane) takeFairest() Cancellation {
	best := 0
	for i, c := range l.queue {
		if l.running[c.ResellerID] < l.running[l.queue[best].ResellerID] {
			best = i
		}
	}
	c := l.queue[best]
	l.queue = append(l.queue[:best:best], l.queue[best+1:]...)
	return c
}

// wait waits until a cancellation has been worked on or, if next is not zero, until next. If executions wait, it does not wait for long.
func (rs *runs) wait(tick context.Context, next, now time.Time) {
	ctx, full := context.Background(), rs.full()
	if !next.IsZero() || full {
		wait := max(next.Sub(now), minWait)
		if full && (next.IsZero() || wait > stallAfter) {
			wait = stallAfter
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	select {
	case e := <-rs.ended:
		rs.end(e)
		rs.reportEarly(tick)
	case <-ctx.Done():
		rs.stalled = full
	}
}

// drain takes note of what has ended, so that a long row of batches does not keep goroutines from the executions that wait.
func (rs *runs) drain(ctx context.Context) {
	for {
		select {
		case e := <-rs.ended:
			rs.end(e)
			rs.reportEarly(ctx)
		default:
			rs.start(ctx)
			return
		}
	}
}

// reportEarly gives the errors so far to the Runner if this Tick goes on: it may go on for hours.
func (rs *runs) reportEarly(ctx context.Context) {
	if rs.count() == 0 || len(rs.errs) == 0 {
		return
	}
	if alive.Report(ctx, errors.Join(rs.errs...)) {
		rs.errs = nil
	}
}

// stallAfter is how long executions may wait before nothing that runs is expected to end soon.
const stallAfter = 10 * time.Second

// minWait is the shortest wait, so that a Store which always names a past instant does not use up a processor.
const minWait = 10 * time.Millisecond

func (rs *runs) end(e ended) {
	e.lane.count--
	if e.lane.running[e.reseller]--; e.lane.running[e.reseller] == 0 {
		delete(e.lane.running, e.reseller)
	}
	rs.addError(e.err)
}

// finish waits for everything that runs, and returns all errors.
func (rs *runs) finish(err error) error {
	for rs.count() > 0 {
		rs.end(<-rs.ended)
	}
	rs.addError(err)
	return errors.Join(rs.errs...)
}
