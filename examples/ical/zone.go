package ical

import (
	"fmt"
	"slices"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

// zones holds the time zones of the events, by name. A calendar must define each zone that it names (RFC 5545, section 3.6.5),
// although most programs know the IANA names.
type zones map[string]zoneUse

// zoneUse is a zone with the first instant at which an event uses it.
type zoneUse struct {
	loc  *time.Location
	from time.Time
}

// years is how long after its first use a zone is defined.
const years = 10

func (z zones) use(loc *time.Location, at time.Time) {
	if known, ok := z[loc.String()]; !ok || at.Before(known.from) {
		z[loc.String()] = zoneUse{loc, at}
	}
}

// addTo adds the definitions of the zones, in order of name.
func (z zones) addTo(cal *ics.Calendar) {
	var names []string
	for name := range z {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		timezone := cal.AddTimezone(name)
		u := z[name]
		end := u.from.AddDate(years, 0, 0)
		for at := u.from; at.Before(end); {
			start, next := at.In(u.loc).ZoneBounds()
			timezone.Components = append(timezone.Components, observance(at.In(u.loc), start))
			if next.IsZero() {
				break
			}
			if !next.After(at) { // Go assumes 365 days for every year after the end of the zone's table: golang/go#81583
				next = next.AddDate(0, 0, 1)
			}
			at = next
		}
	}
}

// observance returns the definition of the period around an instant in which the zone has one offset. start is the beginning of
// that period, zero if it is unknown.
func observance(at, start time.Time) ics.Component {
	name, to := at.Zone()
	from := to
	onset := "16010101T000000"
	if !start.IsZero() {
		before := start.Add(-time.Second).In(at.Location())
		_, from = before.Zone()
		onset = start.UTC().Add(time.Duration(from) * time.Second).Format(layout)
	}
	base := ics.ComponentBase{}
	base.SetProperty(ics.ComponentPropertyDtStart, onset)
	base.SetProperty(ics.ComponentProperty(ics.PropertyTzoffsetfrom), offset(from))
	base.SetProperty(ics.ComponentProperty(ics.PropertyTzoffsetto), offset(to))
	base.SetProperty(ics.ComponentProperty(ics.PropertyTzname), name)
	if at.IsDST() {
		return &ics.Daylight{ComponentBase: base}
	}
	return &ics.Standard{ComponentBase: base}
}

// offset formats seconds east of UTC (RFC 5545, section 3.3.14).
func offset(seconds int) string {
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	text := fmt.Sprintf("%s%02d%02d%02d", sign, seconds/3600, seconds/60%60, seconds%60)
	return strings.TrimSuffix(text, "00")
}
