package manage

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/once"
	"github.com/metalkeep/metalkeep/notify"
)

// Unread are the unreadable records that a Tick has reported. A Store that names a record in each claim, although it must put it aside,
// therefore does not keep the Tick in its loop.
type Unread = once.Set[notify.Unreadable]

// UnreadableError is the *fault.HostError, which is ErrHost, for a record that the Store cannot read. noun is what the record is: "ticket".
func UnreadableError(noun string, u notify.Unreadable) error {
	name := noun + " " + u.ID.String()
	if u.ID == uuid.Nil {
		name = noun + " with an unknown ID"
	}
	if u.ResellerID != uuid.Nil {
		name += fmt.Sprintf(" of reseller %s", u.ResellerID)
	}
	return fault.Nonsense(store,
		fmt.Errorf("%s cannot be read and is put aside until it is tried again: repair the stored record: %s", name, u.Reason))
}
