package cancellation

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// The brakes: what keeps a wrong clock, a bad import and a restored copy from taking back servers that nobody meant.

// pausedAgain is when a paused execution is looked at again.
const pausedAgain = 10 * time.Minute

// MaxConfirm is the most cancellations that one call of Confirm takes.
const MaxConfirm = 1000

// waits reports whether a cancellation waits for Confirm: nothing happens to it by itself.
func (m *Manager) waits(c Cancellation) bool {
	return c.State.Active() && (c.Held || c.Epoch != m.config.Epoch)
}

// aside is a claimed cancellation as it is put aside until a person confirms it: it is never due.
func (c Cancellation) aside() Cancellation {
	c.Due, c.LeaseUntil = time.Time{}, time.Time{}
	return c
}

// pauseIfAsked gives back an execution if Settings.Paused is set.
func (m *Manager) pauseIfAsked(ctx context.Context, c Cancellation) (paused bool, err error) {
	settings, err := m.readSettings(ctx, c.ResellerID)
	now := m.now()
	switch {
	case err != nil:
		return false, m.giveBack(ctx, c, err, now)
	case !settings.Paused:
		return false, nil
	}
	c.Due, c.LeaseUntil = now.Add(pausedAgain), time.Time{}
	return true, ignoreConflict(m.recordDecision(ctx, now, decision{cancellation: c}))
}

// counted is what decides whether an execution may begin under Config.MaxExecutions.
type counted struct {
	settings Settings
	stored   Cancellation
}

// commitBegin stores next, the beginning of a claimed execution, and reports whether it did. If the reseller has paused executions
// meanwhile, or if the execution is above Config.MaxExecutions, it stores that instead.
func (m *Manager) commitBegin(
	ctx context.Context, claimed Cancellation, due dueAction, next Cancellation, now time.Time,
) (begun bool, err error) {
	limit := m.config.MaxExecutions
	if next.Confirmed {
		limit = -1
	}
	if limit >= 0 {
		m.counting.Lock() // the executions of a reseller would be in each other's way
		defer m.counting.Unlock()
	}
	operation := manage.Operation[counted, Change]{
		Read: func(ctx context.Context) (r counted, err error) {
			if r.settings, err = m.readSettings(ctx, claimed.ResellerID); err == nil {
				r.stored, err = m.store.Cancellation(ctx, claimed.ID)
			}
			return r, err
		},
		Decide: func(r counted) (change Change, write bool, err error) {
			begun = false
			if r.stored.Version != claimed.Version {
				return change, false, nil // another process has changed it, and continues there
			}
			if r.settings.Paused {
				change, err = decision{due.cancellation.planned(r.settings, now), due.facts}.toChange(now)
				return change, true, err
			}
			s, d := r.settings, decision{next, due.facts}
			if begun = true; limit >= 0 {
				s = s.count(limit, now)
				if begun = s.Begun <= limit; !begun {
					s, d = s.hold(limit, due.decision, now)
				}
			}
			if change, err = d.toChange(now); limit >= 0 {
				change.Settings = []Settings{s}
			}
			return change, true, err
		},
		Commit: func(ctx context.Context, c Change) error { return m.store.Commit(ctx, c) },
	}
	err = m.record(ctx, func(ctx context.Context) error {
		_, err := operation.Run(ctx)
		return err
	})
	if err != nil {
		return false, m.giveBack(ctx, claimed, err, now)
	}
	return begun, nil
}

// count returns the settings with one more execution of the day, but not more than one above the limit. The clocks of two processes may
// differ at midnight: the day that has begun for one of them goes on for both.
func (s Settings) count(limit int, now time.Time) Settings {
	today := utcDay(now)
	begunElsewhere := s.Day.After(today) && !s.Day.After(today.Add(24*time.Hour))
	if !s.Day.Equal(today) && !begunElsewhere {
		s.Day, s.Begun = today, 0
	}
	s.Begun = min(s.Begun, limit) + 1
	return s
}

// utcDay returns the beginning of the UTC day.
func utcDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// hold makes a cancellation whose execution would be above the limit wait for Confirm. The reseller is told once a day.
func (s Settings) hold(limit int, d decision, now time.Time) (Settings, decision) {
	c := d.cancellation.aside()
	c.Held = true
	c.record(now, dedicated.Actor{Role: dedicated.System, ResellerID: c.ResellerID}, entryHeld, "", c.At, time.Time{})
	d.cancellation = c
	if !s.HeldOn.Equal(s.Day) {
		s.HeldOn = s.Day
		d.facts = append(d.facts, c.heldNotice(limit))
	}
	return s, d
}

// Confirm lets cancellations go on that wait for a person: those that were Held above Config.MaxExecutions, and those whose last
// decision was made before the database was restored (Query.Unconfirmed). A cancellation that does not wait stays as it is, so
// that Confirm may be repeated. All of them are confirmed, or none is.
//
// A client gets ErrForbidden. An ID that the actor may not know of is ErrNotFound, more than MaxConfirm IDs are ErrInvalid.
func (m *Manager) Confirm(ctx context.Context, a dedicated.Actor, ids ...uuid.UUID) error {
	if !a.Manages(a.ResellerID) {
		return actorError(OpConfirm, a)
	}
	if len(ids) > MaxConfirm {
		return invalid(OpConfirm, "ids", "%d cancellations: want %d at the most", len(ids), MaxConfirm)
	}
	now := m.now()
	_, err := manage.Operation[[]Cancellation, []Cancellation]{
		Read: func(ctx context.Context) (all []Cancellation, err error) {
			for _, id := range manage.Distinct(ids) {
				c, err := m.readVisible(ctx, a, OpConfirm, id)
				if err != nil {
					return nil, err
				}
				all = append(all, c)
			}
			return all, nil
		},
		Decide: func(all []Cancellation) (confirmed []Cancellation, write bool, err error) {
			for _, c := range all {
				if m.waits(c) {
					confirmed = append(confirmed, c.confirm(a, m.config.Epoch, now))
				}
			}
			return confirmed, len(confirmed) > 0, nil
		},
		Commit: func(ctx context.Context, confirmed []Cancellation) error {
			return m.store.Commit(ctx, Change{Cancellations: confirmed})
		},
	}.Run(ctx)
	return explain(OpConfirm, uuid.Nil, uuid.Nil, err)
}

// confirm returns the cancellation as it goes on, in the present epoch.
func (c Cancellation) confirm(by dedicated.Actor, epoch string, now time.Time) Cancellation {
	c.Confirmed = c.Confirmed || c.Held
	c.Held, c.Epoch = false, epoch
	c.record(now, by, entryConfirmed, "", time.Time{}, time.Time{})
	c.Due, c.LeaseUntil = now, time.Time{}
	return c
}
