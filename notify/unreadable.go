package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/once"
)

// Unreadable is a record that a Store or an Outbox has, but cannot read: somebody has edited the database by hand, a disk has lost
// bytes, or a newer program has written the record. The Store has put it aside, so that it holds up no other record.
type Unreadable struct {
	ID         uuid.UUID // of the record; of a delivery the ID of its event; nil: the ID could not be read
	ResellerID uuid.UUID // nil: it could not be read, or the record has none
	Reason     string    // what could not be read, and why: for the log and for the person who repairs the record
}

// unread collects the errors for the deliveries that the outbox cannot read, each once a Tick. Otherwise an outbox that names one in each
// claim, although it must put it aside, would keep the Tick in its loop.
type unread struct {
	reported once.Set[Unreadable]
	errs     []error
}

// add logs the deliveries and collects their errors. It reports whether there was one that the Tick had not reported yet.
func (u *unread) add(ctx context.Context, log *slog.Logger, named []Unreadable) bool {
	fresh := u.reported.Fresh(named)
	for _, record := range fresh {
		log.ErrorContext(ctx, "a delivery cannot be read, and is put aside until it is tried again", "event", record.ID,
			"reseller", record.ResellerID, "reason", record.Reason)
		u.errs = append(u.errs, fault.Nonsense(partOutbox,
			fmt.Errorf("the delivery of event %s cannot be read and is put aside until it is tried again: repair the stored record: %s",
				record.ID, record.Reason)))
	}
	return len(fresh) > 0
}

// join joins the errors with another one, which may be nil.
func (u *unread) join(err error) error { return errors.Join(append(u.errs, err)...) }
