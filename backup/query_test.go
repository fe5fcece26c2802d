package backup_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// TestTasks searches a list of three servers' tasks, two of one client, one of them a provider's.
func TestTasks(t *testing.T) {
	t.Parallel()
	f := setup(t)
	other := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: f.reseller.ResellerID}
	web := f.server
	db := f.rent(t, "DB-01", dedicated.Owner{Provider: "Upstream"}, f.client.ID)
	mail := f.rent(t, "mail", dedicated.Owner{}, other.ID)
	submit := func(a dedicated.Actor, s dedicated.Server, hour int) backup.Request {
		r, err := f.Submit(t.Context(), a, backup.Form{ServerID: s.ID, Schedule: daily(hour)})
		require.NoError(t, err)
		return r
	}
	submit(f.client, web, 1)
	ofDB := submit(f.client, db, 2)
	submit(other, mail, 3)
	f.clock.Set(at("2026-01-02 02:30"))
	_, err := f.Complete(t.Context(), f.reseller, f.planned(t, ofDB).ID, backup.Result{})
	require.NoError(t, err)
	f.clock.Set(at("2026-01-03 02:00"))

	tests := []struct {
		name string
		q    backup.TaskQuery
		want []string // server and day
	}{
		{"everything", backup.TaskQuery{}, []string{"web-07 2", "DB-01 2", "mail 2", "DB-01 3"}},
		{"from", backup.TaskQuery{From: at("2026-01-02 03:00")}, []string{"mail 2", "DB-01 3"}},
		{"to is not in the range", backup.TaskQuery{To: at("2026-01-02 03:00")}, []string{"web-07 2", "DB-01 2"}},
		{"states", backup.TaskQuery{States: []backup.State{backup.Completed, backup.Failed}}, []string{"DB-01 2"}},
		{"overdue", backup.TaskQuery{Overdue: true}, []string{"web-07 2"}},
		{"overdue and pending", backup.TaskQuery{Overdue: true, States: []backup.State{backup.Pending}}, []string{"web-07 2"}},
		{"overdue and completed", backup.TaskQuery{Overdue: true, States: []backup.State{backup.Completed}}, nil},
		{"overdue before", backup.TaskQuery{Overdue: true, To: at("2026-01-02 01:00")}, nil},
		{"client", backup.TaskQuery{ClientID: other.ID}, []string{"mail 2"}},
		{"server", backup.TaskQuery{ServerID: db.ID}, []string{"DB-01 2", "DB-01 3"}},
		{"request", backup.TaskQuery{RequestID: ofDB.ID}, []string{"DB-01 2", "DB-01 3"}},
		{"text", backup.TaskQuery{Text: "WEB"}, []string{"web-07 2"}},
		{"text in the ID", backup.TaskQuery{Text: mail.ID.String()[3:20]}, []string{"mail 2"}},
		{"own", backup.TaskQuery{Owner: "own"}, []string{"web-07 2", "mail 2"}},
		{"provider's", backup.TaskQuery{Owner: "provider"}, []string{"DB-01 2", "DB-01 3"}},
	}
	for _, tt := range tests {
		var got []string
		for _, task := range f.list(t, tt.q) {
			got = append(got, task.ServerName+" "+task.At.Format("2"))
		}
		assert.Equal(t, tt.want, got, tt.name)
		counts, err := f.Counts(t.Context(), f.reseller, tt.q)
		require.NoError(t, err)
		total := 0
		for _, n := range counts {
			total += n
		}
		assert.Equal(t, len(tt.want), total, tt.name)
	}
	mine, _, err := f.Tasks(t.Context(), f.client, backup.TaskQuery{ClientID: other.ID})
	require.NoError(t, err)
	assert.Empty(t, mine)
	requests, _, err := f.Requests(t.Context(), f.reseller, backup.RequestQuery{ServerID: db.ID, Live: true})
	require.NoError(t, err)
	require.Len(t, requests, 1)
	assert.True(t, requests[0].AtProvider)
}

func TestOverdueFromTheInstantOn(t *testing.T) {
	t.Parallel()
	f := setup(t, func(c *backup.Config) { c.Grace = time.Hour })
	r := f.submit(t, daily(2))
	f.clock.Set(at("2026-01-02 03:00").Add(-time.Microsecond))
	assert.False(t, f.planned(t, r).Overdue)
	assert.Empty(t, f.list(t, backup.TaskQuery{Overdue: true}))
	f.clock.Set(at("2026-01-02 03:00"))
	assert.True(t, f.planned(t, r).Overdue)
	assert.Len(t, f.list(t, backup.TaskQuery{Overdue: true}), 1)
}

func TestPages(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for range 7 {
		f.submit(t, daily(2))
	}
	listed := map[uuid.UUID]bool{}
	for after := ""; ; {
		tasks, next, err := f.Tasks(t.Context(), f.client, backup.TaskQuery{Limit: 3, After: after})
		require.NoError(t, err)
		for _, task := range tasks {
			require.False(t, listed[task.ID])
			listed[task.ID] = true
		}
		if after = next; next == "" {
			break
		}
	}
	assert.Len(t, listed, 7)
	for _, q := range []backup.TaskQuery{{Limit: -1}, {After: "nonsense"}, {Owner: "mine"}} {
		_, _, err := f.Tasks(t.Context(), f.reseller, q)
		require.ErrorIs(t, err, backup.ErrInvalid)
	}
	_, _, err := f.Requests(t.Context(), f.reseller, backup.RequestQuery{Limit: -1})
	require.ErrorIs(t, err, backup.ErrInvalid)
}

func TestUpcoming(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.submit(t, daily(2))
	b := f.submit(t, backup.Schedule{Frequency: backup.Daily, Hour: 3, Count: 2})
	f.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 20, Start: at("2026-03-01 00:00")})
	type line struct {
		r  uuid.UUID
		at string
	}
	lines := func(from, to string, limit int) []line {
		upcoming, err := f.Upcoming(t.Context(), f.client, at(from), at(to), limit)
		require.NoError(t, err)
		var got []line
		for _, o := range upcoming {
			assert.Equal(t, f.server.ID, o.ServerID)
			assert.Equal(t, time.UTC, o.At.Location())
			got = append(got, line{o.RequestID, o.At.Format("2006-01-02 15:04")})
		}
		return got
	}
	assert.Equal(t, []line{
		{a.ID, "2026-01-02 02:00"}, {b.ID, "2026-01-02 03:00"}, {a.ID, "2026-01-03 02:00"}, {b.ID, "2026-01-03 03:00"},
		{a.ID, "2026-01-04 02:00"},
	}, lines("2026-01-01 00:00", "2026-01-05 02:00", 0))
	assert.Equal(t, []line{{a.ID, "2026-01-03 02:00"}}, lines("2026-01-03 02:00", "2026-01-05 00:00", 1), "a limited part of later dates")
	assert.Empty(t, lines("2026-01-02 04:00", "2026-01-03 02:00", 0))

	// A task that was cancelled ahead is gone. A pending task that is due keeps its date, and skipped occurrences are gone.
	_, err := f.Cancel(t.Context(), f.client, f.planned(t, a).ID, "")
	require.NoError(t, err)
	assert.Equal(t, []line{{b.ID, "2026-01-02 03:00"}, {a.ID, "2026-01-03 02:00"}, {b.ID, "2026-01-03 03:00"}},
		lines("2026-01-01 00:00", "2026-01-04 00:00", 0))
	f.clock.Set(at("2026-01-05 00:00"))
	assert.Equal(t, []line{{b.ID, "2026-01-02 03:00"}, {a.ID, "2026-01-03 02:00"}, {a.ID, "2026-01-05 02:00"}},
		lines("2026-01-01 00:00", "2026-01-06 00:00", 0))

	open, err := f.Upcoming(t.Context(), f.reseller, time.Time{}, time.Time{}, 5000)
	require.NoError(t, err)
	assert.Len(t, open, 1000, "without an end date the limit applies")
	_, err = f.Upcoming(t.Context(), f.client, start, start, -1)
	require.ErrorIs(t, err, backup.ErrInvalid)
	stored := f.list(t, backup.TaskQuery{})
	assert.Len(t, stored, 4, "nothing is stored")
}
