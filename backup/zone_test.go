package backup_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

// TestZoneStays: the zone of a schedule is frozen. It stays when the server's billing gets another zone.
func TestZoneStays(t *testing.T) {
	t.Parallel()
	f := setup(t)
	schedule := daily(3)
	schedule.Zone = "Europe/Berlin"
	r := f.submit(t, schedule)
	first := f.planned(t, r)
	require.Equal(t, 3, first.At.In(berlin(t)).Hour())
	b := billing()
	b.Zone = "Asia/Tokyo"
	_, err := f.servers.ChangeBilling(t.Context(), f.reseller, f.server.ID, b)
	require.NoError(t, err)
	f.clock.Set(first.At.Add(time.Minute))
	_, err = f.Complete(t.Context(), f.reseller, first.ID, backup.Result{})
	require.NoError(t, err)
	f.tick(t)
	got, err := f.Request(t.Context(), f.client, r.ID)
	require.NoError(t, err)
	assert.Equal(t, "Europe/Berlin", got.Form.Schedule.Zone)
	next := f.planned(t, r)
	assert.NotEqual(t, first.ID, next.ID)
	assert.Equal(t, 3, next.At.In(berlin(t)).Hour(), "the same local time as before")
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	return loc
}
