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
	last       map[uuid.UUID]cancellation.Cancellation
	moved      map[uuid.UUID]bool // by the reseller
	locks      map[uuid.UUID]int  // the days that were locked when a client ordered it
}

// addDays returns the same local time n calendar days later.
func (m *model) addDays(t time.Time, n int) time.Time { return t.In(m.berlin).AddDate(0, 0, n) }

// wantSchedule returns the date of an order, or the error that Schedule must return.
func (m *model) wantSchedule(client bool, s dedicated.Server, active bool, o cancellation.Order) (time.Time, error) {
	switch {
	case !s.Used():
		return time.Time{}, map[bool]error{true: cancellation.ErrNotFound, false: cancellation.ErrConflict}[client]
	case active:
		return time.Time{}, cancellation.ErrConflict
	}
	at, err := m.wantWhen(client, s, o.When, o.Backdated)
	switch {
	case err != nil:
		return at, err
	case !o.Expect.IsZero() && !o.Expect.Equal(at):
		return at, cancellation.ErrConflict
	case m.gateClosed:
		return at, cancellation.ErrForbidden
	}
	return at, nil
}

// wantWhen returns the date that a When means, or the error that it must have.
func (m *model) wantWhen(client bool, s dedicated.Server, w cancellation.When, backdated bool) (time.Time, error) {
	notice, lock := 0, 0
	if client {
		notice, lock = m.settings.NoticeDays, m.settings.LockDays
	}
	switch {
	case client && (w.Now || backdated):
		return time.Time{}, cancellation.ErrForbidden
	case backdated && w.At.IsZero():
		return time.Time{}, cancellation.ErrInvalid
	case w.Now:
		return m.now, nil
	case w.FirstAllowed:
		return m.firstAllowed(s.Billing, m.now, max(notice, lock)), nil
	case w.EndOfPeriod:
		end := m.period(s.Billing, m.now).End
		if m.tooLate(end, notice) || m.tooLate(end, lock) {
			return end, cancellation.ErrForbidden
		}
		return end, nil
	case client:
		if !m.settings.ClientMayChooseDate || !w.At.After(m.addDays(m.now, max(1, notice, lock)).Add(-time.Minute)) {
			return w.At, cancellation.ErrForbidden
		}
		return w.At, nil
	}
	return m.wantDate(s, w.At, backdated)
}

// wantDate is wantWhen for a reseller's date.
func (m *model) wantDate(s dedicated.Server, at time.Time, backdated bool) (time.Time, error) {
	earliest := m.now
	if backdated {
		earliest = s.AssignedAt
		if p := m.period(s.Billing, m.now); p.Start.After(earliest) && !p.Start.After(m.now) {
			earliest = p.Start
		}
	}
	switch {
	case !at.Before(earliest):
		return at, nil
	case !at.Before(m.now.Add(-time.Minute)):
		return m.now, nil
	}
	return at, cancellation.ErrInvalid
}

// period finds the period that contains t, or the first one. It tries all periods in order.
func (m *model) period(b dedicated.Billing, t time.Time) dedicated.Period {
	for n := 0; ; n++ {
		if p, err := b.Period(n); err != nil || p.End.After(t) {
			return p
		}
	}
}

// firstAllowed finds the first end of a period after asked that leaves so many days.
func (m *model) firstAllowed(b dedicated.Billing, asked time.Time, days int) time.Time {
	for n := 0; ; n++ {
		if p, err := b.Period(n); err != nil || p.End.After(asked) && !asked.After(m.addDays(p.End, -days)) {
			return p.End
		}
	}
}

// tooLate reports whether now is in the last days before t.
func (m *model) tooLate(t time.Time, days int) bool {
	return days > 0 && m.now.After(m.addDays(t, -days))
}

// ordered records who has ordered or moved a cancellation.
func (m *model) ordered(client bool, id uuid.UUID, isMove bool) {
	m.moved[id], m.locks[id] = m.moved[id] || isMove && !client, 0
	if client {
		m.locks[id] = m.settings.LockDays
	}
}

// wantChange returns the error of Reschedule and Discard, apart from that for a date. client is nil for the reseller.
func (m *model) wantChange(client uuid.UUID, c cancellation.Cancellation) error {
	byClient := client != uuid.Nil
	switch {
	case byClient && c.ClientID != client:
		return cancellation.ErrNotFound
	case byClient && (c.By.Role != dedicated.Client || m.moved[c.ID] || !m.settings.ClientMayDiscard):
		return cancellation.ErrForbidden
	case c.State != cancellation.Scheduled:
		return cancellation.ErrConflict
	case byClient && (!m.now.Before(c.At) || m.tooLate(c.At, m.locks[c.ID])):
		return cancellation.ErrForbidden
	}
	return nil
}

// checkInvariants checks all records after an operation.
func (m *model) checkInvariants(all []cancellation.Cancellation) error {
	active := map[uuid.UUID]bool{}
	for _, c := range all {
		if err := m.checkChange(m.last[c.ID], c); err != nil {
			return err
		}
		m.last[c.ID] = c
		if c.State.Active() && active[c.Assignment] {
			return fmt.Errorf("two cancellations of one assignment are active")
		}
		active[c.Assignment] = active[c.Assignment] || c.State.Active()
		if !c.When.At.IsZero() && !c.At.Equal(c.When.At) || c.When.Now && !c.At.Equal(c.Asked) {
			return fmt.Errorf("the date %s of %s has moved to %s", c.When.At, c.Asked, c.At)
		}
		if len(c.History) > 101 || c.History[0].What != "scheduled" {
			return fmt.Errorf("the history has %d entries, the first of them %q", len(c.History), c.History[0].What)
		}
		if err := m.checkWarnings(c); err != nil {
			return err
		}
	}
	return nil
}

// checkChange checks what has become of a record.
func (m *model) checkChange(was, is cancellation.Cancellation) error {
	if was.ID != is.ID {
		return nil // it is new
	}
	if was.State != is.State && !isPossible(was.State, is.State) {
		return fmt.Errorf("%s became %s", was.State, is.State)
	}
	if is.By.Role == dedicated.Client && is.At.After(was.At) && is.Cycle != was.Cycle &&
		slices.ContainsFunc(is.History[len(was.History):], func(e cancellation.Entry) bool { return e.What == "moved" }) {
		return fmt.Errorf("other billing has moved the client's order from %s to %s", was.At, is.At)
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
