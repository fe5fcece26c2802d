package notify_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// unreadableOutbox names deliveries that it cannot read in each claim. It does not put them aside, although it must.
type unreadableOutbox struct {
	*notify.MemoryOutbox
	named []notify.Unreadable
}

func (o unreadableOutbox) ClaimDue(ctx context.Context, name string, now, until time.Time, limit int) (notify.Due, error) {
	due, err := o.MemoryOutbox.ClaimDue(ctx, name, now, until, limit)
	due.Unreadable = append(due.Unreadable, o.named...)
	return due, err
}

// TestTickReportsUnreadableDeliveries: each is an error of its own, and the others are delivered.
func TestTickReportsUnreadableDeliveries(t *testing.T) {
	t.Parallel()
	var l log
	var logged bytes.Buffer
	named := []notify.Unreadable{{ID: uuid.New(), ResellerID: uuid.New(), Reason: "column data: no JSON"}, {Reason: "column id: no UUID"}}
	outbox := unreadableOutbox{&notify.MemoryOutbox{}, named}
	d := newDispatcher(t, notify.Config{Outbox: outbox, Logger: slog.New(slog.NewTextHandler(&logged, nil))}, l.subscriber("mail"))
	list := events(3)
	outbox.Append(list...)
	_, err := d.Tick(t.Context())
	require.ErrorIs(t, err, notify.ErrHost)
	for _, u := range named {
		assert.Contains(t, err.Error(), u.Reason)
		assert.Equal(t, 1, bytes.Count(logged.Bytes(), []byte(u.Reason)), "logged once a Tick")
	}
	assert.Contains(t, err.Error(), named[0].ID.String())
	assert.Len(t, l.ids(), 3)
}
