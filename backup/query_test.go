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
	p := setup(t)
	other := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: p.reseller.ResellerID}
	web := p.server
	db := p.rent(t, "DB-01", dedicated.Owner{Provider: "Upstream"}, p.client.ID)
	mail := p.rent(t, "mail", dedicated.Owner{}, other.ID)
	submit := func(a dedicated.Actor, s dedicated.Server, hour int) backup.Request {
		r, err := p.Submit(t.Context(), a, backup.Form{ServerID: s.ID, Schedule: daily(hour)})
		require.NoError(t, err)
		return r
	}
	submit(p.client, web, 1)
	ofDB := submit(p.client, db, 2)
	submit(other, mail, 3)
	p.clock.Set(at("2026-01-02 02:30"))
	_, err := p.Complete(t.Context(), p.reseller, p.planned(t, ofDB).ID, backup.Result{})
	require.NoError(t, err)
	p.clock.Set(at("2026-01-03 02:00"))

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
		for _, task := range p.list(t, tt.q) {
			got = append(got, task.ServerName+" "+task.At.Format("2"))
		}
		assert.Equal(t, tt.want, got, tt.name)
		counts, err := p.Counts(t.Context(), p.reseller, tt.q)
		require.NoError(t, err)
		total := 0
		for _, n := range counts {
			total += n
		}
		assert.Equal(t, len(tt.want), total, tt.name)
	}
	mine, _, err := p.Tasks(t.Context(), p.client, backup.TaskQuery{ClientID: other.ID})
	require.NoError(t, err)
	assert.Empty(t, mine)
	requests, _, err := p.Requests(t.Context(), p.reseller, backup.RequestQuery{ServerID: db.ID, Live: true})
	require.NoError(t, err)
	require.Len(t, requests, 1)
	assert.True(t, requests[0].AtProvider)
}

func TestOverdueFromTheInstantOn(t *testing.T) {
	t.Parallel()
	p := setup(t, func(c *backup.Config) { c.Grace = time.Hour })
	r := p.submit(t, daily(2))
	p.clock.Set(at("2026-01-02 03:00").Add(-time.Microsecond))
	assert.False(t, p.planned(t, r).Overdue)
	assert.Empty(t, p.list(t, backup.TaskQuery{Overdue: true}))
	p.clock.Set(at("2026-01-02 03:00"))
	assert.True(t, p.planned(t, r).Overdue)
	assert.Len(t, p.list(t, backup.TaskQuery{Overdue: true}), 1)
}

func TestPages(t *testing.T) {
	t.Parallel()
	p := setup(t)
	for range 7 {
		p.submit(t, daily(2))
	}
	seen := map[uuid.UUID]bool{}
	for after := ""; ; {
		tasks, next, err := p.Tasks(t.Context(), p.client, backup.TaskQuery{Limit: 3, After: after})
		require.NoError(t, err)
		for _, task := range tasks {
			require.False(t, seen[task.ID])
			seen[task.ID] = true
		}
		if after = next; next == "" {
			break
		}
	}
	assert.Len(t, seen, 7)
	for _, q := range []backup.TaskQuery{{Limit: -1}, {After: "nonsense"}, {Owner: "mine"}} {
		_, _, err := p.Tasks(t.Context(), p.reseller, q)
		require.ErrorIs(t, err, backup.ErrInvalid)
	}
	_, _, err := p.Requests(t.Context(), p.reseller, backup.RequestQuery{Limit: -1})
	require.ErrorIs(t, err, backup.ErrInvalid)
}

func TestUpcoming(t *testing.T) {
	t.Parallel()
	p := setup(t)
	a := p.submit(t, daily(2))
	b := p.submit(t, backup.Schedule{Frequency: backup.Daily, Hour: 3, Count: 2})
	p.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 20, Start: at("2026-03-01 00:00")})
	type line struct {
		r  uuid.UUID
		at string
	}
	lines := func(from, to string, limit int) []line {
		upcoming, err := p.Upcoming(t.Context(), p.client, at(from), at(to), limit)
		require.NoError(t, err)
		var got []line
		for _, o := range upcoming {
			assert.Equal(t, p.server.ID, o.ServerID)
			assert.Equal(t, time.UTC, o.At.Location())
			got = append(got, line{o.RequestID, o.At.Format("2006-01-02 15:04")})
		}
		return got
	}
	assert.Equal(t, []line{
		{a.ID, "2026-01-02 02:00"}, {b.ID, "2026-01-02 03:00"}, {a.ID, "2026-01-03 02:00"}, {b.ID, "2026-01-03 03:00"},
		{a.ID, "2026-01-04 02:00"},
	}, lines("2026-01-01 00:00", "2026-01-05 02:00", 0))
	assert.Equal(t, []line{{a.ID, "2026-01-03 02:00"}}, lines("2026-01-03 02:00", "2026-01-05 00:00", 1), "a bounded page of a later month")
	assert.Empty(t, lines("2026-01-02 04:00", "2026-01-03 02:00", 0))

	// What is cancelled ahead does not come, what is due and pending stays in its place, and what it makes skipped is no more.
	_, err := p.Cancel(t.Context(), p.client, p.planned(t, a).ID, "")
	require.NoError(t, err)
	assert.Equal(t, []line{{b.ID, "2026-01-02 03:00"}, {a.ID, "2026-01-03 02:00"}, {b.ID, "2026-01-03 03:00"}},
		lines("2026-01-01 00:00", "2026-01-04 00:00", 0))
	p.clock.Set(at("2026-01-05 00:00"))
	assert.Equal(t, []line{{b.ID, "2026-01-02 03:00"}, {a.ID, "2026-01-03 02:00"}, {a.ID, "2026-01-05 02:00"}},
		lines("2026-01-01 00:00", "2026-01-06 00:00", 0))

	open, err := p.Upcoming(t.Context(), p.reseller, time.Time{}, time.Time{}, 5000)
	require.NoError(t, err)
	assert.Len(t, open, 1000, "without an end the limit is one")
	_, err = p.Upcoming(t.Context(), p.client, start, start, -1)
	require.ErrorIs(t, err, backup.ErrInvalid)
	stored := p.list(t, backup.TaskQuery{})
	assert.Len(t, stored, 4, "nothing is stored")
}
