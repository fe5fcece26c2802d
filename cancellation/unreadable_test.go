package cancellation_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/notify"
)

// unreadableStore names records that it cannot read in each claim. It does not put them aside, although it must.
type unreadableStore struct {
	cancellation.Store
	named []notify.Unreadable
}

func (s unreadableStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (cancellation.Due, error) {
	due, err := s.Store.ClaimDue(ctx, now, until, limit)
	due.Unreadable = append(due.Unreadable, s.named...)
	return due, err
}

// TestTickReportsUnreadableRecords: each is an error of its own, and the others go on.
func TestTickReportsUnreadableRecords(t *testing.T) {
	t.Parallel()
	reseller := uuid.New()
	named := []notify.Unreadable{
		{ID: uuid.New(), ResellerID: uuid.New(), Reason: "column steps: no JSON"},
		{Reason: "column id: no UUID"},
		{ID: reseller, ResellerID: reseller, Reason: "column days_ahead: no JSON"},
	}
	f := newFixture(t, func(c *cancellation.Config) { c.Store = unreadableStore{c.Store, named} })
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	_, err := f.Tick(t.Context())
	list, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "%v", err)
	require.Len(t, list.Unwrap(), 3, "each once")
	for i, u := range named {
		var e *cancellation.Error
		require.ErrorAs(t, list.Unwrap()[i], &e)
		require.ErrorIs(t, e, cancellation.ErrHost)
		assert.Contains(t, e.Error(), u.Reason)
		if i < 2 {
			assert.Equal(t, u.ID, e.CancellationID)
		} else {
			assert.Zero(t, e.CancellationID, "settings are no cancellation")
			assert.Contains(t, e.Error(), reseller.String())
		}
	}
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}
