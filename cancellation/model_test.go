package cancellation_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// model is a minimal model of cancellations, without versions, leases and due times. It says what an operation must answer, and
// what must be true of the records at any time.
type model struct {
	berlin     *time.Location
	now        time.Time
	settings   cancellation.Settings
	gateClosed bool // the gate refuses
	last       map[uuid.UUID]cancellation.State
}

// addDays returns the same local time n calendar days later.
func (m *model) addDays(t time.Time, n int) time.Time { return t.In(m.berlin).AddDate(0, 0, n) }

// wantSchedule returns the error that Schedule must return; nil: it succeeds.
func (m *model) wantSchedule(client bool, s dedicated.Server, active bool, w cancellation.When, end time.Time) error {
	switch {
	case !s.Used():
		return map[bool]error{true: cancellation.ErrNotFound, false: cancellation.ErrConflict}[client]
	case active:
		return cancellation.ErrConflict
	}
	return m.wantWhen(client, w, end)
}

// wantWhen returns the error for a When alone. end is the end of the current period.
func (m *model) wantWhen(client bool, w cancellation.When, end time.Time) error {
	switch {
	case !w.EndOfPeriod && w.At.Before(m.now):
		return cancellation.ErrInvalid
	case client && m.now.After(m.addDays(end, -m.settings.NoticeDays)):
		return cancellation.ErrForbidden
	case client && m.locked(end), m.gateClosed:
		return cancellation.ErrForbidden
	}
	return nil
}

func (m *model) locked(at time.Time) bool {
	return m.settings.LockDays > 0 && m.now.After(m.addDays(at, -m.settings.LockDays))
}

// wantChange returns the error of Reschedule and Discard, apart from that for a date. client is nil for the reseller.
func (m *model) wantChange(client uuid.UUID, c cancellation.Cancellation) error {
	byClient := client != uuid.Nil
	switch {
	case byClient && c.ClientID != client:
		return cancellation.ErrNotFound
	case byClient && (c.By.Role != dedicated.Client || !m.settings.ClientMayDiscard):
		return cancellation.ErrForbidden
	case c.State != cancellation.Scheduled:
		return cancellation.ErrConflict
	case byClient && m.locked(c.At):
		return cancellation.ErrForbidden
	}
	return nil
}

// checkInvariants checks all records after an operation.
func (m *model) checkInvariants(all []cancellation.Cancellation) error {
	active := map[uuid.UUID]bool{}
	for _, c := range all {
		if was := m.last[c.ID]; was != "" && was != c.State && !isPossible(was, c.State) {
			return fmt.Errorf("%s became %s", was, c.State)
		}
		m.last[c.ID] = c.State
		if c.State.Active() && active[c.Assignment] {
			return fmt.Errorf("two cancellations of one assignment are active")
		}
		active[c.Assignment] = active[c.Assignment] || c.State.Active()
		if !c.When.EndOfPeriod && !c.At.Equal(c.When.At) {
			return fmt.Errorf("the date %s has moved to %s", c.When.At, c.At)
		}
		if err := m.checkWarnings(c); err != nil {
			return err
		}
	}
	return nil
}

func isPossible(from, to cancellation.State) bool {
	for _, row := range cancellation.Transitions() {
		if row.To == to && slices.Contains(row.From, from) || to == cancellation.Executed && from == cancellation.Scheduled {
			return true
		}
	}
	return to == cancellation.Failed && from == cancellation.Scheduled
}

// checkWarnings: at most one warning for each date and number of days, none after the end of the cancellation, and none after the
// date unless the execution was postponed.
func (m *model) checkWarnings(c cancellation.Cancellation) error {
	seen := map[[2]int64]bool{}
	for _, w := range c.Warned {
		key := [2]int64{w.For.UnixMicro(), int64(w.Days)}
		if seen[key] {
			return fmt.Errorf("two warnings of %s, %d days ahead", w.For, w.Days)
		}
		seen[key] = true
		if end := c.History[len(c.History)-1].At; !c.State.Active() && w.Sent.After(end) {
			return fmt.Errorf("warned at %s, after the end at %s", w.Sent, end)
		}
		if !w.Sent.Before(w.For) && !slices.ContainsFunc(c.History, func(e cancellation.Entry) bool {
			return e.What == "postponed" && e.From.Equal(w.For)
		}) {
			return fmt.Errorf("warned at %s of %s, which was not postponed", w.Sent, w.For)
		}
	}
	return nil
}

// checkFinal checks a record when nothing is due any more.
func (m *model) checkFinal(c cancellation.Cancellation, s dedicated.Server) error {
	if c.State == cancellation.Executing {
		return fmt.Errorf("still executing")
	}
	if c.State != cancellation.Scheduled {
		return nil
	}
	if s.Assignment != c.Assignment && !m.now.Before(c.At) {
		return fmt.Errorf("still scheduled for a server that has left")
	}
	if at := m.executionTime(c); !at.After(m.now) {
		return fmt.Errorf("still scheduled; the execution was planned for %s", at)
	}
	lead := 0 // the nearest that is due
	for _, days := range m.settings.DaysAhead {
		if m.settings.Warn && !m.addDays(c.At, -days).After(m.now) && (lead == 0 || days < lead) {
			lead = days
		}
	}
	if lead > 0 && !slices.ContainsFunc(c.Warned, func(w cancellation.Warning) bool { return w.For.Equal(c.At) && w.Days <= lead }) {
		return fmt.Errorf("not warned %d days ahead of %s", lead, c.At)
	}
	return nil
}

// executionTime returns when a scheduled cancellation is to be executed: as planned, or at the time to which it was postponed.
func (m *model) executionTime(c cancellation.Cancellation) time.Time {
	for _, e := range c.History {
		if e.What == "postponed" && e.From.Equal(c.At) && !c.Postponed.IsZero() {
			return e.To
		}
	}
	return c.At
}

// wantCents returns the refund in cents: so many cents were paid for the first 90 days of the assignment, which begin at s.
func (m *model) wantCents(paid int64, s time.Time, at time.Time) int64 {
	end := s.Add(90 * 24 * time.Hour)
	day := func(t time.Time) int64 {
		y, month, d := t.In(m.berlin).Date()
		return time.Date(y, month, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
	}
	total := day(end) - day(s)
	unused := min(day(end)-day(at)-1, total)
	switch {
	case !at.After(s):
		return paid
	case !at.Before(end) || unused <= 0:
		return 0
	}
	cents, rest := paid*unused/total, paid*unused%total
	if rest*2 > total || rest*2 == total && cents%2 == 1 {
		cents++
	}
	return cents
}
