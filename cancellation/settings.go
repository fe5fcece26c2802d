package cancellation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/refund"
)

// The bounds of the settings.
const (
	MaxDays  = 1000 // the largest number of days in a setting
	MaxLeads = 20   // the most warnings for one date
)

// Settings are the settings of one reseller. A reseller that never saved any has the zero value: no warnings, no notice,
// clients may order but not discard, Config.RefundFormula.
//
// Days are calendar days in the server's zone: n days before an instant is the same local time n dates earlier.
type Settings struct {
	ResellerID       uuid.UUID
	Warn             bool  // clients are warned
	DaysAhead        []int // the days ahead, 1 to MaxDays each, in any order, MaxLeads at the most; required if Warn is on
	ClientMayDiscard bool  // a client may move and discard its own orders
	// ClientMayChooseDate lets a client order any date that NoticeDays, LockDays and at least one day leave. Off: ends of periods only.
	ClientMayChooseDate bool
	Paused              bool // no execution begins or continues until it is lifted; warnings go on
	// NoticeDays and LockDays are frozen with each order and move of a client.
	NoticeDays int // a client must order at least so many days before the end of the period; 0: no notice
	LockDays   int // within so many days before the date a client may change nothing; 0: no lock
	// MinWarningDays postpones an execution, once, until so many days after its first warning, if it was ordered so many days ahead.
	// 0: never.
	MinWarningDays int
	Formula        string // for refund.Parse; "": Config.RefundFormula

	Saved           int64     // the Version that the last save made, 0 before the first; a claim does not change it
	Rearm           string    // the Store's cursor behind the last scheduled cancellation that follows these settings already
	RearmAgain      bool      // a cancellation could not follow in this pass: another pass begins after it
	Day             time.Time // the UTC day that Begun counts; zero: none yet
	Begun           int       // the executions that began on Day, for Config.MaxExecutions
	HeldOn          time.Time // the UTC day on which the reseller was last told of Config.MaxExecutions; zero: never
	Due, LeaseUntil time.Time // when the scheduled cancellations are to follow; zero: they are up to date
	Version         int64
}

// clone returns a copy that shares no slice with s.
func (s Settings) clone() Settings {
	s.DaysAhead = slices.Clone(s.DaysAhead)
	return s
}

func (s Settings) check(op Op) error {
	for _, days := range []struct {
		field string
		n     int
	}{{"NoticeDays", s.NoticeDays}, {"LockDays", s.LockDays}, {"MinWarningDays", s.MinWarningDays}} {
		if days.n < 0 || days.n > MaxDays {
			return invalid(op, days.field, "%d days: want 0 to %d", days.n, MaxDays)
		}
	}
	if s.Warn && len(s.DaysAhead) == 0 {
		return invalid(op, "DaysAhead", "missing: warnings are on, want at least one number of days")
	}
	if len(s.DaysAhead) > MaxLeads {
		return invalid(op, "DaysAhead", "%d warnings: want %d at the most", len(s.DaysAhead), MaxLeads)
	}
	for _, lead := range s.DaysAhead {
		if lead < 1 || lead > MaxDays {
			return invalid(op, "DaysAhead", "%d days ahead: want 1 to %d", lead, MaxDays)
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

// parseFormula returns the reseller's own formula, or the default.
func (s Settings) parseFormula(fallback RefundFormula) (RefundFormula, error) {
	if s.Formula == "" {
		return fallback, nil
	}
	return refund.Parse(s.Formula)
}

// Settings returns the settings of the actor's reseller. A client gets ErrForbidden.
func (m *Manager) Settings(ctx context.Context, a dedicated.Actor) (Settings, error) {
	if !a.Manages(a.ResellerID) {
		return Settings{}, actorError(opSettings, a)
	}
	s, err := m.readSettings(ctx, a.ResellerID)
	return s, explain(opSettings, uuid.Nil, uuid.Nil, err)
}

// SaveSettings replaces the settings of the actor's reseller and returns them as stored. The scheduled cancellations follow in
// batches, at the next ticks. No warning is repeated.
//
// Version is the Version that was read: if somebody has saved others since, it is ErrConflict. 0 replaces whatever is stored. A
// ResellerID that is neither nil nor the actor's is ErrNotFound. A field that is out of bounds is ErrInvalid. The Manager
// sets Saved, Rearm, RearmAgain, Day, Begun, HeldOn, Due and LeaseUntil.
func (m *Manager) SaveSettings(ctx context.Context, a dedicated.Actor, s Settings) (Settings, error) {
	if !a.Manages(a.ResellerID) {
		return Settings{}, actorError(opSaveSettings, a)
	}
	if s.ResellerID != uuid.Nil && s.ResellerID != a.ResellerID {
		return Settings{}, &Error{Op: opSaveSettings, Field: "ResellerID", Msg: "ResellerID: reseller not found", Err: ErrNotFound}
	}
	if err := s.check(opSaveSettings); err != nil {
		return Settings{}, err
	}
	now := m.now()
	saved, err := manage.Operation[Settings, Settings]{
		Read:   func(ctx context.Context) (Settings, error) { return m.readSettings(ctx, a.ResellerID) },
		Decide: func(stored Settings) (Settings, bool, error) { return s.replace(stored, now) },
		Commit: func(ctx context.Context, s Settings) error {
			return m.store.Commit(ctx, Change{Settings: []Settings{s}})
		},
	}.Run(ctx)
	if err != nil {
		return Settings{}, explain(opSaveSettings, uuid.Nil, uuid.Nil, err)
	}
	saved.Version++
	return saved, nil
}

// replace returns the settings as they replace the stored ones.
func (s Settings) replace(stored Settings, now time.Time) (next Settings, write bool, err error) {
	if s.Version != 0 && s.Version < stored.Saved || s.Version > stored.Version {
		return s, false, &Error{Op: opSaveSettings, Field: "Version", Err: ErrConflict,
			Msg: "somebody else has saved the settings since they were read: read them again"}
	}
	next = s.clone()
	next.ResellerID, next.Version, next.Saved = stored.ResellerID, stored.Version, stored.Version+1
	next.Rearm, next.RearmAgain, next.Due, next.LeaseUntil = "", false, now, time.Time{}
	next.Day, next.Begun, next.HeldOn = stored.Day, stored.Begun, stored.HeldOn
	return next, true, nil
}
