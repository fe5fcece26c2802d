package backup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// untilLayout is the layout of a date with UTC time in RFC 5545 (section 3.3.5, form 2).
const untilLayout = "20060102T150405Z"

// RRule returns the schedule as the value of RFC 5545's RRULE (section 3.3.10), for an event whose DTSTART is Start in Zone. It
// returns "" for Once, because an event without a rule happens once, and for a schedule that Validate refuses.
//
// If Start is not at Hour:Minute itself, the rule has the time of day (BYHOUR). Many calendars ignore that part, and show DTSTART
// as an occurrence although it is not one. For them, move Start to the first occurrence, which changes nothing else:
//
//	s.Start, _ = s.Next(s.Start.Add(-1))
//
// A MonthDay from 29 to 31 becomes "the last of the days from 28 to MonthDay": BYMONTHDAY=28,29,30,31;BYSETPOS=-1.
func (s Schedule) RRule() string {
	loc, err := s.check()
	if err != nil || s.Frequency == Once {
		return ""
	}
	parts := []string{"FREQ=" + strings.ToUpper(s.Frequency.String())}
	if s.Interval > 1 {
		parts = append(parts, "INTERVAL="+strconv.Itoa(s.Interval))
	}
	switch s.Frequency {
	case Weekly:
		var names []string
		for _, day := range s.sortedWeekdays() {
			names = append(names, weekdayName(day))
		}
		parts = append(parts, "BYDAY="+strings.Join(names, ","))
	case Monthly:
		parts = append(parts, monthDayRule(s.MonthDay))
	}
	ofDay := time.Duration(s.Hour)*time.Hour + time.Duration(s.Minute)*time.Minute
	if s.Start.IsZero() || zone.WallOf(s.Start, loc).OfDay != ofDay {
		parts = append(parts, fmt.Sprintf("BYHOUR=%d;BYMINUTE=%d;BYSECOND=0", s.Hour, s.Minute))
	}
	if s.Count > 0 {
		parts = append(parts, "COUNT="+strconv.Itoa(s.Count))
	}
	if !s.Until.IsZero() {
		parts = append(parts, "UNTIL="+s.Until.UTC().Format(untilLayout))
	}
	return strings.Join(parts, ";")
}

func weekdayName(day time.Weekday) string { return strings.ToUpper(day.String()[:2]) }

func monthDayRule(day int) string {
	if day <= 28 {
		return "BYMONTHDAY=" + strconv.Itoa(day)
	}
	return "BYMONTHDAY=" + strings.Join([]string{"28", "29", "30", "31"}[:day-27], ",") + ";BYSETPOS=-1"
}

// ParseRRule reads the value of RFC 5545's RRULE, with or without the prefix "RRULE:", for an event whose DTSTART is start in the
// zone: an IANA name, "" for UTC. As in the standard, the rule may leave out the time of day, the weekday of a weekly rule and
// the day of a monthly rule: ParseRRule takes them from start. With a zero start the rule must have them.
//
// It accepts the rules that a Schedule can express: FREQ=DAILY, WEEKLY or MONTHLY, INTERVAL, COUNT, UNTIL (in UTC), BYDAY
// (weekly, without numbers), BYMONTHDAY (monthly: one day up to 28, -1, or the days from 28 on with BYSETPOS=-1, see RRule),
// one BYHOUR and one BYMINUTE, BYSECOND=0, and WKST if it is Monday or makes no difference. It refuses a single day from 29 to
// 31, which leaves out shorter months. Without BYSECOND, start loses its seconds: a Schedule has whole minutes.
//
// Every other rule is ErrInvalid. The *Error has the part of the rule in Field, or "start" or "zone".
func ParseRRule(rule string, start time.Time, zone string) (Schedule, error) {
	parts, err := splitRule(rule)
	if err != nil {
		return Schedule{}, err
	}
	p := ruleReader{parts: parts, s: Schedule{Start: start, Zone: zone}}
	for _, read := range []func() error{p.timeOfDay, p.frequency, p.dates, p.ends} {
		if err := read(); err != nil {
			return Schedule{}, err
		}
	}
	if err := p.s.Validate(); err != nil {
		return Schedule{}, err
	}
	return p.s, nil
}

// maxRule is the longest rule in bytes. Every rule that is accepted is much shorter.
const maxRule = 512

// splitRule returns the parts of a rule by their names, both in capitals.
func splitRule(rule string) (map[string]string, error) {
	if len(rule) > maxRule {
		return nil, ruleError("rule", "it is %d bytes long: want at most %d", len(rule), maxRule)
	}
	rule = strings.TrimPrefix(strings.ToUpper(rule), "RRULE:")
	if rule == "" {
		return nil, ruleError("FREQ", "the rule is empty: want DAILY, WEEKLY or MONTHLY; an event that happens once has no rule")
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rule, ";") {
		name, value, found := strings.Cut(part, "=")
		if !found || name == "" || value == "" {
			return nil, ruleError("rule", "%q is not a part such as FREQ=DAILY", part)
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
		"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYSETPOS", "BYHOUR", "BYMINUTE", "BYSECOND", "WKST",
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
		return 0, ruleError(name, "%q: want one whole number from %d to %d", text, low, high)
	}
	return n, nil
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
	default:
		return ruleError("FREQ", "%q is not DAILY, WEEKLY or MONTHLY", p.parts["FREQ"])
	}
	if p.s.Interval, err = p.number("INTERVAL", 1, MaxInterval, 0); err != nil {
		return err
	}
	if text, given := p.parts["WKST"]; given {
		monday, err := parseWeekday("WKST", text)
		if err != nil {
			return err
		}
		if monday != time.Monday && p.s.Frequency == Weekly && p.s.Interval > 1 {
			return ruleError("WKST", "weeks start on MO, not %s", text)
		}
	}
	return nil
}

// dates reads the parts that name days: BYDAY for Weekly, BYMONTHDAY and BYSETPOS for Monthly.
func (p *ruleReader) dates() error {
	owner := map[string]Frequency{"BYDAY": Weekly, "BYMONTHDAY": Monthly, "BYSETPOS": Monthly}
	for _, name := range []string{"BYDAY", "BYMONTHDAY", "BYSETPOS"} {
		if _, given := p.parts[name]; given && p.s.Frequency != owner[name] {
			return ruleError(name, "only a %v rule may have it, this one is %v", owner[name], p.s.Frequency)
		}
	}
	switch p.s.Frequency {
	case Weekly:
		return p.weekdays()
	case Monthly:
		return p.monthDay()
	default:
		return nil
	}
}

func (p *ruleReader) weekdays() error {
	text, given := p.parts["BYDAY"]
	if !given {
		if p.s.Start.IsZero() {
			return ruleError("BYDAY", "it is missing, and start is zero: set one of them")
		}
		day := time.Date(p.start.Year, p.start.Month, p.start.Day, 0, 0, 0, 0, time.UTC).Weekday()
		p.s.Weekdays = []time.Weekday{day}
		return nil
	}
	for name := range strings.SplitSeq(text, ",") {
		day, err := parseWeekday("BYDAY", name)
		if err != nil {
			return err
		}
		p.s.Weekdays = append(p.s.Weekdays, day)
	}
	return nil
}

func parseWeekday(part, name string) (time.Weekday, error) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if weekdayName(day) == name {
			return day, nil
		}
	}
	return 0, ruleError(part, "%q: want MO, TU, WE, TH, FR, SA or SU", name)
}

func (p *ruleReader) monthDay() error {
	text, given := p.parts["BYMONTHDAY"]
	position, positioned := p.parts["BYSETPOS"]
	if positioned && (position != "-1" || !given) {
		return ruleError("BYSETPOS", "only -1 is supported, together with BYMONTHDAY")
	}
	if !given {
		if p.s.Start.IsZero() {
			return ruleError("BYMONTHDAY", "it is missing, and start is zero: set one of them")
		}
		text = strconv.Itoa(p.start.Day)
	}
	var days []int
	for name := range strings.SplitSeq(text, ",") {
		day, err := strconv.Atoi(name)
		if err != nil || day < -1 || day == 0 || day > 31 {
			return ruleError("BYMONTHDAY", "%q: want a day from 1 to 31, or -1 for the last", name)
		}
		days = append(days, day)
	}
	slices.Sort(days)
	last := days[len(days)-1]
	switch {
	case len(days) == 1 && last <= 28:
	case positioned && last > 28 && slices.Equal(days, []int{28, 29, 30, 31}[:min(len(days), 4)]):
	case len(days) == 1:
		return ruleError("BYMONTHDAY", "day %d leaves out shorter months: for their last day, write %s", last, monthDayRule(last))
	default:
		return ruleError("BYMONTHDAY", "%q: want one day, or the days from 28 on with BYSETPOS=-1", text)
	}
	p.s.MonthDay = last
	return nil
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
	if p.s.Until, err = time.Parse(untilLayout, text); err != nil {
		return ruleError("UNTIL", "%q: want an instant in UTC such as 20261231T225959Z", text)
	}
	return nil
}
