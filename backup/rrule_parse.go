package backup

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// ParseRRule reads the value of RFC 5545's RRULE, with or without the prefix "RRULE:", for an event whose DTSTART is start in the
// zone: an IANA name, "" for UTC. As in the standard, the rule may leave out the time of day, the weekday of a weekly rule, the
// day of a monthly rule, and the day and month of a yearly rule: ParseRRule takes them from start. With a zero start the rule must
// have them.
//
// It accepts FREQ from DAILY to YEARLY with INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY, BYSETPOS and WKST wherever the
// standard allows them, and one BYHOUR, one BYMINUTE and BYSECOND=0. An UNTIL without a Z is a local time in the zone, and a change
// of offset moves it as it moves an occurrence. A semicolon at the end is ignored. Without BYSECOND, start loses its seconds: a
// Schedule has whole minutes.
//
// A rule for day 29, 30 or 31 leaves out shorter months, as the standard says: it becomes MonthDays. Only the form that RRule writes
// for a MonthDay becomes that MonthDay again: BYMONTHDAY=28,29,30,31;BYSETPOS=-1.
//
// Every other rule is ErrInvalid. The *Error has the part of the rule in Field, or "start" or "zone". It is "rule" for a text that is
// not a rule at all. ParseRRule also refuses what Schedule.Validate refuses.
func ParseRRule(rule string, start time.Time, zone string) (Schedule, error) {
	parts, err := splitRule(rule)
	if err != nil {
		return Schedule{}, err
	}
	p := ruleReader{parts: parts, s: Schedule{Start: start, Zone: zone}}
	for _, read := range []func() error{
		p.timeOfDay, p.frequency, p.weekStart, p.months, p.weekdays, p.monthDays, p.positions, p.fromStart, p.ends,
	} {
		if err := read(); err != nil {
			return Schedule{}, err
		}
	}
	p.simplify()
	if err := p.s.Validate(); err != nil {
		return Schedule{}, err
	}
	return p.s, nil
}

// maxRule is the longest rule in bytes. The longest rule that Schedule.RRule writes is shorter.
const maxRule = 10_000

// splitRule returns the parts of a rule by their names, both in capitals.
func splitRule(rule string) (map[string]string, error) {
	if len(rule) > maxRule {
		return nil, ruleError("rule", "it is %d bytes long: want at most %d", len(rule), maxRule)
	}
	rule = strings.TrimSuffix(strings.TrimPrefix(strings.ToUpper(rule), "RRULE:"), ";")
	if rule == "" {
		return nil, ruleError("FREQ", "the rule is empty: want DAILY, WEEKLY, MONTHLY or YEARLY; an event that happens once has no rule")
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rule, ";") {
		name, value, found := strings.Cut(part, "=")
		if !found || name == "" || value == "" {
			return nil, ruleError("rule", "%.64q is not a part such as FREQ=DAILY", part)
		}
		if !slices.Contains(ruleParts(), name) {
			return nil, ruleError(name, "a backup schedule supports only %s", strings.Join(ruleParts(), ", "))
		}
		if _, twice := parts[name]; twice {
			return nil, ruleError(name, "it is given twice")
		}
		parts[name] = value
	}
	return parts, nil
}

func ruleParts() []string {
	return []string{
		"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "BYHOUR", "BYMINUTE", "BYSECOND", "WKST",
	}
}

func ruleError(field, format string, args ...any) *Error {
	return invalid(opParseRRule, field, format, args...)
}

// ruleReader fills a Schedule from the parts of a rule.
type ruleReader struct {
	parts map[string]string
	s     Schedule
	start zone.Wall // Start as local time; meaningless if Start is zero
}

// number reads a part that is one whole number within bounds. If the part is missing, it returns the fallback.
func (p *ruleReader) number(name string, low, high, fallback int) (int, error) {
	text, given := p.parts[name]
	if !given {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, ruleError(name, "%.64q: want one whole number from %d to %d", text, low, high)
	}
	return n, nil
}

// numbers reads a part that is a list of numbers from 1 to most and, if negative is set, from -1 to -most.
func (p *ruleReader) numbers(name string, most int, negative bool) ([]int, error) {
	text, given := p.parts[name]
	if !given {
		return nil, nil
	}
	var numbers []int
	for item := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(item)
		if err != nil || n == 0 || n > most || n < -most || n < 0 && !negative {
			if negative {
				return nil, ruleError(name, "%.64q: want numbers from 1 to %d, or from -1 (the last) to -%d", item, most, most)
			}
			return nil, ruleError(name, "%.64q: want numbers from 1 to %d", item, most)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func (p *ruleReader) timeOfDay() error {
	loc, err := zone.Load(p.s.Zone)
	if err != nil {
		return ruleError("zone", "%.64q is not an IANA name such as Europe/Berlin", p.s.Zone)
	}
	if !withinYears(p.s.Start) {
		return ruleError("start", "it must be in the years 1 to 9999")
	}
	_, hour := p.parts["BYHOUR"]
	_, minute := p.parts["BYMINUTE"]
	if p.s.Start.IsZero() && !(hour && minute) {
		return ruleError("start", "it is zero: set it, or BYHOUR and BYMINUTE in the rule")
	}
	p.start = zone.WallOf(p.s.Start, loc)
	ofDay := p.start.OfDay
	if p.s.Hour, err = p.number("BYHOUR", 0, 23, int(ofDay/time.Hour)); err != nil {
		return err
	}
	if p.s.Minute, err = p.number("BYMINUTE", 0, 59, int(ofDay%time.Hour/time.Minute)); err != nil {
		return err
	}
	if _, given := p.parts["BYSECOND"]; !given && !p.s.Start.IsZero() {
		p.s.Start = p.s.Start.Add(-(ofDay % time.Minute))
	}
	_, err = p.number("BYSECOND", 0, 0, 0)
	return err
}

func (p *ruleReader) frequency() (err error) {
	switch p.parts["FREQ"] {
	case "DAILY":
		p.s.Frequency = Daily
	case "WEEKLY":
		p.s.Frequency = Weekly
	case "MONTHLY":
		p.s.Frequency = Monthly
	case "YEARLY":
		p.s.Frequency = Yearly
	default:
		return ruleError("FREQ", "%.64q is not DAILY, WEEKLY, MONTHLY or YEARLY", p.parts["FREQ"])
	}
	p.s.Interval, err = p.number("INTERVAL", 1, MaxInterval, 0)
	return err
}

func (p *ruleReader) weekStart() error {
	text, given := p.parts["WKST"]
	if !given {
		return nil
	}
	day, err := parseWeekday("WKST", text)
	p.s.WeekStart = weeksFrom(day)
	return err
}

func (p *ruleReader) months() error {
	months, err := p.numbers("BYMONTH", 12, false)
	for _, month := range months {
		p.s.Months = append(p.s.Months, time.Month(month))
	}
	return err
}

// weekdays reads BYDAY. Its items are weekdays with or without a number: MO, 1MO, -1MO.
func (p *ruleReader) weekdays() error {
	text, given := p.parts["BYDAY"]
	if !given {
		return nil
	}
	most := mostInMonth
	if p.s.nthInYear() {
		most = mostInYear
	}
	for item := range strings.SplitSeq(text, ",") {
		place := item[:max(len(item)-2, 0)]
		day, err := parseWeekday("BYDAY", item[len(place):])
		if err != nil {
			return err
		}
		if place == "" {
			p.s.Weekdays = append(p.s.Weekdays, day)
			continue
		}
		if p.s.Frequency != Monthly && p.s.Frequency != Yearly {
			return ruleError("BYDAY", "%.64q: only a monthly or yearly rule may have a number, this one is %v", item, p.s.Frequency)
		}
		n, err := strconv.Atoi(place)
		if err != nil || n == 0 || n > most || n < -most {
			return ruleError("BYDAY", "%.64q: want a number from 1 to %d, or from -1 (the last) to -%d", item, most, most)
		}
		p.s.NthWeekdays = append(p.s.NthWeekdays, NthWeekday{n, day})
	}
	return nil
}

func parseWeekday(part, name string) (time.Weekday, error) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if weekdayName(day) == name {
			return day, nil
		}
	}
	return 0, ruleError(part, "%.64q: want MO, TU, WE, TH, FR, SA or SU", name)
}

func (p *ruleReader) monthDays() (err error) {
	if _, given := p.parts["BYMONTHDAY"]; given && p.s.Frequency == Weekly {
		return ruleError("BYMONTHDAY", "a weekly rule may not have it")
	}
	p.s.MonthDays, err = p.numbers("BYMONTHDAY", 31, true)
	return err
}

// positions reads BYSETPOS. In a daily rule it chooses from one date, so that it changes nothing or leaves nothing.
func (p *ruleReader) positions() (err error) {
	if _, given := p.parts["BYSETPOS"]; !given {
		return nil
	}
	if !slices.ContainsFunc([]string{"BYMONTH", "BYMONTHDAY", "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND"}, p.has) {
		return ruleError("BYSETPOS", "it stands alone: want another part such as BYDAY, from whose dates it chooses")
	}
	most := map[Frequency]int{Daily: 1, Weekly: 7, Monthly: 31, Yearly: 366}[p.s.Frequency]
	positions, err := p.numbers("BYSETPOS", most, true)
	if p.s.Frequency != Daily {
		p.s.SetPos = positions
	}
	return err
}

func (p *ruleReader) has(name string) bool {
	_, given := p.parts[name]
	return given
}

// fromStart takes from Start the days that the rule leaves out (RFC 5545, section 3.3.10).
func (p *ruleReader) fromStart() error {
	name := "BYMONTHDAY"
	switch {
	case p.s.Frequency == Daily || p.has("BYDAY") || p.has("BYMONTHDAY"):
		return nil
	case p.s.Frequency == Weekly:
		name = "BYDAY"
	}
	if p.s.Start.IsZero() {
		return ruleError(name, "it is missing, and start is zero: set one of them")
	}
	if p.s.Frequency == Weekly {
		day := time.Date(p.start.Year, p.start.Month, p.start.Day, 0, 0, 0, 0, time.UTC).Weekday()
		p.s.Weekdays = []time.Weekday{day}
		return nil
	}
	p.s.MonthDays = []int{p.start.Day}
	if p.s.Frequency == Yearly && len(p.s.Months) == 0 {
		p.s.Months = []time.Month{p.start.Month}
	}
	return nil
}

// simplify uses MonthDay instead of MonthDays if it has the same meaning, and removes a WeekStart that changes nothing.
func (p *ruleReader) simplify() {
	s := &p.s
	if !s.weeksMatter() {
		s.WeekStart = FromMonday
	}
	if s.Frequency != Monthly || len(s.Weekdays)+len(s.NthWeekdays) > 0 || len(s.SetPos) > 1 {
		return
	}
	days := slices.Sorted(slices.Values(s.MonthDays))
	if slices.Equal(s.SetPos, []int{-1}) && len(days) > 1 && len(days) <= 4 && slices.Equal(days, []int{28, 29, 30, 31}[:len(days)]) {
		s.MonthDay, s.MonthDays, s.SetPos = days[len(days)-1], nil, nil
		return
	}
	alone := len(s.SetPos) == 0 || s.SetPos[0] == 1 || s.SetPos[0] == -1
	if alone && len(days) == 1 && days[0] >= -1 && days[0] <= 28 {
		s.MonthDay, s.MonthDays, s.SetPos = days[0], nil, nil
	}
}

func (p *ruleReader) ends() (err error) {
	if p.s.Count, err = p.number("COUNT", 1, MaxCount, 0); err != nil {
		return err
	}
	text, given := p.parts["UNTIL"]
	if !given {
		return nil
	}
	if p.s.Count > 0 {
		return ruleError("UNTIL", "it is set together with COUNT: want one of them")
	}
	if p.s.Until, err = time.Parse(untilLayout, text); err == nil && len(text) == len(untilLayout) {
		return nil
	}
	local, err := time.Parse(localUntilLayout, text)
	if err != nil || len(text) != len(localUntilLayout) { // time.Parse also takes fractions of a second
		return ruleError("UNTIL", "%.64q: want an instant in UTC such as 20261231T225959Z, or a local time such as 20261231T235959", text)
	}
	loc, err := zone.Load(p.s.Zone)
	if err != nil {
		return err
	}
	p.s.Until = zone.WallOf(local, time.UTC).In(loc).UTC()
	return nil
}
