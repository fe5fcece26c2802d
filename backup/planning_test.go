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
	f := setup(t)
	r := f.submit(t, daily(2))
	tasks := f.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 1)
	assert.Equal(t, backup.Task{
		ID: tasks[0].ID, RequestID: r.ID, ResellerID: f.server.ResellerID, ClientID: f.client.ID, ServerID: f.server.ID,
		Assignment: f.server.Assignment, ServerName: "web-07", What: "the database", At: at("2026-01-02 02:00"),
		State: backup.Pending, RemindAt: at("2026-01-03 02:00"), Version: 1,
	}, tasks[0])
	assert.Equal(t, start, r.Form.Schedule.Start, "a zero Start is the present")
	assert.Equal(t, tasks[0].At, r.Planned)
	assert.EqualValues(t, 1, r.Version)
	stored, err := f.Request(t.Context(), f.client, r.ID)
	require.NoError(t, err)
	assert.Equal(t, stored, r)
}

// TestMonthlyClosedLate: January's task is completed on 5 March. One task is skipped for 28 February, one is pending for 31
// March.
func TestMonthlyClosedLate(t *testing.T) {
	t.Parallel()
	for name, ticks := range map[string][]string{
		"without a tick":            nil,
		"with ticks":                {"2026-01-31 02:30", "2026-02-10 00:00", "2026-02-28 02:30", "2026-03-01 00:00"},
		"after an failingInventory": {"2026-03-04 00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			r := f.submit(t, backup.Schedule{Frequency: backup.Monthly, MonthDay: 31, Hour: 2, Minute: 30})
			first := f.planned(t, r)
			require.Equal(t, at("2026-01-31 02:30"), first.At)
			for _, tick := range ticks {
				f.clock.Set(at(tick))
				f.tick(t)
			}
			f.clock.Set(at("2026-03-05 10:00"))
			done, err := f.Complete(t.Context(), f.reseller, first.ID, backup.Result{Bytes: 7})
			require.NoError(t, err)
			assert.Equal(t, backup.Completed, done.State)

			tasks := f.list(t, backup.TaskQuery{})
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

// TestDowntime: three years without a Tick make one task, not 1,095.
func TestDowntime(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, backup.Schedule{Frequency: backup.Daily, Hour: 2, Minute: 30, Zone: "Europe/Berlin"})
	first := f.planned(t, r)
	f.clock.Set(start.AddDate(3, 0, 0))
	next := f.tick(t)
	assert.True(t, next.After(f.clock.Now()))

	tasks := f.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 2)
	assert.Equal(t, first.ID, tasks[0].ID)
	assert.Equal(t, first.At, tasks[0].At, "the pending task keeps its date")
	assert.True(t, tasks[0].Overdue)
	assert.Equal(t, backup.Skipped, tasks[1].State)
	assert.Equal(t, at("2029-01-01 01:30"), tasks[1].At)
	assert.Equal(t, 1095, tasks[1].Missed)
	assert.Equal(t, 1, f.count(t, backup.KindOverdue))

	f.clock.Add(24 * time.Hour)
	f.tick(t)
	tasks = f.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 2, "the skipped task counts on")
	assert.Equal(t, 1096, tasks[1].Missed)
	assert.Equal(t, at("2029-01-02 01:30"), tasks[1].At)

	_, err := f.Complete(t.Context(), f.reseller, first.ID, backup.Result{})
	require.NoError(t, err)
	assert.Equal(t, at("2029-01-03 01:30"), f.planned(t, r).At)
	assert.Equal(t, 1, f.count(t, backup.KindOverdue))
}

func TestOnceEndsWithItsTask(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 18})
	task := f.planned(t, r)
	f.clock.Set(at("2026-01-01 18:00"))
	_, err := f.Fail(t.Context(), f.reseller, task.ID, "no space")
	require.NoError(t, err)
	ended, err := f.Request(t.Context(), f.client, r.ID)
	require.NoError(t, err)
	assert.Equal(t, at("2026-01-01 18:00"), ended.Ended)
	assert.Equal(t, backup.Finished, ended.Ending)
	assert.Zero(t, ended.Due)

	again, err := f.Retry(t.Context(), f.reseller, task.ID)
	require.NoError(t, err)
	assert.Equal(t, 1, again.Attempt)
	assert.Equal(t, task.ID, again.ID)
	_, err = f.Complete(t.Context(), f.reseller, task.ID, backup.Result{})
	require.NoError(t, err)
	assert.Len(t, f.list(t, backup.TaskQuery{}), 1)
}

func TestSubmitTwice(t *testing.T) {
	t.Parallel()
	f := setup(t)
	form := backup.Form{ID: uuid.New(), ServerID: f.server.ID, Schedule: daily(2)}
	first, err := f.Submit(t.Context(), f.client, form)
	require.NoError(t, err)
	f.clock.Add(time.Hour)
	second, err := f.Submit(t.Context(), f.client, form)
	require.NoError(t, err)
	assert.Equal(t, first, second)
	for name, change := range map[string]func(*backup.Form){
		"server":   func(form *backup.Form) { form.ServerID = f.rent(t, "web-08", dedicated.Owner{}, f.client.ID).ID },
		"what":     func(f *backup.Form) { f.What = "something else" },
		"note":     func(f *backup.Form) { f.Note = "something else" },
		"schedule": func(f *backup.Form) { f.Schedule.Minute = 1 },
		"start":    func(f *backup.Form) { f.Schedule.Start = start.Add(time.Minute) },
	} {
		other := form
		change(&other)
		_, err = f.Submit(t.Context(), f.client, other)
		require.ErrorIs(t, err, backup.ErrConflict, name)
		var e *backup.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, &first, e.Existing)
	}
	assert.Len(t, f.list(t, backup.TaskQuery{}), 1)
}
