package sqlstore

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// The number of items on a page.
const (
	defaultLimit = 100 // for a limit of 0
	maxLimit     = 1000
)

// pageSize returns the number of items on a page for a query's limit.
func pageSize(limit int) int {
	if limit < 1 {
		return defaultLimit
	}
	return min(limit, maxLimit)
}

// position is the end of a page of a list: the value of the sorted column, and an ID. It stays valid when its record is
// changed or deleted.
type position struct {
	sort string
	id   uuid.UUID
}

// cursor encodes the position. Only the list with this name accepts it.
func (p position) cursor(list string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + "\x00" + p.id.String() + p.sort))
}

// parsePosition decodes a cursor of a list. Any other text is ErrInvalid.
func parsePosition(list, cursor string) (position, error) {
	const idLength = 36
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	text, ours := strings.CutPrefix(string(raw), list+"\x00")
	if err != nil || !ours || len(text) < idLength {
		return position{}, invalidCursor()
	}
	id, err := uuid.Parse(text[:idLength])
	if err != nil {
		return position{}, invalidCursor()
	}
	return position{text[idLength:], id}, nil
}

func invalidCursor() error {
	return fmt.Errorf("%w: the cursor does not come from this list", dedicated.ErrInvalid)
}
