package cancellation

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// runs are the executions of one Tick. They run in parallel, while the Tick goes on to claim what falls due. Executions that were claimed
// and have not begun wait in a queue. Only the goroutine of the Tick uses it.
type runs struct {
	m       *Manager
	queue   []Cancellation
	running map[uuid.UUID]int // by reseller
	count   int               // of all resellers
	ended   chan ended
	errs    []error
	unread  manage.Unread
}

// ended is an execution that has ended, as far as this Tick is concerned.
type ended struct {
	reseller uuid.UUID
	err      error
}

func (m *Manager) newRuns() *runs {
	return &runs{m: m, running: map[uuid.UUID]int{}, ended: make(chan ended)}
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

// full reports whether so many executions wait that nothing more is to be claimed.
func (rs *runs) full() bool { return len(rs.queue) >= batchSize }

// start begins waiting executions as long as there are free goroutines. After the end of ctx it begins none: their leases end by
// themselves.
func (rs *runs) start(ctx context.Context) {
	if ctx.Err() != nil {
		rs.queue = nil
	}
	for rs.count < rs.m.config.Parallel && len(rs.queue) > 0 {
		c := rs.takeFairest()
		rs.count++
		rs.running[c.ResellerID]++
		go func() {
			err := c.tickError(fault.Nonsense("store", errors.New("it ended its goroutine instead of returning")))
			defer func() { rs.ended <- ended{c.ResellerID, err} }()
			err = c.tickError(rs.m.execute(ctx, c))
		}()
	}
}

// takeFairest takes the first waiting execution of the reseller that has the fewest running, so that the slow executions of one reseller
// do not hold up another.
func (rs *runs) takeFairest() Cancellation {
	best := 0
	for i, c := range rs.queue {
		if rs.running[c.ResellerID] < rs.running[rs.queue[best].ResellerID] {
			best = i
		}
	}
	c := rs.queue[best]
	rs.queue = append(rs.queue[:best:best], rs.queue[best+1:]...)
	return c
}

// wait waits until an execution has ended or, if next is not zero, until next.
func (rs *runs) wait(next, now time.Time) {
	ctx := context.Background()
	if !next.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(next.Sub(now), minWait))
		defer cancel()
	}
	select {
	case e := <-rs.ended:
		rs.end(e)
	case <-ctx.Done():
	}
}

// minWait is the shortest wait, so that a Store which always names a past instant does not use up a processor.
const minWait = 10 * time.Millisecond

func (rs *runs) end(e ended) {
	rs.count--
	if rs.running[e.reseller]--; rs.running[e.reseller] == 0 {
		delete(rs.running, e.reseller)
	}
	rs.addError(e.err)
}

// finish waits for everything that runs, and returns all errors.
func (rs *runs) finish(err error) error {
	for rs.count > 0 {
		rs.end(<-rs.ended)
	}
	rs.addError(err)
	return errors.Join(rs.errs...)
}
