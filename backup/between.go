package backup

import "time"

// between counts the occurrences after an instant and not after another, and returns the last of them. It takes the same
// few steps however many there are, and counts as Count does: where a zone left out a whole date, that date too.
func (s Schedule) between(after, until time.Time) (n int, last time.Time) {
	loc, err := s.check()
	if err != nil {
		return 0, time.Time{}
	}
	first, ok := s.Next(after)
	if !ok || first.After(until) {
		return 0, time.Time{}
	}
	if s.Frequency == Once {
		return 1, first
	}
	d := s.dates(loc)
	end := min(until.Unix(), lastDayBegin-1)
	if !s.Until.IsZero() {
		end = min(end, s.Until.Unix())
	}
	from, _ := d.firstFrom(first.Unix(), loc)
	to, _ := d.firstFrom(end+1, loc)
	if s.Count > 0 {
		zeroth, _ := d.firstFrom(ceil(s.Start), loc)
		to = min(to, zeroth+int64(s.Count))
	}
	return int(to - from), time.Unix(d.at(to-1, loc), 0).In(loc)
}

// ceil is the first whole second not before t.
func ceil(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}
