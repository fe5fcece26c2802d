package backup_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

func revise(t *testing.T, f *fixture, r backup.Request, s backup.Schedule) backup.Request {
	t.Helper()
	r, err := f.Revise(t.Context(), f.client, r.ID, backup.Form{What: r.Form.What, Schedule: s})
	require.NoError(t, err)
	return r
}

func TestReviseMovesWhatIsNotDue(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	before := f.planned(t, r)
	r = revise(t, f, r, daily(5))
	after := f.planned(t, r)
	assert.Equal(t, before.ID, after.ID)
	assert.Equal(t, at("2026-01-02 05:00"), after.At)
	assert.Equal(t, at("2026-01-03 05:00"), after.RemindAt)
	assert.Equal(t, after.At, r.Planned)
	assert.Len(t, f.list(t, backup.TaskQuery{}), 1)

	// The schedule moves back. The date from which the moved task has its ID passes.
	r = revise(t, f, r, daily(2))
	f.clock.Set(at("2026-01-04 03:00"))
	_, err := f.Complete(t.Context(), f.reseller, f.planned(t, r).ID, backup.Result{})
	require.NoError(t, err)
	tasks := f.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 3)
	assert.Equal(t, at("2026-01-04 02:00"), tasks[1].At)
	assert.Equal(t, 2, tasks[1].Missed)
	assert.Equal(t, at("2026-01-05 02:00"), tasks[2].At)
}

func TestReviseLeavesWhatIsDue(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	before := f.planned(t, r)
	f.clock.Set(at("2026-01-04 12:00"))
	r = revise(t, f, r, backup.Schedule{Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Monday}, Hour: 2})
	tasks := f.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 2)
	assert.Equal(t, before.ID, tasks[0].ID)
	assert.Equal(t, before.At, tasks[0].At)
	assert.Equal(t, 2, tasks[1].Missed, "the occurrences of the old schedule")

	f.clock.Set(at("2026-01-12 12:00"))
	_, err := f.Complete(t.Context(), f.reseller, before.ID, backup.Result{})
	require.NoError(t, err)
	tasks = f.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 3, "still one skipped task")
	assert.Equal(t, 4, tasks[1].Missed, "and the Mondays of the new schedule")
	assert.Equal(t, at("2026-01-12 02:00"), tasks[1].At)
	assert.Equal(t, at("2026-01-19 02:00"), f.planned(t, r).At)
}

// TestReviseAfterTheClockWentBack: occurrences that were recorded as missed under a wrong clock are not planned again.
func TestReviseAfterTheClockWentBack(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	first := f.planned(t, r)
	f.clock.Set(at("2026-01-10 12:00"))
	f.tick(t)
	f.clock.Set(at("2026-01-01 13:00"))
	r = revise(t, f, r, daily(5))
	assert.Equal(t, first.At, f.planned(t, r).At, "it was due once")
	_, err := f.Complete(t.Context(), f.reseller, first.ID, backup.Result{})
	require.NoError(t, err)
	assert.Equal(t, at("2026-01-10 05:00"), f.planned(t, r).At)
}

// TestReviseAfterClosingAhead: a task that was cancelled ahead of time stays cancelled. All other dates are planned.
func TestReviseAfterClosingAhead(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, backup.Schedule{Frequency: backup.Monthly, MonthDay: 3, Hour: 2})
	_, err := f.Cancel(t.Context(), f.client, f.planned(t, r).ID, "")
	require.NoError(t, err)
	require.Equal(t, at("2026-02-03 02:00"), f.planned(t, r).At)
	r = revise(t, f, r, daily(2))
	assert.Equal(t, at("2026-01-02 02:00"), f.planned(t, r).At)
	f.clock.Set(at("2026-01-02 03:00"))
	_, err = f.Complete(t.Context(), f.reseller, f.planned(t, r).ID, backup.Result{})
	require.NoError(t, err)
	assert.Equal(t, at("2026-01-04 02:00"), f.planned(t, r).At, "3 January was cancelled")

	_, err = f.Cancel(t.Context(), f.client, f.planned(t, r).ID, "")
	require.NoError(t, err)
	_, err = f.Revise(t.Context(), f.client, r.ID, backup.Form{Schedule: backup.Schedule{
		Frequency: backup.Once, Hour: 2, Start: at("2026-01-04 00:00"),
	}})
	require.ErrorIs(t, err, backup.ErrInvalid, "its only occurrence is cancelled")
}

func TestReviseTextAlone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	f.clock.Set(at("2026-01-03 12:00"))
	before := f.planned(t, r)
	revised, err := f.Revise(t.Context(), f.reseller, r.ID, backup.Form{
		ID: r.ID, ServerID: f.server.ID, What: "everything", Note: "please", Schedule: daily(2),
	})
	require.NoError(t, err)
	assert.Equal(t, r.Form.Schedule, revised.Form.Schedule, "a zero Start keeps the stored one")
	after := f.planned(t, r)
	assert.Equal(t, "everything", after.What)
	assert.Equal(t, before.At, after.At)
	assert.Equal(t, 2, f.count(t, backup.KindRequested))

	same, err := f.Revise(t.Context(), f.reseller, r.ID, backup.Form{What: "everything", Note: "please", Schedule: daily(2)})
	require.NoError(t, err)
	assert.Equal(t, revised, same, "nothing changed, nothing is written")
	assert.Equal(t, 2, f.count(t, backup.KindRequested))
}

func TestReviseRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	for field, form := range map[string]backup.Form{
		"ID":            {ID: uuid.New(), Schedule: daily(3)},
		"ServerID":      {ServerID: uuid.New(), Schedule: daily(3)},
		"Schedule.Hour": {Schedule: daily(25)},
		"Schedule":      {Schedule: backup.Schedule{Frequency: backup.Once, Hour: 1}},
		"What":          {What: "a\x07", Schedule: daily(3)},
	} {
		_, err := f.Revise(t.Context(), f.client, r.ID, form)
		require.ErrorIs(t, err, backup.ErrInvalid)
		var e *backup.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, field, e.Field)
		assert.Equal(t, backup.OpRevise, e.Op)
	}
	f.release(t, f.server)
	_, err := f.Revise(t.Context(), f.reseller, r.ID, backup.Form{Schedule: daily(3)})
	require.ErrorIs(t, err, backup.ErrConflict)
}

// TestLastTextOfASeries: the text of the last task can still be revised, although no further occurrence comes.
func TestLastTextOfASeries(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s := backup.Schedule{Frequency: backup.Daily, Hour: 2, Count: 1}
	r := f.submit(t, s)
	f.clock.Set(at("2026-01-05 00:00"))
	_, err := f.Revise(t.Context(), f.client, r.ID, backup.Form{What: "all", Schedule: s})
	require.NoError(t, err)
	assert.Equal(t, "all", f.planned(t, r).What)
}
