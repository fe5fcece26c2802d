package metalkeep_test

import (
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// TestNextClientsBackups joins backup and cancellation by Config.Ends, without any Subscriber. A server was released by hand while an
// order to cancel it stood, and has another client now. The order of the client before does not touch the next client's backups; an
// order of its own does.
func TestNextClientsBackups(t *testing.T) {
	t.Parallel()
	ctx, now := t.Context(), clock.NewMock()
	now.Set(time.Date(2026, time.November, 10, 9, 0, 0, 0, time.UTC))
	servers, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}, Clock: now})
	require.NoError(t, err)
	cancellations, err := cancellation.New(cancellation.Config{Store: &cancellation.MemoryStore{}, Servers: servers, Clock: now})
	require.NoError(t, err)
	backups, err := backup.New(backup.Config{
		Store: &backup.MemoryStore{}, Servers: servers, Clock: now, Ends: cancellations.Ends,
	})
	require.NoError(t, err)

	reseller := dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: uuid.New()}
	clients := []dedicated.Actor{
		{Role: dedicated.Client, ID: uuid.New(), ResellerID: reseller.ResellerID},
		{Role: dedicated.Client, ID: uuid.New(), ResellerID: reseller.ResellerID},
	}
	billing := dedicated.Billing{
		Anchor: time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Currency: "EUR", Places: 2,
	}
	s, err := servers.Add(ctx, reseller, dedicated.NewServer{Name: "web-1"})
	require.NoError(t, err)
	s, err = servers.Assign(ctx, reseller, s.ID, dedicated.NewAssignment{ClientID: clients[0].ID, Billing: billing})
	require.NoError(t, err)
	order := cancellation.Order{ServerID: s.ID, When: cancellation.When{EndOfPeriod: true}}
	_, err = cancellations.Schedule(ctx, clients[0], order)
	require.NoError(t, err)
	december := backup.Schedule{Frequency: backup.Daily, Hour: 3, Start: time.Date(2026, time.December, 5, 0, 0, 0, 0, time.UTC)}
	submit := func(a dedicated.Actor, schedule backup.Schedule) (backup.Request, error) {
		return backups.Submit(ctx, a, backup.Form{ServerID: s.ID, What: "the database", Schedule: schedule})
	}
	_, err = submit(clients[0], december)
	require.ErrorIs(t, err, backup.ErrConflict, "it starts after the date")

	_, err = servers.Release(ctx, reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	_, err = servers.Restock(ctx, reseller, s.ID)
	require.NoError(t, err)
	_, err = servers.Assign(ctx, reseller, s.ID, dedicated.NewAssignment{ClientID: clients[1].ID, Billing: billing})
	require.NoError(t, err)
	r, err := submit(clients[1], december)
	require.NoError(t, err, "the order is of the client before")
	assert.Equal(t, []bool{false}, willNotRun(t, backups, clients[1], r))

	_, err = cancellations.Schedule(ctx, clients[1], order)
	require.NoError(t, err)
	assert.Equal(t, []bool{true}, willNotRun(t, backups, clients[1], r))
	_, err = submit(clients[1], december)
	require.ErrorIs(t, err, backup.ErrConflict)
}

// willNotRun returns the marks of the tasks of a request.
func willNotRun(t *testing.T, backups *backup.Manager, a dedicated.Actor, r backup.Request) []bool {
	t.Helper()
	tasks, _, err := backups.Tasks(t.Context(), a, backup.TaskQuery{RequestID: r.ID})
	require.NoError(t, err)
	var marks []bool
	for _, task := range tasks {
		marks = append(marks, task.WillNotRun)
	}
	return marks
}
