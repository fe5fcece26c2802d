// Package page implements keyset paging for the stores of the library. A cursor is the sort key of the last item of a page, in an
// opaque form.
package page

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// The numbers of items on a page.
const (
	DefaultLimit = 100  // for a limit of 0
	MaxLimit     = 1000 // for every larger limit
)

// CheckLimit returns the number of items on a page: DefaultLimit for a limit of 0, and at most MaxLimit. A negative limit is
// ErrInvalid.
func CheckLimit(limit int) (int, error) {
	switch {
	case limit < 0:
		return 0, fmt.Errorf("%w: the limit is %d, expected 1 to %d, or 0 for %d", fault.ErrInvalid, limit, MaxLimit, DefaultLimit)
	case limit == 0:
		return DefaultLimit, nil
	}
	return min(limit, MaxLimit), nil
}

// Key is the sort key of an item in a list. Items are ordered by Sort, and items with equal Sort by ID.
type Key struct {
	Sort string
	ID   uuid.UUID
}

// Compare returns -1 if k comes before other, 0 if they are equal, and 1 if k comes after other.
func (k Key) Compare(other Key) int {
	if c := cmp.Compare(k.Sort, other.Sort); c != 0 {
		return c
	}
	return slices.Compare(k.ID[:], other.ID[:])
}

// Cursor returns the key as a cursor for the list with this name. Parse accepts it for the same name only. A list with several
// orders needs a name for each order.
func (k Key) Cursor(list string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + "\x00" + string(k.ID[:]) + k.Sort))
}

// Parse returns the key of a cursor that Cursor returned for the same list. The cursor "" gives the zero Key, which comes before
// all other keys. Any other cursor is ErrInvalid.
func Parse(list, cursor string) (Key, error) {
	if cursor == "" {
		return Key{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	rest, ok := strings.CutPrefix(string(raw), list+"\x00")
	if err != nil || !ok || len(rest) < len(uuid.UUID{}) {
		return Key{}, fmt.Errorf("%w: the cursor does not come from this list", fault.ErrInvalid)
	}
	n := len(uuid.UUID{})
	return Key{Sort: rest[n:], ID: uuid.UUID([]byte(rest[:n]))}, nil
}

// SortTime returns a text for Key.Sort. The texts of two times compare like the times, for the years 0 to 9999.
func SortTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000000000")
}

// Cut returns one page of a list: the first items after the cursor, in the order of their keys, and the cursor of the next page.
// The cursor is "" for the last page. The items in all may have any order. The limit is that of Limit, and the errors are those of
// CheckLimit and Parse. The items are not copied.
func Cut[E any](list string, all []E, key func(E) Key, limit int, after string) ([]E, string, error) {
	limit, err := CheckLimit(limit)
	if err != nil {
		return nil, "", err
	}
	from, err := Parse(list, after)
	if err != nil {
		return nil, "", err
	}
	type keyed struct {
		key  Key
		item E
	}
	var rest []keyed
	for _, item := range all {
		if k := key(item); after == "" || k.Compare(from) > 0 {
			rest = append(rest, keyed{k, item})
		}
	}
	slices.SortFunc(rest, func(a, b keyed) int { return a.key.Compare(b.key) })
	next := ""
	if len(rest) > limit {
		rest = rest[:limit]
		next = rest[limit-1].key.Cursor(list)
	}
	items := make([]E, len(rest))
	for i, r := range rest {
		items[i] = r.item
	}
	return items, next, nil
}
