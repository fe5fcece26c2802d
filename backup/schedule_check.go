package backup

import (
	"cmp"
	"math/bits"
	"time"
)

// checkDates checks the fields that choose dates.
func (s *Schedule) checkDates() error {
	if s.Interval < 0 || s.Interval > MaxInterval {
		return s.invalid("Interval", "%d: want 1 to %d, or 0 for 1", s.Interval, MaxInterval)
	}
	if s.Frequency == Once && s.Interval > 1 {
		return s.invalid("Interval", "%d: a schedule that happens once has none", s.Interval)
	}
	return cmp.Or(
		s.checkFrequency(), s.checkMonths(), s.checkWeekdays(), s.checkNthWeekdays(), s.checkMonthDays(), s.checkSetPos(), s.checkNeeded(),
	)
}

// checkFrequency refuses fields that the frequency does not have.
func (s *Schedule) checkFrequency() error {
	f := s.Frequency
	switch {
	case f == Once && len(s.Months) > 0:
		return s.invalid("Months", "a schedule that happens once has none")
	case f == Once && len(s.Weekdays) > 0:
		return s.invalid("Weekdays", "a schedule that happens once has none")
	case f != Weekly && s.WeekStart != FromMonday:
		return s.invalid("WeekStart", "only a weekly schedule has weeks, this one is %v", f)
	case f != Monthly && f != Yearly && len(s.NthWeekdays) > 0:
		return s.invalid("NthWeekdays", "only a monthly or yearly schedule has weekdays by their place, this one is %v", f)
	case f != Monthly && s.MonthDay != 0:
		return s.invalid("MonthDay", "only a monthly schedule has this field, this one is %v: use MonthDays or Start", f)
	case (f == Once || f == Weekly) && len(s.MonthDays) > 0:
		return s.invalid("MonthDays", "a schedule that is %v has none", f)
	case (f == Once || f == Daily) && len(s.SetPos) > 0:
		return s.invalid("SetPos", "only a weekly, monthly or yearly schedule has positions, this one is %v", f)
	}
	return nil
}

func (s *Schedule) checkMonths() error {
	var seen uint16
	for _, month := range s.Months {
		if month < time.January || month > time.December {
			return s.invalid("Months", "%d: want 1 (January) to 12 (December)", int(month))
		}
		if seen&(1<<month) != 0 {
			return s.invalid("Months", "%v is there twice: want each month once", month)
		}
		seen |= 1 << month
	}
	return nil
}

func (s *Schedule) checkWeekdays() error {
	for _, day := range s.Weekdays {
		if day < time.Sunday || day > time.Saturday {
			return s.invalid("Weekdays", "%d: want 0 (Sunday) to 6 (Saturday)", int(day))
		}
	}
	if bits.OnesCount8(weekdaySet(s.Weekdays)) < len(s.Weekdays) {
		return s.invalid("Weekdays", "each may be named once")
	}
	if s.WeekStart > FromSunday {
		return s.invalid("WeekStart", "%d: want FromMonday (0) to FromSunday (6)", s.WeekStart)
	}
	return nil
}

func (s *Schedule) checkNthWeekdays() error {
	most, period := mostInMonth, "month"
	if s.nthInYear() {
		most, period = mostInYear, "year"
	}
	var seen numbers
	for _, nth := range s.NthWeekdays {
		if nth.Weekday < time.Sunday || nth.Weekday > time.Saturday {
			return s.invalid("NthWeekdays", "weekday %d: want 0 (Sunday) to 6 (Saturday)", int(nth.Weekday))
		}
		if nth.N == 0 || nth.N > most || nth.N < -most {
			return s.invalid("NthWeekdays", "place %d in the %s: want 1 to %d, or -1 (the last) to -%d", nth.N, period, most, most)
		}
		if !seen.add(nth.number()) {
			return s.invalid("NthWeekdays", "%v %d is there twice: want each once", nth.Weekday, nth.N)
		}
	}
	return nil
}

// nthInYear reports whether NthWeekdays are places in the year (RFC 5545, section 3.3.10, note 2 of the table of BYxxx parts).
func (s *Schedule) nthInYear() bool { return s.Frequency == Yearly && len(s.Months) == 0 }

func (s *Schedule) checkMonthDays() error {
	if s.MonthDay < -1 || s.MonthDay > 31 {
		return s.invalid("MonthDay", "%d: want 1 to 31, or -1 for the last day", s.MonthDay)
	}
	return s.checkNumbers("MonthDays", s.MonthDays, 31)
}

func (s *Schedule) checkSetPos() error {
	switch s.Frequency {
	case Weekly:
		return s.checkNumbers("SetPos", s.SetPos, 7)
	case Monthly:
		return s.checkNumbers("SetPos", s.SetPos, 31)
	default:
		return s.checkNumbers("SetPos", s.SetPos, 366)
	}
}

func (s *Schedule) checkNumbers(field string, values []int, most int) error {
	var seen numbers
	for _, n := range values {
		if n == 0 || n > most || n < -most {
			return s.invalid(field, "%d: want 1 to %d, or -1 (the last) to -%d", n, most, most)
		}
		if !seen.add(n) {
			return s.invalid(field, "%d is there twice: want each number once", n)
		}
	}
	return nil
}

// checkNeeded refuses a schedule that names no day although it has to, or names days in two ways.
func (s *Schedule) checkNeeded() error {
	named := len(s.Weekdays) + len(s.NthWeekdays) + len(s.MonthDays)
	switch {
	case s.Frequency == Weekly && len(s.Weekdays) == 0:
		return s.invalid("Weekdays", "a weekly schedule needs at least one")
	case s.Frequency == Monthly && s.MonthDay == 0 && named == 0:
		return s.invalid("MonthDay", "0: want 1 to 31, or -1 for the last day, or MonthDays, Weekdays or NthWeekdays instead")
	case s.Frequency == Yearly && named == 0:
		return s.invalid("MonthDays", "a yearly schedule needs at least one, or Weekdays or NthWeekdays instead")
	case s.MonthDay == 0:
		return nil
	case len(s.MonthDays) > 0:
		return s.invalid("MonthDays", "they are set together with MonthDay: want one of the two fields")
	case len(s.Weekdays) > 0:
		return s.invalid("Weekdays", "they are set together with MonthDay: want MonthDays instead of MonthDay")
	case len(s.NthWeekdays) > 0:
		return s.invalid("NthWeekdays", "they are set together with MonthDay: want MonthDays instead of MonthDay")
	case len(s.SetPos) > 0:
		return s.invalid("SetPos", "it is set together with MonthDay: want MonthDays instead of MonthDay")
	}
	return nil
}
