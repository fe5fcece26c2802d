// Package zone is the library's one reading of time zones: IANA names to locations, and local wall-clock times to
// instants.
package zone

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// locations is a cache from valid names to *time.Location: loading one costs 5 µs and 8 KB each time. Only names of the
// database get in, so what a client types cannot make it grow.
var locations sync.Map

// Load returns the location of an IANA name; "" is UTC. "Local", paths and unknown names are ErrInvalid. Safe for
// concurrent use.
func Load(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	if loc, ok := locations.Load(name); ok {
		return loc.(*time.Location), nil
	}
	if !wellFormed(name) {
		return nil, fmt.Errorf("%w: time zone %.64q is not an IANA name such as Europe/Berlin", fault.ErrInvalid, name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%w: time zone %q is unknown: an IANA name such as Europe/Berlin is wanted", fault.ErrInvalid, name)
	}
	kept, _ := locations.LoadOrStore(name, loc)
	return kept.(*time.Location), nil
}

// wellFormed accepts what names of the database look like: words joined by single slashes. It keeps out paths, the many
// spellings that a file system would take for one name, and what some systems keep beside the names, which means something
// else or nothing on the next machine.
func wellFormed(name string) bool {
	if name == "Local" || name == "localtime" || name == "posixrules" || len(name) > 64 {
		return false
	}
	if strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/") {
		return false
	}
	word := 0
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '+', c == '-':
			word++
		case c == '/' && word > 0:
			word = 0
		default:
			return false
		}
	}
	return word > 0
}

// Instant is how the library keeps time: UTC, to the microsecond, without a monotonic reading. The zero time stays zero.
func Instant(t time.Time) time.Time {
	return t.UTC().Truncate(time.Microsecond)
}
