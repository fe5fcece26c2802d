// Package zone converts IANA names to locations, and local times to instants. All packages of the library use it, so they agree on
// times that a change of the clock skips or repeats.
package zone

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// locations caches the *time.Location of each valid name, because loading one costs 5 µs and 8 KB. It holds only names of the time
// zone database, so the input of clients cannot fill the memory.
var locations sync.Map

// Load returns the location of an IANA name. The name "" means UTC. "Local", paths and unknown names are ErrInvalid. It is safe for
// concurrent use.
func Load(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	if loc, ok := locations.Load(name); ok {
		return loc.(*time.Location), nil
	}
	if !isWellFormed(name) {
		return nil, fmt.Errorf("%w: time zone %.64q is not an IANA name such as Europe/Berlin", fault.ErrInvalid, name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%w: time zone %q is unknown, expected an IANA name such as Europe/Berlin", fault.ErrInvalid, name)
	}
	cached, _ := locations.LoadOrStore(name, loc)
	return cached.(*time.Location), nil
}

// isWellFormed reports whether a name has the form of the names in the database: words separated by single slashes. It rejects
// paths, and other spellings that a file system accepts for the same name. It also rejects names that exist only on some machines
// or differ between machines.
func isWellFormed(name string) bool {
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

// Instant returns t as the library stores it: in UTC, truncated to microseconds, without a monotonic clock reading. The zero time
// stays zero.
func Instant(t time.Time) time.Time {
	return t.UTC().Truncate(time.Microsecond)
}

// Earlier returns the earlier of two instants. A zero time means never.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
