package backup_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

func (f *fixture) released() dedicated.Released {
	return dedicated.Released{
		ResellerID: f.server.ResellerID, ServerID: f.server.ID, ClientID: f.client.ID, Assignment: f.server.Assignment,
		At: f.clock.Now(), Reason: "end of contract",
	}
}

func TestCloseServer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	daily2, once := f.submit(t, daily(2)), f.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 13})
	failed := f.planned(t, once).ID
	_, err := f.Fail(t.Context(), f.reseller, failed, "no space")
	require.NoError(t, err)
	_, err = f.Retry(t.Context(), f.reseller, failed)
	require.NoError(t, err)
	other := f.rent(t, "web-08", dedicated.Owner{}, f.client.ID)
	beside, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: other.ID, Schedule: daily(2)})
	require.NoError(t, err)

	f.clock.Set(at("2026-01-04 12:00"))
	d := f.released()
	f.clock.Set(at("2026-01-20 12:00"))
	for range 3 {
		require.NoError(t, f.CloseServer(t.Context(), d))
	}
	assert.Equal(t, 1, f.count(t, backup.KindClosed), "one mail for all requests, and only once")
	tasks := f.list(t, backup.TaskQuery{ServerID: f.server.ID})
	require.Len(t, tasks, 3)
	assert.Equal(t, backup.Cancelled, tasks[0].State, "the retried task of a series that had ended")
	assert.Equal(t, backup.Cancelled, tasks[1].State)
	assert.Equal(t, "end of contract", tasks[1].Reason)
	assert.Equal(t, backup.Skipped, tasks[2].State)
	assert.Equal(t, at("2026-01-04 02:00"), tasks[2].At, "nothing was missed after the client had left")
	r, err := f.Request(t.Context(), f.client, daily2.ID)
	require.NoError(t, err)
	assert.Equal(t, backup.Closed, r.Ending)
	assert.Equal(t, "end of contract", r.EndReason)
	r, err = f.Request(t.Context(), f.client, once.ID)
	require.NoError(t, err)
	assert.Equal(t, backup.Finished, r.Ending, "it had ended before")
	assert.Equal(t, backup.Pending, f.planned(t, beside).State)

	var notice backup.EndNotice
	for _, e := range f.events(t) {
		if e.Kind == backup.KindClosed {
			assert.Equal(t, f.client.ID, e.ClientID)
			require.NoError(t, json.Unmarshal(e.Data, &notice))
		}
	}
	assert.Equal(t, "web-07", notice.ServerName)
	assert.Len(t, notice.Tasks, 2)
}

// TestCloseServerIsBoundToTheAssignment: a late CloseServer does not touch the backups of the server's next client.
func TestCloseServerIsBoundToTheAssignment(t *testing.T) {
	t.Parallel()
	f := setup(t)
	late := f.released()
	f.release(t, f.server)
	_, err := f.servers.Restock(t.Context(), f.reseller, f.server.ID)
	require.NoError(t, err)
	f.server, err = f.servers.Assign(t.Context(), f.reseller, f.server.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: billing()})
	require.NoError(t, err)
	r := f.submit(t, daily(2))
	require.NoError(t, f.CloseServer(t.Context(), late))
	assert.Equal(t, backup.Pending, f.planned(t, r).State)
	assert.Zero(t, f.count(t, backup.KindClosed))
}

func TestCloseServerWithoutIDs(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.submit(t, daily(2))
	for _, strip := range []func(*dedicated.Released){
		func(d *dedicated.Released) { d.ResellerID = uuid.Nil },
		func(d *dedicated.Released) { d.ServerID = uuid.Nil },
		func(d *dedicated.Released) { d.Assignment = uuid.Nil },
	} {
		d := f.released()
		strip(&d)
		require.ErrorIs(t, f.CloseServer(t.Context(), d), backup.ErrInvalid)
	}
	assert.Zero(t, f.count(t, backup.KindClosed))
}

// TestSubscriber: the server is released by hand, and the dispatcher delivers the event.
func TestSubscriber(t *testing.T) {
	t.Parallel()
	f := setup(t)
	outbox := &notify.MemoryOutbox{}
	f.stock.Outbox = outbox
	dispatcher, err := notify.New(notify.Config{Outbox: outbox, Clock: f.clock}, f.Subscriber())
	require.NoError(t, err)
	_, err = dispatcher.Tick(t.Context())
	require.NoError(t, err)
	f.submit(t, daily(2))
	f.release(t, f.server)
	_, err = dispatcher.Tick(t.Context())
	require.NoError(t, err)
	assert.Equal(t, backup.Cancelled, f.list(t, backup.TaskQuery{})[0].State)
	assert.Equal(t, 1, f.count(t, backup.KindClosed))

	err = f.Subscriber().Handle(t.Context(), notify.Event{Kind: "dedicated.billing_changed"})
	require.ErrorIs(t, err, backup.ErrInvalid)
}
