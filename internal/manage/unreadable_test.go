package manage_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/notify"
)

func TestUnreadReportsEachRecordOnce(t *testing.T) {
	t.Parallel()
	a := notify.Unreadable{ID: uuid.New(), Reason: "column form"}
	b := notify.Unreadable{Reason: `id "x"`}
	c := notify.Unreadable{Reason: `id "y"`}
	var u manage.Unread
	assert.Empty(t, u.Fresh(nil))
	assert.Equal(t, []notify.Unreadable{a, b}, u.Fresh([]notify.Unreadable{a, b, a}))
	assert.Equal(t, []notify.Unreadable{c}, u.Fresh([]notify.Unreadable{b, c, a}), "two records without an ID differ by their reasons")
	assert.Empty(t, u.Fresh([]notify.Unreadable{a, b, c}))
}

func TestUnreadableError(t *testing.T) {
	t.Parallel()
	id, reseller := uuid.MustParse("5f0c7a4e-0000-4000-8000-000000000001"), uuid.MustParse("5f0c7a4e-0000-4000-8000-000000000002")
	err := manage.UnreadableError("ticket", notify.Unreadable{ID: id, ResellerID: reseller, Reason: "column thread: no JSON"})
	require.ErrorIs(t, err, fault.ErrHost)
	assert.EqualError(t, err, "store failed: ticket 5f0c7a4e-0000-4000-8000-000000000001 of reseller "+
		"5f0c7a4e-0000-4000-8000-000000000002 cannot be read and is put aside until it is tried again: repair the stored record: "+
		"column thread: no JSON")
	assert.ErrorContains(t, manage.UnreadableError("ticket", notify.Unreadable{Reason: "x"}), "ticket with an unknown ID cannot be read")
}
