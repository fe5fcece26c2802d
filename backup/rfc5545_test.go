package backup_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

// rfcExample is an example of RFC 5545, section 3.8.5.3 or 3.3.10. All begin at 09:00 in New York. Dates are in the form that the
// RFC has: "1997 September 2-11", "1997 September 2,4; October 1". "..." at the end says that there are more.
type rfcExample struct {
	name, rule, start string
	dates             []string
}

// rfcExamples are all examples with the parts that a Schedule has. Left out are those with FREQ=HOURLY and MINUTELY, BYYEARDAY,
// BYWEEKNO and lists of hours. The example of Friday the 13th has an EXDATE for its DTSTART, which is no date of its rule.
func rfcExamples() []rfcExample {
	january := []string{"1998 January 1-31", "1999 January 1-31", "2000 January 1-31"}
	weekly := []string{"1997 September 2,9,16,23,30; October 7,14,21"}
	tuesdays := []string{"1997 September 2,4,9,11,16,18,23,25,30; October 2"}
	return []rfcExample{
		{"daily for 10 occurrences", "FREQ=DAILY;COUNT=10", "19970902", []string{"1997 September 2-11"}},
		{"daily until 24 December 1997", "FREQ=DAILY;UNTIL=19971224T000000Z", "19970902",
			[]string{"1997 September 2-30; October 1-31; November 1-30; December 1-23"}},
		{"every other day", "FREQ=DAILY;INTERVAL=2", "19970902",
			[]string{"1997 September 2,4,6,8,10,12,14,16,18,20,22,24,26,28,30; October 2,4,6,8,10,12,14,16,18,20,22,24,26,28,30;" +
				" November 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29; December 1,3", "..."}},
		{"every 10 days, 5 occurrences", "FREQ=DAILY;INTERVAL=10;COUNT=5", "19970902", []string{"1997 September 2,12,22; October 2,12"}},
		{"every day in January, yearly", "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", "19980101", january},
		{"every day in January, daily", "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", "19980101", january},
		{"weekly for 10 occurrences", "FREQ=WEEKLY;COUNT=10", "19970902", []string{weekly[0] + ",28; November 4"}},
		{"weekly until 24 December 1997", "FREQ=WEEKLY;UNTIL=19971224T000000Z", "19970902",
			[]string{weekly[0] + ",28; November 4,11,18,25; December 2,9,16,23"}},
		{"every other week", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", "19970902",
			[]string{"1997 September 2,16,30; October 14,28; November 11,25; December 9,23", "1998 January 6,20; February 3,17", "..."}},
		{"Tuesday and Thursday, until", "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", "19970902", tuesdays},
		{"Tuesday and Thursday, count", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "19970902", tuesdays},
		{"every other week on three days", "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", "19970901",
			[]string{"1997 September 1,3,5,15,17,19,29; October 1,3,13,15,17,27,29,31; November 10,12,14,24,26,28; December 8,10,12,22"}},
		{"every other week on two days", "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "19970902",
			[]string{"1997 September 2,4,16,18,30; October 2,14,16"}},
		{"the first Friday, count", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "19970905",
			[]string{"1997 September 5; October 3; November 7; December 5", "1998 January 2; February 6; March 6; April 3; May 1; June 5"}},
		{"the first Friday, until", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "19970905",
			[]string{"1997 September 5; October 3; November 7; December 5"}},
		{"the first and last Sunday", "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "19970907",
			[]string{"1997 September 7,28; November 2,30", "1998 January 4,25; March 1,29; May 3,31"}},
		{"the second-to-last Monday", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "19970922",
			[]string{"1997 September 22; October 20; November 17; December 22", "1998 January 19; February 16"}},
		{"the third-to-the-last day", "FREQ=MONTHLY;BYMONTHDAY=-3", "19970928",
			[]string{"1997 September 28; October 29; November 28; December 29", "1998 January 29; February 26", "..."}},
		{"the 2nd and 15th", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "19970902",
			[]string{"1997 September 2,15; October 2,15; November 2,15; December 2,15", "1998 January 2,15"}},
		{"the first and last day", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "19970930",
			[]string{"1997 September 30; October 1,31; November 1,30; December 1,31", "1998 January 1,31; February 1"}},
		{"the 10th to 15th, every 18 months", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "19970910",
			[]string{"1997 September 10-15", "1999 March 10-13"}},
		{"every Tuesday, every other month", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", "19970902",
			[]string{"1997 September 2,9,16,23,30; November 4,11,18,25", "1998 January 6,13,20,27; March 3,10,17,24,31", "..."}},
		{"June and July", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "19970610",
			[]string{"1997 June 10; July 10", "1998 June 10; July 10", "1999 June 10; July 10", "2000 June 10; July 10", "2001 June 10; July 10"}},
		{"every other year, three months", "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3", "19970310",
			[]string{"1997 March 10", "1999 January 10; February 10; March 10", "2001 January 10; February 10; March 10",
				"2003 January 10; February 10; March 10"}},
		{"the 20th Monday of the year", "FREQ=YEARLY;BYDAY=20MO", "19970519", []string{"1997 May 19", "1998 May 18", "1999 May 17", "..."}},
		{"every Thursday in March", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "19970313",
			[]string{"1997 March 13,20,27", "1998 March 5,12,19,26", "1999 March 4,11,18,25", "..."}},
		{"every Thursday in summer", "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8", "19970605",
			[]string{"1997 June 5,12,19,26; July 3,10,17,24,31; August 7,14,21,28",
				"1998 June 4,11,18,25; July 2,9,16,23,30; August 6,13,20,27", "1999 June 3,10,17,24; July 1,8,15,22,29; August 5,12,19,26", "..."}},
		{"every Friday the 13th", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "19970902",
			[]string{"1998 February 13; March 13; November 13", "1999 August 13", "2000 October 13", "..."}},
		{"the first Saturday after the first Sunday", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "19970913",
			[]string{"1997 September 13; October 11; November 8; December 13",
				"1998 January 10; February 7; March 7; April 11; May 9; June 13", "..."}},
		{"presidential elections", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "19961105",
			[]string{"1996 November 5", "2000 November 7", "2004 November 2", "..."}},
		{"the third of three weekdays", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "19970904",
			[]string{"1997 September 4; October 7; November 6"}},
		{"the second-to-last weekday", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "19970929",
			[]string{"1997 September 29; October 30; November 27; December 30", "1998 January 29; February 26; March 30", "..."}},
		{"weeks from Monday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "19970805", []string{"1997 August 5,10,19,24"}},
		{"weeks from Sunday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "19970805", []string{"1997 August 5,17,19,31"}},
		{"an invalid date is ignored", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "20070115",
			[]string{"2007 January 15,30; February 15; March 15,30"}},
		{"section 3.3.10: the last working day", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "19970930",
			[]string{"1997 September 30; October 31; November 28; December 31", "1998 January 30; February 27", "..."}},
	}
}

// expand turns the dates of an example into texts such as 1997-09-02.
func (e rfcExample) expand(t *testing.T) (dates []string, more bool) {
	t.Helper()
	for _, line := range e.dates {
		if line == "..." {
			return dates, true
		}
		year, rest, _ := strings.Cut(line, " ")
		for part := range strings.SplitSeq(rest, ";") {
			month, days, _ := strings.Cut(strings.TrimSpace(part), " ")
			for item := range strings.SplitSeq(days, ",") {
				first, last := 0, 0
				if n, _ := fmt.Sscanf(item, "%d-%d", &first, &last); n == 1 {
					last = first
				}
				for day := first; day <= last; day++ {
					at, err := time.Parse("2006 January 2", fmt.Sprint(year, " ", month, " ", day))
					require.NoError(t, err)
					dates = append(dates, at.Format(time.DateOnly))
				}
			}
		}
	}
	return dates, false
}

func TestExamplesOfRFC5545(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	require.NoError(t, err)
	for _, e := range rfcExamples() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			start, err := time.ParseInLocation("20060102 15:04", e.start+" 09:00", zone)
			require.NoError(t, err)
			s, err := backup.ParseRRule(e.rule, start, "America/New_York")
			require.NoError(t, err)
			want, more := e.expand(t)
			var got []string
			at, ok := s.Next(start.Add(-1))
			for ; ok && (len(got) < len(want) || !more); at, ok = s.Next(at) {
				require.Equal(t, "09:00:00", at.Format(time.TimeOnly))
				got = append(got, at.Format(time.DateOnly))
			}
			require.Equal(t, want, got, "%s", s)
			require.Equal(t, more, ok, "there are more")
			requireSame(t, s)
		})
	}
}
