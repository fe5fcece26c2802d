package cancellation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/refund"
)

// Bounds of the settings.
const (
	MaxDays  = 1000 // of everything that is counted in days
	MaxLeads = 20   // warnings for one date
)

// Settings of one reseller. The zero value is what a reseller has who never saved any: no warnings, no notice, clients may
// order but not withdraw, Config.RefundFormula.
//
// Days are calendar days in the server's zone: n days before means the same local time n dates earlier.
type Settings struct {
	ResellerID       uuid.UUID
	Warn             bool   // whether clients are warned
	DaysAhead        []int  // how many days ahead, 1 to MaxDays each, in any order; wanted if Warn is on
	ClientMayDiscard bool   // whether a client may move or discard what it has ordered itself
	NoticeDays       int    // a client's order must come so many days before the period's end; 0: none
	LockDays         int    // in so many days before the date a client may change nothing; 0: none
	MinWarningDays   int    // postpone an execution, once, until so many days after its first warning; 0: never
	Formula          string // for refund.Parse; "": Config.RefundFormula

	Saved           int64     // the Version that the last save made: 0 before the first, the same through all claims
	Rearm           string    // how far the scheduled ones were reckoned again since: a Store's cursor
	Due, LeaseUntil time.Time // when the scheduled ones are to be reckoned again; zero: they are up to date
	Version         int64
}

// clone shares no slice with s.
func (s Settings) clone() Settings {
	s.DaysAhead = slices.Clone(s.DaysAhead)
	return s
}

func (s Settings) check(op string) error {
	for _, days := range []struct {
		field string
		n     int
	}{{"NoticeDays", s.NoticeDays}, {"LockDays", s.LockDays}, {"MinWarningDays", s.MinWarningDays}} {
		if days.n < 0 || days.n > MaxDays {
			return invalid(op, days.field, "%d days: 0 to %d are possible", days.n, MaxDays)
		}
	}
	if s.Warn && len(s.DaysAhead) == 0 {
		return invalid(op, "DaysAhead", "missing: warnings are on, so it takes at least one number of days")
	}
	if len(s.DaysAhead) > MaxLeads {
		return invalid(op, "DaysAhead", "%d warnings: up to %d are possible", len(s.DaysAhead), MaxLeads)
	}
	for _, lead := range s.DaysAhead {
		if lead < 1 || lead > MaxDays {
			return invalid(op, "DaysAhead", "%d days ahead: 1 to %d are possible", lead, MaxDays)
		}
	}
	if s.Formula == "" {
		return nil
	}
	if _, err := refund.Parse(s.Formula); err != nil {
		return &Error{Op: op, Field: "Formula", Msg: "Formula: " + err.Error(), Err: errors.Join(ErrInvalid, err)}
	}
	return nil
}

// formula is the reseller's own one, or the default.
func (s Settings) formula(otherwise RefundFormula) (RefundFormula, error) {
	if s.Formula == "" {
		return otherwise, nil
	}
	return refund.Parse(s.Formula)
}

// settings reads a reseller's settings; who never saved any has the zero ones.
func (m *Manager) settings(ctx context.Context, reseller uuid.UUID) (Settings, error) {
	s, err := m.config.Store.Settings(ctx, reseller)
	if errors.Is(err, ErrNotFound) {
		return Settings{ResellerID: reseller}, nil
	}
	return s, err
}

// Settings returns the settings of the actor's reseller. A client is refused: ErrForbidden.
func (m *Manager) Settings(ctx context.Context, a dedicated.Actor) (Settings, error) {
	const op = "Settings"
	if !a.Manages(a.ResellerID) {
		return Settings{}, nobody(op, a)
	}
	s, err := m.settings(ctx, a.ResellerID)
	return s, asError(op, uuid.Nil, uuid.Nil, err)
}

// SaveSettings replaces the settings of the actor's reseller, and returns them as stored. Everything that is scheduled
// follows them, in batches at the next ticks, without repeating a warning.
//
// Version is the one that was read; if somebody has saved others since, that is ErrConflict. 0 saves whatever is stored.
// A ResellerID that is neither nil nor the actor's is ErrNotFound; what the fields do not allow is ErrInvalid. Saved,
// Rearm, Due and LeaseUntil are the Manager's, whatever is given.
func (m *Manager) SaveSettings(ctx context.Context, a dedicated.Actor, s Settings) (Settings, error) {
	const op = "SaveSettings"
	if !a.Manages(a.ResellerID) {
		return Settings{}, nobody(op, a)
	}
	if s.ResellerID != uuid.Nil && s.ResellerID != a.ResellerID {
		return Settings{}, &Error{Op: op, Field: "ResellerID", Msg: "ResellerID: no such reseller to save for", Err: ErrNotFound}
	}
	if err := s.check(op); err != nil {
		return Settings{}, err
	}
	now := m.now()
	next := s.clone()
	err := fault.Retry(ctx, func() error {
		stored, err := m.settings(ctx, a.ResellerID)
		if err != nil {
			return err
		}
		if s.Version != 0 && s.Version < stored.Saved || s.Version > stored.Version {
			return &Error{Op: op, Field: "Version", Err: ErrConflict,
				Msg: "the settings were saved by somebody else since they were read: read them again"}
		}
		next.ResellerID, next.Version, next.Saved = a.ResellerID, stored.Version, stored.Version+1
		next.Rearm, next.Due, next.LeaseUntil = "", now, time.Time{}
		return m.config.Store.Commit(ctx, Change{Settings: []Settings{next}})
	})
	if err != nil {
		return Settings{}, asError(op, uuid.Nil, uuid.Nil, err)
	}
	next.Version++
	return next, nil
}

// rearm reckons a batch of a reseller's scheduled cancellations again and notes how far it got. What changes meanwhile is
// read again; what is scheduled meanwhile looks at the settings at its first claim.
func (m *Manager) rearm(ctx context.Context, claimed Settings) error {
	now := m.now()
	items, next, err := m.config.Store.Cancellations(ctx, claimed.ResellerID, Query{
		States: []State{Scheduled}, Limit: batch, After: claimed.Rearm,
	})
	if err != nil {
		return err
	}
	var stale []outcome
	for _, c := range items {
		if c.SettingsVersion != claimed.Saved {
			stale = append(stale, outcome{before: c, after: c.armed(claimed, now)})
		}
	}
	lost, err := m.commitAll(ctx, now, stale)
	errs := []error{err}
	for _, o := range lost {
		errs = append(errs, m.rearmOne(ctx, claimed, o.before.ID))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	claimed.Rearm, claimed.LeaseUntil, claimed.Due = next, time.Time{}, now
	if next == "" {
		claimed.Due = time.Time{}
	}
	err = m.config.Store.Commit(ctx, Change{Settings: []Settings{claimed}})
	if errors.Is(err, ErrConflict) {
		return nil // saved again meanwhile: they will be reckoned again
	}
	return err
}

// rearmOne reads a cancellation that changed under the batch, and reckons it.
func (m *Manager) rearmOne(ctx context.Context, s Settings, id uuid.UUID) error {
	return fault.Retry(ctx, func() error {
		now := m.now()
		c, err := m.config.Store.Cancellation(ctx, id)
		if err != nil || c.State != Scheduled || c.SettingsVersion == s.Saved {
			return err
		}
		return m.commit(ctx, now, c.armed(s, now))
	})
}

// armed is the cancellation as it is due under other settings.
func (c Cancellation) armed(s Settings, now time.Time) Cancellation {
	c.arm(s, now)
	return c
}
