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

func TestSubmitPlansTheFirstTask(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	tasks := p.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 1)
	assert.Equal(t, backup.Task{
		ID: tasks[0].ID, RequestID: r.ID, ResellerID: p.server.ResellerID, ClientID: p.client.ID, ServerID: p.server.ID,
		Assignment: p.server.Assignment, ServerName: "web-07", What: "the database", At: at("2026-01-02 02:00"),
		State: backup.Pending, RemindAt: at("2026-01-03 02:00"), Version: 1,
	}, tasks[0])
	assert.Equal(t, start, r.Form.Schedule.Start, "a zero Start is the present")
	assert.Equal(t, tasks[0].At, r.Planned)
	assert.EqualValues(t, 1, r.Version)
	stored, err := p.Request(t.Context(), p.client, r.ID)
	require.NoError(t, err)
	assert.Equal(t, stored, r)
}

// TestMonthlySettledLate is the example of the rules: January's, done on 5 March, leaves one skipped for 28 February and
// one pending for 31 March.
func TestMonthlySettledLate(t *testing.T) {
	t.Parallel()
	for name, ticks := range map[string][]string{
		"without a tick":  nil,
		"with ticks":      {"2026-01-31 02:30", "2026-02-10 00:00", "2026-02-28 02:30", "2026-03-01 00:00"},
		"after an outage": {"2026-03-04 00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := setup(t)
			r := p.submit(t, backup.Schedule{Frequency: backup.Monthly, MonthDay: 31, Hour: 2, Minute: 30})
			first := p.planned(t, r)
			require.Equal(t, at("2026-01-31 02:30"), first.At)
			for _, tick := range ticks {
				p.clock.Set(at(tick))
				p.tick(t)
			}
			p.clock.Set(at("2026-03-05 10:00"))
			done, err := p.Complete(t.Context(), p.reseller, first.ID, backup.Result{Bytes: 7})
			require.NoError(t, err)
			assert.Equal(t, backup.Completed, done.State)

			tasks := p.list(t, backup.TaskQuery{})
			require.Len(t, tasks, 3)
			assert.Equal(t, done, tasks[0])
			assert.Equal(t, backup.Skipped, tasks[1].State)
			assert.Equal(t, at("2026-02-28 02:30"), tasks[1].At)
			assert.Equal(t, 1, tasks[1].Missed)
			assert.Equal(t, backup.Pending, tasks[2].State)
			assert.Equal(t, at("2026-03-31 02:30"), tasks[2].At)
		})
	}
}

// TestDowntime: three years without a tick make one row, not 1,095.
func TestDowntime(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, backup.Schedule{Frequency: backup.Daily, Hour: 2, Minute: 30, Zone: "Europe/Berlin"})
	first := p.planned(t, r)
	p.clock.Set(start.AddDate(3, 0, 0))
	next := p.tick(t)
	assert.True(t, next.After(p.clock.Now()))

	tasks := p.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 2)
	assert.Equal(t, first.ID, tasks[0].ID)
	assert.Equal(t, first.At, tasks[0].At, "the pending one keeps its date")
	assert.True(t, tasks[0].Overdue)
	assert.Equal(t, backup.Skipped, tasks[1].State)
	assert.Equal(t, at("2029-01-01 01:30"), tasks[1].At)
	assert.Equal(t, 1095, tasks[1].Missed)
	assert.Equal(t, 1, p.count(t, backup.KindOverdue))

	p.clock.Add(24 * time.Hour)
	p.tick(t)
	tasks = p.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 2, "the one row grows")
	assert.Equal(t, 1096, tasks[1].Missed)
	assert.Equal(t, at("2029-01-02 01:30"), tasks[1].At)

	_, err := p.Complete(t.Context(), p.reseller, first.ID, backup.Result{})
	require.NoError(t, err)
	assert.Equal(t, at("2029-01-03 01:30"), p.planned(t, r).At)
	assert.Equal(t, 1, p.count(t, backup.KindOverdue))
}

func TestOnceEndsWithItsTask(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 18})
	task := p.planned(t, r)
	p.clock.Set(at("2026-01-01 18:00"))
	_, err := p.Fail(t.Context(), p.reseller, task.ID, "no space")
	require.NoError(t, err)
	ended, err := p.Request(t.Context(), p.client, r.ID)
	require.NoError(t, err)
	assert.Equal(t, at("2026-01-01 18:00"), ended.Ended)
	assert.Equal(t, backup.Finished, ended.Ending)
	assert.Zero(t, ended.Due)

	again, err := p.Retry(t.Context(), p.reseller, task.ID)
	require.NoError(t, err)
	assert.Equal(t, 1, again.Attempt)
	assert.Equal(t, task.ID, again.ID)
	_, err = p.Complete(t.Context(), p.reseller, task.ID, backup.Result{})
	require.NoError(t, err)
	assert.Len(t, p.list(t, backup.TaskQuery{}), 1)
}

func TestSubmitTwice(t *testing.T) {
	t.Parallel()
	p := setup(t)
	form := backup.Form{ID: uuid.New(), ServerID: p.server.ID, Schedule: daily(2)}
	first, err := p.Submit(t.Context(), p.client, form)
	require.NoError(t, err)
	p.clock.Add(time.Hour)
	second, err := p.Submit(t.Context(), p.client, form)
	require.NoError(t, err)
	assert.Equal(t, first, second)
	for name, change := range map[string]func(*backup.Form){
		"server":   func(f *backup.Form) { f.ServerID = p.rent(t, "web-08", dedicated.Owner{}, p.client.ID).ID },
		"what":     func(f *backup.Form) { f.What = "something else" },
		"note":     func(f *backup.Form) { f.Note = "something else" },
		"schedule": func(f *backup.Form) { f.Schedule.Minute = 1 },
		"start":    func(f *backup.Form) { f.Schedule.Start = start.Add(time.Minute) },
	} {
		other := form
		change(&other)
		_, err = p.Submit(t.Context(), p.client, other)
		require.ErrorIs(t, err, backup.ErrConflict, name)
		var e *backup.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, &first, e.Existing)
	}
	assert.Len(t, p.list(t, backup.TaskQuery{}), 1)
}
