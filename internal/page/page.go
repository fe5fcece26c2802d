// Package page makes the keyset cursors of the library's own stores: a place in an order, opaque to who carries it.
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

// DefaultLimit is what a limit of 0 means, MaxLimit what a larger one is cut to.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Limit turns a query's limit into how many items a page holds; a negative one is ErrInvalid.
func Limit(limit int) (int, error) {
	switch {
	case limit < 0:
		return 0, fmt.Errorf("%w: limit %d: 1 to %d, or 0 for %d", fault.ErrInvalid, limit, MaxLimit, DefaultLimit)
	case limit == 0:
		return DefaultLimit, nil
	}
	return min(limit, MaxLimit), nil
}

// Key is an item's place in a list: by Sort, then by ID.
type Key struct {
	Sort string
	ID   uuid.UUID
}

// Compare orders keys.
func (k Key) Compare(other Key) int {
	if c := cmp.Compare(k.Sort, other.Sort); c != 0 {
		return c
	}
	return slices.Compare(k.ID[:], other.ID[:])
}

// Cursor writes the key down for the list of this name; a list with several orders has a name for each.
func (k Key) Cursor(list string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + "\x00" + string(k.ID[:]) + k.Sort))
}

// Parse reads a cursor that Cursor wrote for the same list. "" is the zero Key, which sorts before all others. Anything
// else is ErrInvalid.
func Parse(list, cursor string) (Key, error) {
	if cursor == "" {
		return Key{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	rest, ok := strings.CutPrefix(string(raw), list+"\x00")
	if err != nil || !ok || len(rest) < len(uuid.UUID{}) {
		return Key{}, fmt.Errorf("%w: the cursor is not one that this list returned", fault.ErrInvalid)
	}
	n := len(uuid.UUID{})
	return Key{Sort: rest[n:], ID: uuid.UUID([]byte(rest[:n]))}, nil
}

// SortTime writes a time so that strings compare as the times do, for years 0 to 9999.
func SortTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000000000")
}

// Of cuts one page out of all, which need no order: what comes after the cursor, in the order of key, limit items at the
// most, and the cursor of the next page ("": none). The items are not copied.
func Of[E any](list string, all []E, key func(E) Key, limit int, after string) ([]E, string, error) {
	limit, err := Limit(limit)
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
