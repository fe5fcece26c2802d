package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/metalkeep/metalkeep/internal/alive"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Performer makes backups by itself. Without one, people do.
type Performer interface {
	// Perform makes the backup of a due task. At most Config.Parallel goroutines call it at once, and never inside a store
	// call. Its context ends with the context of Tick, after Config.Deadline, if somebody closes the task meanwhile, and if
	// another process has claimed the request. The Manager waits until Perform returns, so Perform must return when its context ends.
	//
	// Without an error, the task is completed with the result. After an error, Perform is tried again. After Config.Tries
	// errors the task fails. Task.Reason then holds the text of the error, for the reseller; clients read PerformerReason. A
	// panic or a runtime.Goexit counts as an error. Tick returns it, and no record has its text.
	//
	// Perform may be called again for a task that it has performed, if the process or the store failed before the result was
	// recorded: Task.ID and Attempt together identify the work. Each result is recorded and mailed once.
	Perform(ctx context.Context, t Task) (Result, error)
}

// PerformerFunc is a function as a Performer.
type PerformerFunc func(ctx context.Context, t Task) (Result, error)

// Perform calls f.
func (f PerformerFunc) Perform(ctx context.Context, t Task) (Result, error) { return f(ctx, t) }

// runs are the tasks that are performed in parallel, while Tick continues to claim.
type runs struct {
	m       *Manager
	running int
	done    chan error // one error, or nil, for each run that has ended
	errs    []error
	unread  manage.Unread
}

// performDue is Tick with a Performer. It claims as many requests as there are free goroutines. It returns when nothing is due
// and nothing runs. It reads the clock at each claim, because time passes while backups are made.
func (m *Manager) performDue(ctx context.Context) (time.Time, error) {
	rs := &runs{m: m, done: make(chan error)}
	for {
		var next time.Time
		if free := m.config.Parallel - rs.running; free > 0 && ctx.Err() == nil {
			now := m.now()
			due, err := m.store.ClaimDue(ctx, now, now.Add(lease), free)
			if err != nil {
				rs.addError(report(OpTick, ids{}, err))
				if rs.running == 0 || ctx.Err() != nil {
					return time.Time{}, errors.Join(append(rs.errs, rs.waitForAll())...)
				}
				rs.reportEarly(ctx)
				rs.wait(ctx, now.Add(claimAgain))
				continue
			}
			unreadable := unreadableErrors(&rs.unread, due)
			rs.errs = append(rs.errs, unreadable...)
			for _, r := range due.Requests {
				rs.start(ctx, r, now)
			}
			if len(due.Requests)+len(unreadable) > 0 {
				continue
			}
			next = due.Next
		}
		if rs.running == 0 {
			return next, errors.Join(append(rs.errs, report(OpTick, ids{}, ctx.Err()))...)
		}
		rs.reportEarly(ctx)
		rs.wait(ctx, next)
	}
}

// claimAgain is how long a claim that failed waits while backups are made.
const claimAgain = time.Minute

// reportEarly gives the errors so far to the Runner, because this Tick may go on for hours. Without a Runner they wait for its end.
func (rs *runs) reportEarly(ctx context.Context) {
	if len(rs.errs) > 0 && alive.Report(ctx, errors.Join(rs.errs...)) {
		rs.errs = nil
	}
}

func (rs *runs) addError(err error) {
	if err != nil {
		rs.errs = append(rs.errs, err)
	}
}

// wait waits until a run has ended or, if next is not zero, until next.
func (rs *runs) wait(ctx context.Context, next time.Time) {
	var due <-chan time.Time
	if !next.IsZero() {
		timer := rs.m.config.Clock.Timer(next.Sub(rs.m.now()))
		defer timer.Stop()
		due = timer.C
	}
	var ended <-chan struct{}
	if ctx.Err() == nil {
		ended = ctx.Done()
	}
	select {
	case err := <-rs.done:
		rs.running--
		rs.addError(err)
	case <-due:
	case <-ended:
	}
}

// waitForAll waits until all runs have ended.
func (rs *runs) waitForAll() error {
	var errs []error
	for ; rs.running > 0; rs.running-- {
		errs = append(errs, <-rs.done)
	}
	return errors.Join(errs...)
}

// start does what is due of a claimed request. If a task of it is to be performed, it starts that under the lease of the
// claim.
func (rs *runs) start(ctx context.Context, claimed Request, now time.Time) {
	t, err := rs.m.processOne(ctx, claimed, now)
	rs.addError(err)
	if t == nil {
		return
	}
	rs.running++
	r := &run{m: rs.m, task: *t, lease: claimed.LeaseUntil, unconfirmed: claimed.LeaseUntil}
	go func() {
		err := r.report(errExited("the Store"))
		defer func() { rs.done <- err }()
		err = r.perform(ctx)
	}()
}

// run is one task that is being performed.
type run struct {
	m           *Manager
	task        Task
	lease       time.Time // the lease on the request: it is ours as long as the Store has it
	unconfirmed time.Time // or as long as the Store has this one, whose commit returned an error
}

// performed is what the Performer returned.
type performed struct {
	result Result
	err    error
}

// panicked returns the error if it is a panic: a bug in the Performer.
func (p performed) panicked() error {
	var panicked *fault.PanicError
	if errors.As(p.err, &panicked) {
		return report(OpTick, ids{}, p.err)
	}
	return nil
}

// reason returns the error as it is recorded for the reseller.
func (p performed) reason() string {
	if p.panicked() != nil {
		return "internal error"
	}
	cause := p.err
	var host *fault.HostError
	if errors.As(p.err, &host) {
		cause = host.Cause
	}
	said := ""
	if err := fault.Guard("Performer", func() error { said = cause.Error(); return nil }); err != nil {
		return "internal error"
	}
	return cmp.Or(strings.TrimSpace(text.Clean(said, MaxReason)), "no reason given")
}

// errExited is for a part of the host that ends its goroutine by runtime.Goexit: a bug, like a panic.
func errExited(part string) error {
	return fault.Nonsense(part, &fault.PanicError{Part: part, Value: "it ended its goroutine instead of returning"})
}

// perform calls the Performer, renews the lease meanwhile, and records the result.
func (r *run) perform(ctx context.Context) error {
	limited, cancel := r.m.config.Clock.WithTimeout(ctx, r.m.config.Deadline)
	defer cancel()
	done := make(chan performed, 1)
	go func() {
		p := performed{err: errExited("Performer")}
		defer func() { done <- p }()
		p = r.call(limited)
	}()
	renew := r.m.config.Clock.Ticker(lease / 3)
	defer renew.Stop()
	uncancelled := context.WithoutCancel(ctx) // a result is recorded even if Tick is to end
	var renewErr error
	for {
		select {
		case p := <-done:
			if ended := limited.Err(); p.err != nil && ended != nil {
				p.err = r.endedError(ctx, ended)
			}
			return errors.Join(renewErr, p.panicked(), r.report(r.record(uncancelled, p)))
		case <-renew.C:
			ours, err := r.renewLease(uncancelled)
			if !ours {
				cancel()
			}
			renewErr = r.report(err)
		}
	}
}

// call calls the Performer.
func (r *run) call(ctx context.Context) performed {
	var p performed
	p.err = fault.Host(ctx, "Performer", func() (err error) {
		p.result, err = r.m.config.Performer.Perform(ctx, r.task)
		return err
	})
	if p.err == nil {
		p.err = p.result.check(opPerform)
	}
	return p
}

// endedError is the error of a Performer whose context ended.
func (r *run) endedError(ctx context.Context, ended error) error {
	if ctx.Err() != nil || errors.Is(ended, context.Canceled) {
		return errStopped
	}
	return fmt.Errorf("not done within %s", r.m.config.Deadline)
}

// errStopped says that the Manager stopped the Performer, which counts as no failure.
var errStopped = errors.New("stopped")

// renewLease renews the lease. ours is false if another process has claimed the request, or if somebody has closed the task.
func (r *run) renewLease(ctx context.Context) (ours bool, err error) {
	now := r.m.now()
	_, err = manage.Operation[reading, Request]{
		Read: func(ctx context.Context) (rd reading, err error) {
			if rd.request, err = r.m.store.Request(ctx, r.task.RequestID); err == nil {
				rd.task, err = r.m.store.Task(ctx, r.task.ID)
			}
			return rd, nonsense(err)
		},
		Decide: func(rd reading) (Request, bool, error) {
			ours = r.holds(rd.request) && r.isCurrent(rd.task)
			if ours {
				r.lease, r.unconfirmed = rd.request.LeaseUntil, now.Add(lease)
			}
			rd.request.LeaseUntil = r.unconfirmed
			return rd.request, ours, nil
		},
		Commit: func(ctx context.Context, request Request) error {
			return r.m.store.Commit(ctx, Change{Requests: []Request{request}})
		},
	}.Run(ctx)
	return ours || err != nil, err
}

// holds reports whether the lease is still ours: each claim sets another one.
func (r *run) holds(request Request) bool {
	return request.LeaseUntil.Equal(r.lease) || request.LeaseUntil.Equal(r.unconfirmed)
}

// isCurrent reports whether a task is still the attempt that is being performed.
func (r *run) isCurrent(t Task) bool { return t.State == Pending && t.Attempt == r.task.Attempt }

// record writes the result and ends the lease. If another process has claimed the request, it performs the task, and this result
// is dropped. If the Store refuses the result, the request is given back, and the task is performed again later.
func (r *run) record(ctx context.Context, p performed) error {
	now := r.m.now()
	var latest Request
	_, err := manage.Operation[reading, *series]{
		Read: func(ctx context.Context) (rd reading, err error) {
			if rd.request, err = r.m.store.Request(ctx, r.task.RequestID); err != nil {
				return rd, nonsense(err)
			}
			latest = rd.request
			return rd, r.m.readTasks(ctx, &rd, now, false)
		},
		Decide: func(rd reading) (*series, bool, error) {
			if !r.holds(rd.request) {
				return nil, false, r.lostError()
			}
			s := rd.series(r.m.config, now)
			s.request.LeaseUntil, s.request.Failures = time.Time{}, 0
			t, open := s.find(r.task.ID)
			if !open || !r.isCurrent(*t) {
				return s, true, nil
			}
			return s, true, s.recordPerformed(t, p, now)
		},
		Commit: func(ctx context.Context, s *series) error { return r.m.commit(ctx, s, now) },
	}.Run(ctx)
	if err == nil || !r.holds(latest) {
		return err
	}
	return r.m.finish(ctx, latest, latest.givenBack(now), err, now)
}

func (r *run) lostError() error {
	return &Error{Op: OpTick, RequestID: r.task.RequestID, TaskID: r.task.ID, ServerID: r.task.ServerID, Err: ErrConflict,
		Msg: fmt.Sprintf("the lease on the backup task of server %s for %s was lost while it was performed: its result is dropped",
			r.task.ServerName, dateText(r.task.At))}
}

func (r *run) report(err error) error {
	return report(OpTick, ids{r.task.RequestID, r.task.ID, r.task.ServerID}, err)
}

// recordPerformed records on a task what the Performer returned.
func (s *series) recordPerformed(t *Task, p performed, now time.Time) error {
	switch {
	case p.err == nil:
		return s.complete(t, p.result, now)
	case errors.Is(p.err, errStopped):
		return nil
	}
	t.Tries++
	if t.Tries < s.config.Tries {
		t.TryAt, t.Reason = zone.Instant(now.Add(retryBackoff().Delay(t.Tries))), p.reason()
		t.PerformerFailed = true
		return nil
	}
	return s.fail(t, p.reason(), true, now)
}
