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

func (p *panel) departure() dedicated.Released {
	return dedicated.Released{
		ResellerID: p.server.ResellerID, ServerID: p.server.ID, ClientID: p.client.ID, Assignment: p.server.Assignment,
		At: p.clock.Now(), Reason: "end of contract",
	}
}

func TestCloseServer(t *testing.T) {
	t.Parallel()
	p := setup(t)
	daily2, once := p.submit(t, daily(2)), p.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 13})
	failed := p.planned(t, once).ID
	_, err := p.Fail(t.Context(), p.reseller, failed, "no space")
	require.NoError(t, err)
	_, err = p.Retry(t.Context(), p.reseller, failed)
	require.NoError(t, err)
	other := p.rent(t, "web-08", dedicated.Owner{}, p.client.ID)
	beside, err := p.Submit(t.Context(), p.client, backup.Form{ServerID: other.ID, Schedule: daily(2)})
	require.NoError(t, err)

	p.clock.Set(at("2026-01-04 12:00"))
	d := p.departure()
	p.clock.Set(at("2026-01-20 12:00"))
	for range 3 {
		require.NoError(t, p.CloseServer(t.Context(), d))
	}
	assert.Equal(t, 1, p.count(t, backup.KindClosed), "one mail for all, and once")
	tasks := p.list(t, backup.TaskQuery{ServerID: p.server.ID})
	require.Len(t, tasks, 3)
	assert.Equal(t, backup.Cancelled, tasks[0].State, "the retried task of a series that had ended")
	assert.Equal(t, backup.Cancelled, tasks[1].State)
	assert.Equal(t, "end of contract", tasks[1].Reason)
	assert.Equal(t, backup.Skipped, tasks[2].State)
	assert.Equal(t, at("2026-01-04 02:00"), tasks[2].At, "nothing was missed after the client had left")
	r, err := p.Request(t.Context(), p.client, daily2.ID)
	require.NoError(t, err)
	assert.Equal(t, backup.Closed, r.Ending)
	assert.Equal(t, "end of contract", r.EndReason)
	r, err = p.Request(t.Context(), p.client, once.ID)
	require.NoError(t, err)
	assert.Equal(t, backup.Finished, r.Ending, "it had ended already")
	assert.Equal(t, backup.Pending, p.planned(t, beside).State)

	var notice backup.EndNotice
	for _, e := range p.events(t) {
		if e.Kind == backup.KindClosed {
			assert.Equal(t, p.client.ID, e.ClientID)
			require.NoError(t, json.Unmarshal(e.Data, &notice))
		}
	}
	assert.Equal(t, "web-07", notice.ServerName)
	assert.Len(t, notice.Tasks, 2)
}

// TestCloseServerIsBoundToTheAssignment: a late close never hits the server's next user.
func TestCloseServerIsBoundToTheAssignment(t *testing.T) {
	t.Parallel()
	p := setup(t)
	late := p.departure()
	p.release(t, p.server)
	_, err := p.servers.Restock(t.Context(), p.reseller, p.server.ID)
	require.NoError(t, err)
	p.server, err = p.servers.Assign(t.Context(), p.reseller, p.server.ID, dedicated.NewAssignment{ClientID: p.client.ID, Billing: billing()})
	require.NoError(t, err)
	r := p.submit(t, daily(2))
	require.NoError(t, p.CloseServer(t.Context(), late))
	assert.Equal(t, backup.Pending, p.planned(t, r).State)
	assert.Zero(t, p.count(t, backup.KindClosed))
}

func TestCloseServerWithoutIDs(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.submit(t, daily(2))
	for _, strip := range []func(*dedicated.Released){
		func(d *dedicated.Released) { d.ResellerID = uuid.Nil },
		func(d *dedicated.Released) { d.ServerID = uuid.Nil },
		func(d *dedicated.Released) { d.Assignment = uuid.Nil },
	} {
		d := p.departure()
		strip(&d)
		require.ErrorIs(t, p.CloseServer(t.Context(), d), backup.ErrInvalid)
	}
	assert.Zero(t, p.count(t, backup.KindClosed))
}

// TestSubscriber: released by hand, and the dispatcher carries it here.
func TestSubscriber(t *testing.T) {
	t.Parallel()
	p := setup(t)
	outbox := &notify.MemoryOutbox{}
	p.stock.Outbox = outbox
	dispatcher, err := notify.New(notify.Config{Outbox: outbox, Clock: p.clock}, p.Subscriber())
	require.NoError(t, err)
	_, err = dispatcher.Tick(t.Context())
	require.NoError(t, err)
	p.submit(t, daily(2))
	p.release(t, p.server)
	_, err = dispatcher.Tick(t.Context())
	require.NoError(t, err)
	assert.Equal(t, backup.Cancelled, p.list(t, backup.TaskQuery{})[0].State)
	assert.Equal(t, 1, p.count(t, backup.KindClosed))

	err = p.Subscriber().Handle(t.Context(), notify.Event{Kind: "dedicated.billing_changed"})
	require.ErrorIs(t, err, backup.ErrInvalid)
}
