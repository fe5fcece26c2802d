package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Performer makes backups by itself. Without one, people do.
//
// Perform is called for tasks that are due, by Config.Parallel goroutines at once at most, and never inside a store call.
// It gets a context that ends with Tick's, with Config.Deadline, when the task is settled otherwise meanwhile, or when the
// lease on it was lost; it is waited for, so it must heed that. A nil error completes the task with the result. An error
// is tried again, and after Config.Tries fails the task; its text is the reason that the client reads then. A panic is an
// error of which the client learns nothing more, and that Tick returns.
//
// Perform may be called again for a task that it has performed, when the process or the store broke down before that was
// recorded: Task.ID and Attempt together name the work. What it did is recorded and mailed once.
type Performer interface {
	Perform(ctx context.Context, t Task) (Result, error)
}

// PerformerFunc is a function as a Performer.
type PerformerFunc func(ctx context.Context, t Task) (Result, error)

// Perform calls f.
func (f PerformerFunc) Perform(ctx context.Context, t Task) (Result, error) { return f(ctx, t) }

// crew performs tasks beside each other while Tick goes on claiming for those of its hands that are free.
type crew struct {
	m    *Manager
	busy int
	done chan error // one for each that has finished
	errs []error
}

// perform is Tick with a Performer: it claims what there are free hands for, and returns when nothing is due and nobody
// works any more. The clock is read again each time, for time goes by while backups are made.
func (m *Manager) perform(ctx context.Context) (time.Time, error) {
	c := &crew{m: m, done: make(chan error)}
	for {
		var next time.Time
		if free := m.conf.Parallel - c.busy; free > 0 && ctx.Err() == nil {
			now := m.now()
			due, err := m.conf.Store.ClaimDue(ctx, now, now.Add(lease), free)
			if err != nil {
				c.errs = append(c.errs, c.finish(), asError("Tick", err))
				return time.Time{}, errors.Join(c.errs...)
			}
			for _, r := range due.Requests {
				c.start(ctx, r, now)
			}
			if len(due.Requests) > 0 {
				continue
			}
			next = due.Next
			if len(c.errs) > 0 { // somebody wants to hear of them
				return next, errors.Join(append(c.errs, c.finish())...)
			}
		}
		if c.busy == 0 {
			return next, errors.Join(append(c.errs, ctx.Err())...)
		}
		c.wait(ctx, next)
	}
}

func (c *crew) note(err error) {
	if err != nil {
		c.errs = append(c.errs, err)
	}
}

// wait waits until somebody has finished or, with a free hand, until something is due.
func (c *crew) wait(ctx context.Context, next time.Time) {
	var due <-chan time.Time
	if !next.IsZero() {
		timer := c.m.conf.Clock.Timer(next.Sub(c.m.now()))
		defer timer.Stop()
		due = timer.C
	}
	var ended <-chan struct{}
	if ctx.Err() == nil {
		ended = ctx.Done()
	}
	select {
	case err := <-c.done:
		c.busy--
		c.note(err)
	case <-due:
	case <-ended:
	}
}

// finish waits for everybody.
func (c *crew) finish() error {
	var errs []error
	for ; c.busy > 0; c.busy-- {
		errs = append(errs, <-c.done)
	}
	return errors.Join(errs...)
}

// start does the bookkeeping of a claimed request and, where a task of it is due, has it performed under the claim's lease.
func (c *crew) start(ctx context.Context, r Request, now time.Time) {
	t, err := c.m.tend(ctx, r.ID, r.LeaseUntil, now)
	c.note(err)
	if t == nil {
		return
	}
	c.busy++
	w := &work{m: c.m, task: *t, lease: r.LeaseUntil, tried: r.LeaseUntil}
	go func() { c.done <- w.do(ctx) }()
}

// work is one task that is being performed.
type work struct {
	m     *Manager
	task  Task
	lease time.Time // of its request: ours as long as the store has this one
	tried time.Time // or this one, whose commit was answered by an error
}

type outcome struct {
	result Result
	err    error
}

// panicked is the error if it is a bug: nobody but the operator can do anything about that.
func (o outcome) panicked() error {
	var p *fault.PanicError
	if errors.As(o.err, &p) {
		return &Error{Op: "Tick", Msg: "Tick: " + o.err.Error(), Err: o.err}
	}
	return nil
}

// reason is what a client may read of the error.
func (o outcome) reason() string {
	if o.panicked() != nil {
		return "internal error"
	}
	return cmp.Or(text.Clean(o.err.Error(), MaxReason), "no reason given")
}

// do performs the task, extends the lease while that takes, and records what came of it.
func (w *work) do(ctx context.Context) error {
	perform, cancel := w.m.conf.Clock.WithTimeout(ctx, w.m.conf.Deadline)
	defer cancel()
	done := make(chan outcome, 1)
	go func() { done <- w.perform(perform) }()
	beat := w.m.conf.Clock.Ticker(lease / 3)
	defer beat.Stop()
	store := context.WithoutCancel(ctx) // what was done is recorded even if Tick is to end
	var missed error
	for {
		select {
		case o := <-done:
			if ended := perform.Err(); o.err != nil && ended != nil {
				o.err = w.ended(ctx, ended)
			}
			return errors.Join(missed, o.panicked(), asError("Tick", w.record(store, o)))
		case <-beat.C:
			ours, err := w.extend(store)
			if !ours {
				cancel()
			}
			missed = asError("Tick", err)
		}
	}
}

// ended says why a Performer that was stopped was.
func (w *work) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return errGivenUp
	}
	return fmt.Errorf("not done within %s", w.m.conf.Deadline)
}

// errGivenUp: the task was not performed to its end, for no fault of the Performer.
var errGivenUp = errors.New("given up")

func (w *work) perform(ctx context.Context) outcome {
	var o outcome
	o.err = fault.Guard("Performer", func() (err error) {
		o.result, err = w.m.conf.Performer.Perform(ctx, w.task)
		return err
	})
	if o.err == nil {
		o.err = o.result.validate("Perform")
	}
	return o
}

// extend renews the lease. false: it was lost, or the task was settled otherwise.
func (w *work) extend(ctx context.Context) (ours bool, err error) {
	now := w.m.now()
	err = fault.Retry(ctx, func() error {
		r, err := w.m.conf.Store.Request(ctx, w.task.RequestID)
		if err != nil {
			return err
		}
		t, err := w.m.conf.Store.Task(ctx, w.task.ID)
		if err != nil {
			return err
		}
		ours = w.holds(&r) && w.pending(&t)
		if !ours {
			return nil
		}
		w.lease, w.tried = r.LeaseUntil, now.Add(lease)
		r.LeaseUntil = w.tried
		return w.m.conf.Store.Commit(ctx, Change{Requests: []Request{r}})
	})
	return ours || err != nil, err
}

// holds says whether the lease is still ours: whoever claims the request gives it another one.
func (w *work) holds(r *Request) bool {
	return r.LeaseUntil.Equal(w.lease) || r.LeaseUntil.Equal(w.tried)
}

// pending says whether the task is still as it was when it was taken up.
func (w *work) pending(t *Task) bool { return t.State == Pending && t.Attempt == w.task.Attempt }

// record writes down what came of the task and gives the lease back. If the lease was lost, somebody else is at it, and
// this result is dropped.
func (w *work) record(ctx context.Context, o outcome) error {
	now := w.m.now()
	return fault.Retry(ctx, func() error {
		r, err := w.m.conf.Store.Request(ctx, w.task.RequestID)
		if err != nil {
			return err
		}
		if !w.holds(&r) {
			return w.lost()
		}
		s, err := w.m.load(ctx, r, now, false)
		if err != nil {
			return err
		}
		s.r.LeaseUntil = time.Time{}
		if t, ok := s.find(w.task.ID); ok && w.pending(t) {
			if err := s.record(t, o, now); err != nil {
				return err
			}
		}
		return w.m.commit(ctx, s, now)
	})
}

func (w *work) lost() error {
	return &Error{Op: "Tick", RequestID: w.task.RequestID, TaskID: w.task.ID, ServerID: w.task.ServerID, Err: ErrConflict,
		Msg: fmt.Sprintf("the lease on the backup task of %s for %s was lost while it was performed: its result is dropped",
			w.task.ServerName, minute(w.task.At))}
}

// record is what a try of the Performer makes of a task.
func (s *series) record(t *Task, o outcome, now time.Time) error {
	switch {
	case o.err == nil:
		return s.complete("Complete", t, o.result, now)
	case errors.Is(o.err, errGivenUp):
		return nil
	}
	t.Tries++
	if t.Tries < s.conf.Tries {
		t.TryAt, t.Reason = zone.Instant(now.Add(again.Delay(t.Tries))), o.reason()
		return nil
	}
	return s.fail("Fail", t, o.reason(), now)
}
