package dedicated

import (
	"fmt"
	"time"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// Unit is the unit in which a billing cycle is counted.
type Unit uint8

// The units of a cycle. Weeks are seven days.
const (
	Day Unit = iota + 1
	Week
	Month
	Year
)

// Cycle is the length of a billing period: Count units. {Day, 30} is thirty days, {Month, 3} a quarter.
type Cycle struct {
	Unit  Unit
	Count int // 1 to MaxCount
}

// MaxCount is the most units that a cycle may have.
const MaxCount = 1000

// Billing defines when the billing periods of an assignment begin, and the currency in which it is paid.
//
// The n-th period begins n cycles after the Anchor, computed from the Anchor itself: monthly from 31 January is
// 28 or 29 February, then 31 March. Periods keep the Anchor's local time of day in Zone. A local time that a change of clocks
// skips is moved forward by the gap; of one that it repeats, the first is meant (RFC 5545, section 3.3.5).
type Billing struct {
	Anchor   time.Time // the start of period 0, years 1 to 9999; for midnight in Zone, make the time in that zone, not in UTC
	Cycle    Cycle
	Zone     string // IANA name; "" is UTC
	Currency string // ISO 4217: three capital letters
	// Places is the number of decimals of amounts. 0 means those that ISO 4217 gives the currency: 0 for JPY, 2 for EUR, 3 for KWD.
	// -1 means none, for example for forints. Fewer than those of ISO 4217 are allowed, more are not. For a currency outside
	// ISO 4217, Places must be 1 to MaxPlaces, or -1. Decimals resolves it.
	Places int32
}

// MaxPlaces is the most decimal places that a currency outside ISO 4217 may have.
const MaxPlaces = 8

// Period is the half-open time [Start, End), in the zone of its Billing.
type Period struct {
	Index      int // 0 for the one that begins at the Anchor
	Start, End time.Time
}

// Contains reports whether t is in the period.
func (p Period) Contains(t time.Time) bool { return !t.Before(p.Start) && t.Before(p.End) }

// Validate returns an *Error that is ErrInvalid and names the wrong field; nil: all fields are right.
func (b Billing) Validate() error {
	if _, err := b.grid(); err != nil {
		return err
	}
	if _, err := b.Period(0); err != nil {
		return err
	}
	return b.validateMoney()
}

func capitals(s string) bool {
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// PeriodAt returns the period that contains t. Its cost does not depend on t, and it does not allocate. A t before the Anchor
// is ErrInvalid, and so are a Billing without a valid anchor, cycle or zone, and a period that ends after year 9999.
//
// If a zone skipped a whole day (Pacific/Apia, 30 December 2011), that day is an empty period of a daily cycle: it contains no
// instant.
func (b Billing) PeriodAt(t time.Time) (Period, error) {
	g, err := b.grid()
	if err != nil {
		return Period{}, err
	}
	if t.Before(b.Anchor) {
		return Period{}, b.outside("%s is before the first billing period, which begins at %s", t, g)
	}
	if g.beyond(t) {
		return Period{}, b.outside("%s is after year 9999, where billing periods that begin at %s end", t, g)
	}
	index := g.near(t)
	start := g.start(index)
	for start.After(t) {
		index--
		start = g.start(index)
	}
	end := g.start(index + 1)
	for !end.After(t) {
		index++
		start, end = end, g.start(index+1)
	}
	return g.period(index, start, end)
}

// Period returns the period with the given index; the first is 0. ErrInvalid is a negative index, a period that ends after
// year 9999, and a Billing without a valid anchor, cycle or zone.
func (b Billing) Period(index int) (Period, error) {
	g, err := b.grid()
	if err != nil {
		return Period{}, err
	}
	if last := lastDay / b.Cycle.Count; index < 0 || index > last {
		return Period{}, invalid(opBilling, "index", "there is no billing period %d: want 0 to %d", index, last)
	}
	return g.period(index, g.start(index), g.start(index+1))
}

const (
	maxYear      = 9999
	lastDay      = 366 * maxYear   // more days than there are until the end of that year
	afterMaxYear = 253_402_300_800 // 1 January 10000, in seconds since 1970
)

func (b Billing) outside(format string, t time.Time, g grid) error {
	at, anchor := t.In(g.loc).Format(time.RFC3339), b.Anchor.In(g.loc).Format(time.RFC3339)
	return &Error{Op: "PeriodAt", Field: "t", Msg: fmt.Sprintf(format, at, anchor), Err: ErrInvalid}
}

// grid is a Billing in the form in which periods are computed.
type grid struct {
	anchor time.Time
	wall   zone.Wall // the local time at the anchor
	cycle  Cycle
	loc    *time.Location
	span   zone.Span // where the last start was found
}

func (b Billing) grid() (grid, error) {
	if b.Anchor.IsZero() {
		return grid{}, invalid(opBilling, "Anchor", "missing: want the instant at which the first period begins")
	}
	if b.Cycle.Unit < Day || b.Cycle.Unit > Year {
		return grid{}, invalid(opBilling, "Cycle.Unit", "%d: want Day, Week, Month or Year", b.Cycle.Unit)
	}
	if b.Cycle.Count < 1 || b.Cycle.Count > MaxCount {
		return grid{}, invalid(opBilling, "Cycle.Count", "%d: want 1 to %d", b.Cycle.Count, MaxCount)
	}
	loc, err := zone.Load(b.Zone)
	if err != nil {
		return grid{}, &Error{Op: "Billing", Field: "Zone", Msg: "Zone: " + err.Error(), Err: ErrInvalid}
	}
	span := zone.SpanAt(b.Anchor, loc)
	wall := span.Wall(b.Anchor)
	if wall.Year < 1 || wall.Year > maxYear {
		return grid{}, invalid(opBilling, "Anchor", "year %d: want 1 to %d", wall.Year, maxYear)
	}
	return grid{anchor: b.Anchor.In(loc), wall: wall, cycle: b.Cycle, loc: loc, span: span}, nil
}

// start returns the start of the period with the index.
func (g *grid) start(index int) time.Time {
	if index == 0 {
		return g.anchor // also where the anchor is the second of a repeated time
	}
	wall, n := g.wall, index*g.cycle.Count
	switch g.cycle.Unit {
	case Day:
		wall = wall.AddDays(n)
	case Week:
		wall = wall.AddDays(7 * n)
	case Month:
		wall = wall.AddMonths(n)
	case Year:
		wall = wall.AddMonths(12 * n)
	}
	var t time.Time
	t, g.span = wall.InSpan(g.loc, g.span)
	return t
}

// near returns the index of the period that contains t, or one next to it: it reads t with the offset of another day.
func (g *grid) near(t time.Time) int {
	w := g.span.Wall(t)
	passed, length := 0, g.cycle.Count
	switch g.cycle.Unit {
	case Day, Week:
		passed = int(zone.Days(w.Year, w.Month, w.Day) - zone.Days(g.wall.Year, g.wall.Month, g.wall.Day))
		if g.cycle.Unit == Week {
			length *= 7
		}
	case Month, Year:
		passed = (w.Year-g.wall.Year)*12 + int(w.Month-g.wall.Month)
		if g.cycle.Unit == Year {
			length *= 12
		}
	}
	return max(passed/length, 0)
}

// beyond reports whether t is after maxYear, by the offset at the start that was found last.
func (g *grid) beyond(t time.Time) bool { return g.span.Local(t.Unix()) >= afterMaxYear }

func (g *grid) period(index int, start, end time.Time) (Period, error) {
	if g.beyond(end) {
		return Period{}, invalid(opBilling, "index", "billing period %d does not end within year %d", index, maxYear)
	}
	return Period{Index: index, Start: start, End: end}, nil
}
