package sqlstore

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// How many items a page holds where a query does not say, and at the most.
const (
	usualPage   = 100
	largestPage = 1000
)

// pageSize is how many items a page holds for a query's limit; a negative one is ErrInvalid.
func pageSize(limit int) (int, error) {
	switch {
	case limit < 0:
		return 0, fmt.Errorf("%w: limit %d: 1 to %d, or 0 for %d", dedicated.ErrInvalid, limit, largestPage, usualPage)
	case limit == 0:
		return usualPage, nil
	}
	return min(limit, largestPage), nil
}

// place is where a page of a list ends: at what the list is sorted by, then at an ID. It stands for itself, whether the
// record that it was made of is still there or not.
type place struct {
	sort string
	id   uuid.UUID
}

// cursor writes a place down, for the list of this name only.
func (p place) cursor(list string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + "\x00" + p.id.String() + p.sort))
}

// parsePlace reads a cursor of a list; anything else is ErrInvalid.
func parsePlace(list, cursor string) (place, error) {
	const idLength = 36
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	text, ours := strings.CutPrefix(string(raw), list+"\x00")
	if err != nil || !ours || len(text) < idLength {
		return place{}, notOurs()
	}
	id, err := uuid.Parse(text[:idLength])
	if err != nil {
		return place{}, notOurs()
	}
	return place{text[idLength:], id}, nil
}

func notOurs() error {
	return fmt.Errorf("%w: the cursor is not one that this list returned", dedicated.ErrInvalid)
}
