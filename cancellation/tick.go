package cancellation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/backoff"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

const (
	batchSize  = 100  // how many records are claimed and committed at once
	stuckAfter = 5    // the consecutive failures after which the reseller is told
	maxError   = 1000 // bytes of LastError

	rearmAgainAfter = time.Hour
)

// retryBackoff is how long a failed record waits.
func retryBackoff() backoff.Policy { return backoff.Policy{First: time.Minute, Max: time.Hour} }

var _ dedicated.Ticker = (*Manager)(nil)

// Tick does everything that is due, the oldest first, a bounded batch at a time: warnings, executions, and what follows from
// changed settings and billing. Up to Config.Parallel executions run at once; meanwhile Tick goes on with what falls due, and returns when
// nothing is due and nothing runs. If one cancellation fails, Tick goes on with the others and joins the errors; the failed one is
// tried again later. A record that the Store cannot read is an error of its own, and the Store tries it again later. A call of a
// host's part that ignores its deadline is left behind, and Tick does not wait for it. A second Tick
// at the same instant does nothing. next is the instant at which Tick should be called again; zero: nothing is planned.
//
// A scheduled end of a period is looked at once a day even if nothing is due, because the server's billing may have changed without
// the Subscriber: see the comment of the package for what this costs.
//
// The refusal of a gate is not an error of Tick: the record keeps it. Other processes may call Tick at the same time. The
// errors are for the log: they repeat what the host's parts said.
func (m *Manager) Tick(ctx context.Context) (next time.Time, err error) {
	rs := m.newRuns()
	for {
		now := m.now()
		rs.addError(m.keepLeft(ctx, now))
		var next time.Time
		rs.drain(ctx)
		if !rs.full() {
			due, err := m.store.ClaimDue(ctx, now, now.Add(m.config.Lease), batchSize)
			if err != nil {
				return time.Time{}, rs.finish(report(opTick, uuid.Nil, uuid.Nil, err))
			}
			executions, lookUps, err := m.processBatch(ctx, due.Cancellations, now)
			rs.addError(err)
			rs.add(executions, lookUps)
			// The settings come after the cancellations, because rearm takes the claims of this batch away.
			for _, s := range due.Settings {
				rs.addError(report(opTick, uuid.Nil, uuid.Nil, m.rearm(ctx, s)))
			}
			next = due.Next
			if rs.addUnreadable(due) || len(due.Cancellations)+len(due.Settings) > 0 {
				rs.start(ctx)
				continue
			}
		}
		if rs.start(ctx); rs.count() == 0 {
			return zone.Earlier(next, m.left.next()), rs.finish(nil)
		}
		rs.wait(ctx, zone.Earlier(next, m.left.next()), now)
	}
}

// action is what a Tick does with a cancellation.
type action uint8

const (
	save    action = iota // store it: it was warned of, moved or planned anew
	end                   // store it: it has ended without an execution
	execute               // begin the execution
)

// dueAction says what is to be done with a claimed cancellation that is scheduled.
type dueAction struct {
	action
	decision                  // execute: the cancellation as it is before the execution, still scheduled
	server   dedicated.Server // execute
	settings Settings         // execute
}

// processBatch does what is due of claimed cancellations and only changes records, in one commit. It returns those whose execution begins
// or continues, and those whose servers take long to look up.
func (m *Manager) processBatch(ctx context.Context, claimed []Cancellation, now time.Time) (executions, lookUps []Cancellation, err error) {
	var errs []error
	var items []manage.Item[Change]
	settings := map[uuid.UUID]Settings{} // read after the claim, so that no save is missed
	servers := m.prefetch(ctx, claimed)
	for _, c := range claimed {
		if c.State == Executing && !m.waits(c) {
			executions = append(executions, c)
			continue
		}
		d := decision{cancellation: c.aside()}
		if !m.waits(c) {
			due, err := m.readAndDecide(ctx, c, settings, servers, now)
			switch {
			case err == nil && due.action == execute:
				executions = append(executions, c)
				continue
			case slow(ctx, err):
				lookUps = append(lookUps, c)
				continue
			}
			d = due.decision
			if err != nil {
				errs = append(errs, c.tickError(err))
				d = c.givenBack(c, err, m.now()) // the part may have failed at its deadline
			}
		}
		item, err := batchItem(c, d, now)
		if err != nil {
			errs = append(errs, c.tickError(err))
			continue
		}
		items = append(items, item)
	}
	_, _, err = manage.CommitBatch(ctx, m.store.Commit, items)
	errs = append(errs, report(opTick, uuid.Nil, uuid.Nil, err))
	return executions, lookUps, errors.Join(errs...)
}

// batchItem makes the item of a batch that stores d. If the Store refuses it, c is given back with the failure.
func batchItem(c Cancellation, d decision, now time.Time) (manage.Item[Change], error) {
	change, err := d.toChange(now)
	return manage.Item[Change]{
		Change: change,
		Refused: func(failure error) (Change, error) {
			giveBack, err := c.givenBack(c, failure, now).toChange(now)
			return giveBack, errors.Join(c.tickError(failure), err)
		},
	}, err
}

// tickError is a failure of a claimed cancellation, for the log. nil stays nil.
func (c Cancellation) tickError(failure error) error {
	if failure != nil && !manage.Explained[*Error](failure) {
		failure = fmt.Errorf("cancellation %s of server %s: %w", c.ID, c.ServerName, failure)
	}
	return report(opTick, c.ID, c.ServerID, failure)
}

// prefetch reads the servers of the claimed cancellations that are scheduled.
func (m *Manager) prefetch(ctx context.Context, claimed []Cancellation) dedicated.Inventory {
	servers := map[uuid.UUID][]uuid.UUID{}
	for _, c := range claimed {
		if c.State == Scheduled && !m.waits(c) {
			servers[c.ResellerID] = append(servers[c.ResellerID], c.ServerID)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, m.config.patience())
	defer cancel()
	return inventory.Prefetch(ctx, m.impatient, servers)
}

// maxPatience is how long a batch waits for the servers of its cancellations. Cancellations whose servers take longer are decided
// beside it, each by itself and with the deadline of every other call, so that they hold up no other.
const maxPatience = 10 * time.Second

func (c *Config) patience() time.Duration { return min(c.StepTimeout, maxPatience) }

// slow reports whether a look-up took longer than a batch waits.
func slow(ctx context.Context, err error) bool {
	var left *fault.LeftError
	var busy *fault.BusyError
	return ctx.Err() == nil && (errors.As(err, &left) || errors.As(err, &busy) || errors.Is(err, context.DeadlineExceeded))
}

// readAndDecide reads the settings and the server of a claimed cancellation that is scheduled, and decides what is to be done.
func (m *Manager) readAndDecide(
	ctx context.Context, c Cancellation, settings map[uuid.UUID]Settings, servers dedicated.Inventory, now time.Time,
) (due dueAction, err error) {
	r := reading{cancellation: c}
	cached := false
	if r.settings, cached = settings[c.ResellerID]; !cached {
		if r.settings, err = m.readSettings(ctx, c.ResellerID); err != nil {
			return due, err
		}
		settings[c.ResellerID] = r.settings
	}
	if r.server, r.found, err = inventory.Server(ctx, servers, c.ResellerID, c.ServerID); err != nil {
		return due, err
	}
	return r.decideDue(now)
}

// decideDue decides what is to be done with a scheduled cancellation.
func (r reading) decideDue(now time.Time) (dueAction, error) {
	c := r.cancellation
	if !r.found || !c.holds(r.server) || !r.server.Used() {
		d, err := c.discardAsLeft(now)
		return dueAction{action: end, decision: d}, err
	}
	if !r.server.Owner.Own() {
		d, err := c.failAsProviders(now)
		return dueAction{action: end, decision: d}, err
	}
	at, err := c.resolveDate(r.server, now)
	if err != nil {
		return dueAction{}, err
	}
	by := inventory.System(c.ResellerID)
	next := c
	next.ServerName = r.server.Name
	next.clearFailures()
	var facts []manage.Fact
	if !at.Equal(c.At) {
		next.moveTo(by, entryMoved, at, r.server, now)
		facts = next.moveFacts(now, c.At, by)
	}
	if !r.settings.Paused && !now.Before(next.earliestExecution(r.settings, now)) {
		return dueAction{execute, decision{next, facts}, r.server, r.settings}, nil
	}
	facts = append(facts, next.warn(r.settings, now)...)
	next.plan(r.settings, now)
	return dueAction{action: save, decision: decision{next, facts}}, nil
}

const reasonServerLeft = "server left"

// discardAsLeft ends a scheduled cancellation whose server has left its client. Nothing is done to the server. The client is told
// nothing: the release of the server was told.
func (c Cancellation) discardAsLeft(now time.Time) (decision, error) {
	d, err := c.discard(OpServerLeft, inventory.System(c.ResellerID), reasonServerLeft, now)
	d.facts = append(d.facts, d.cancellation.notice(KindServerLeft, now, c.Reason))
	return d, err
}

// failAsProviders ends a scheduled cancellation whose server has become a provider's: only the provider can end it.
func (c Cancellation) failAsProviders(now time.Time) (decision, error) {
	next, err := c.fail(OpOwnerChanged, "the server now belongs to a provider: ask the provider to cancel it", now)
	d := decision{next, []manage.Fact{next.failureNotice(KindFailed)}}
	if next.knownToClient() {
		d.facts = append(d.facts, next.notice(KindDiscarded, now, ""))
	}
	return d, err
}

// fail ends a cancellation as failed, for a reason.
func (c Cancellation) fail(op Op, reason string, now time.Time) (Cancellation, error) {
	next, err := c.move(op)
	reason = text.Clean(reason, maxError)
	next.record(now, inventory.System(c.ResellerID), entryFailed, reason, time.Time{}, time.Time{})
	next.LastError, next.RetryAt = reason, time.Time{}
	next.neverDue()
	return next, err
}

// givenBack gives a claimed cancellation back after a failure, to be tried again later. next is c with the changes that are to be
// kept.
// since is the instant of the failure, from which the wait is counted.
func (c Cancellation) givenBack(next Cancellation, failure error, since time.Time) decision {
	next.Attempts = c.Attempts + 1
	next.LastError = text.Clean(failure.Error(), maxError)
	next.RetryAt = zone.Instant(since.Add(retryBackoff().Delay(next.Attempts)))
	next.LeaseUntil, next.BegunAt, next.PendingUntil = time.Time{}, time.Time{}, time.Time{}
	next.Due = next.due(Settings{}, since)
	d := decision{cancellation: next}
	if next.Attempts == stuckAfter {
		d.facts = append(d.facts, next.failureNotice(KindStuck))
	}
	return d
}

// giveBack stores a failure of a claimed cancellation, and returns it. If another process has changed the record meanwhile, there
// is nothing to give back. What fails because ctx has ended is no failure of the cancellation.
func (m *Manager) giveBack(ctx context.Context, c Cancellation, failure error, now time.Time) error {
	d := c.givenBack(c, failure, now)
	if ctx.Err() != nil {
		d = decision{cancellation: c.stopped(now)}
	}
	return errors.Join(failure, ignoreConflict(m.recordDecision(ctx, now, d)))
}

// ignoreConflict drops the conflict of a process that has lost its lease: another process continues.
func ignoreConflict(err error) error {
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// rearm plans a batch of a reseller's scheduled cancellations under changed settings, and records its position. Cancellations
// that are scheduled meanwhile follow the settings at their first claim.
func (m *Manager) rearm(ctx context.Context, claimed Settings) error {
	now := m.now()
	scheduled, next, err := m.store.Cancellations(ctx, claimed.ResellerID, Query{
		States: []State{Scheduled}, Limit: batchSize, After: claimed.Rearm,
	})
	if err, refused := manage.OwnCursor(err); refused {
		// Begin again: the Store may have made the cursor before its host updated it.
		return errors.Join(err, m.commitFollowed(ctx, claimed, "", true, now))
	}
	if err != nil {
		return err
	}
	var errs []error
	var items []manage.Item[Change]
	var ids []uuid.UUID
	for _, c := range scheduled {
		if c.SettingsVersion == claimed.Saved || m.waits(c) {
			continue
		}
		item, err := batchItem(c, decision{cancellation: c.planned(claimed, now)}, now)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		items, ids = append(items, item), append(ids, c.ID)
	}
	conflicts, kept, err := manage.CommitBatch(ctx, m.store.Commit, items)
	errs = append(errs, err)
	missed := len(kept) > 0 || len(errs) > 1
	for _, i := range conflicts {
		err := m.rearmOne(ctx, claimed, ids[i])
		errs, missed = append(errs, err), missed || err != nil
	}
	if err := ctx.Err(); err != nil {
		return errors.Join(append(errs, err)...)
	}
	errs = append(errs, m.commitFollowed(ctx, claimed, next, missed, now))
	return errors.Join(errs...)
}

// commitFollowed records the position of rearm, unless the settings were saved again: then all cancellations will follow those.
func (m *Manager) commitFollowed(ctx context.Context, claimed Settings, next string, missed bool, now time.Time) error {
	_, err := manage.Operation[Settings, Settings]{
		Read: func(ctx context.Context) (Settings, error) { return m.readSettings(ctx, claimed.ResellerID) },
		Decide: func(s Settings) (Settings, bool, error) {
			ours := s.Saved == claimed.Saved && s.LeaseUntil.Equal(claimed.LeaseUntil)
			s.followed(next, missed, now)
			return s, ours, nil
		},
		Commit: func(ctx context.Context, s Settings) error {
			return m.store.Commit(ctx, Change{Settings: []Settings{s}})
		},
	}.Run(ctx)
	return ignoreConflict(err) // after many conflicts its lease ends by itself
}

// followed records that a batch of the scheduled cancellations follows the settings. next is the cursor of the next batch. If some
// cancellation could neither follow nor be given back, another pass begins an hour after this one, so that the store's refusal of
// one cancellation costs no other its warnings.
func (s *Settings) followed(next string, missed bool, now time.Time) {
	s.RearmAgain = s.RearmAgain || missed
	s.Rearm, s.LeaseUntil = next, time.Time{}
	switch {
	case next != "":
		s.Due = now
	case s.RearmAgain:
		s.Due, s.RearmAgain = now.Add(rearmAgainAfter), false
	default:
		s.Due = time.Time{}
	}
}

// rearmOne plans a cancellation that another process changed during the batch.
func (m *Manager) rearmOne(ctx context.Context, s Settings, id uuid.UUID) error {
	now := m.now()
	_, err := manage.Operation[Cancellation, decision]{
		Read: func(ctx context.Context) (Cancellation, error) { return m.store.Cancellation(ctx, id) },
		Decide: func(c Cancellation) (decision, bool, error) {
			stale := c.State == Scheduled && c.SettingsVersion != s.Saved && !m.waits(c)
			return decision{cancellation: c.planned(s, now)}, stale, nil
		},
		Commit: func(ctx context.Context, d decision) error { return m.commit(ctx, now, d) },
	}.Run(ctx)
	return err
}
