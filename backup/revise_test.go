package backup_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

func revise(t *testing.T, p *panel, r backup.Request, s backup.Schedule) backup.Request {
	t.Helper()
	r, err := p.Revise(t.Context(), p.client, r.ID, backup.Form{What: r.Form.What, Schedule: s})
	require.NoError(t, err)
	return r
}

func TestReviseMovesWhatIsNotDue(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	before := p.planned(t, r)
	r = revise(t, p, r, daily(5))
	after := p.planned(t, r)
	assert.Equal(t, before.ID, after.ID)
	assert.Equal(t, at("2026-01-02 05:00"), after.At)
	assert.Equal(t, at("2026-01-03 05:00"), after.RemindAt)
	assert.Equal(t, after.At, r.Planned)
	assert.Len(t, p.list(t, backup.TaskQuery{}), 1)

	// Back again, and through the date that the moved task has its ID from.
	r = revise(t, p, r, daily(2))
	p.clock.Set(at("2026-01-04 03:00"))
	_, err := p.Complete(t.Context(), p.reseller, p.planned(t, r).ID, backup.Result{})
	require.NoError(t, err)
	tasks := p.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 3)
	assert.Equal(t, at("2026-01-04 02:00"), tasks[1].At)
	assert.Equal(t, 2, tasks[1].Missed)
	assert.Equal(t, at("2026-01-05 02:00"), tasks[2].At)
}

func TestReviseLeavesWhatIsDue(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	before := p.planned(t, r)
	p.clock.Set(at("2026-01-04 12:00"))
	r = revise(t, p, r, backup.Schedule{Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Monday}, Hour: 2})
	tasks := p.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 2)
	assert.Equal(t, before.ID, tasks[0].ID)
	assert.Equal(t, before.At, tasks[0].At)
	assert.Equal(t, 2, tasks[1].Missed, "those of the schedule that was")

	p.clock.Set(at("2026-01-12 12:00"))
	_, err := p.Complete(t.Context(), p.reseller, before.ID, backup.Result{})
	require.NoError(t, err)
	tasks = p.list(t, backup.TaskQuery{})
	require.Len(t, tasks, 3, "still one skipped task while one was pending")
	assert.Equal(t, 4, tasks[1].Missed, "and the Mondays of the one that is")
	assert.Equal(t, at("2026-01-12 02:00"), tasks[1].At)
	assert.Equal(t, at("2026-01-19 02:00"), p.planned(t, r).At)
}

// TestReviseAfterTheClockWentBack: what was missed by a clock that ran ahead is not planned again.
func TestReviseAfterTheClockWentBack(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	first := p.planned(t, r)
	p.clock.Set(at("2026-01-10 12:00"))
	p.tick(t)
	p.clock.Set(at("2026-01-01 13:00"))
	r = revise(t, p, r, daily(5))
	assert.Equal(t, first.At, p.planned(t, r).At, "it was due once")
	_, err := p.Complete(t.Context(), p.reseller, first.ID, backup.Result{})
	require.NoError(t, err)
	assert.Equal(t, at("2026-01-10 05:00"), p.planned(t, r).At)
}

// TestReviseAfterSettlingAhead: what the client cancelled ahead of time stays cancelled, and holds nothing else back.
func TestReviseAfterSettlingAhead(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, backup.Schedule{Frequency: backup.Monthly, MonthDay: 3, Hour: 2})
	_, err := p.Cancel(t.Context(), p.client, p.planned(t, r).ID, "")
	require.NoError(t, err)
	require.Equal(t, at("2026-02-03 02:00"), p.planned(t, r).At)
	r = revise(t, p, r, daily(2))
	assert.Equal(t, at("2026-01-02 02:00"), p.planned(t, r).At)
	p.clock.Set(at("2026-01-02 03:00"))
	_, err = p.Complete(t.Context(), p.reseller, p.planned(t, r).ID, backup.Result{})
	require.NoError(t, err)
	assert.Equal(t, at("2026-01-04 02:00"), p.planned(t, r).At, "3 January was cancelled")

	_, err = p.Cancel(t.Context(), p.client, p.planned(t, r).ID, "")
	require.NoError(t, err)
	_, err = p.Revise(t.Context(), p.client, r.ID, backup.Form{Schedule: backup.Schedule{
		Frequency: backup.Once, Hour: 2, Start: at("2026-01-04 00:00"),
	}})
	require.ErrorIs(t, err, backup.ErrInvalid, "all that it would have is cancelled")
}

func TestReviseTextAlone(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	p.clock.Set(at("2026-01-03 12:00"))
	before := p.planned(t, r)
	revised, err := p.Revise(t.Context(), p.reseller, r.ID, backup.Form{
		ID: r.ID, ServerID: p.server.ID, What: "everything", Note: "please", Schedule: daily(2),
	})
	require.NoError(t, err)
	assert.Equal(t, r.Form.Schedule, revised.Form.Schedule, "a zero Start keeps the one there is")
	after := p.planned(t, r)
	assert.Equal(t, "everything", after.What)
	assert.Equal(t, before.At, after.At)
	assert.Equal(t, 2, p.count(t, backup.KindRequested))

	same, err := p.Revise(t.Context(), p.reseller, r.ID, backup.Form{What: "everything", Note: "please", Schedule: daily(2)})
	require.NoError(t, err)
	assert.Equal(t, revised, same, "nothing changed, nothing is written")
	assert.Equal(t, 2, p.count(t, backup.KindRequested))
}

func TestReviseRefuses(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	for field, form := range map[string]backup.Form{
		"ID":            {ID: uuid.New(), Schedule: daily(3)},
		"ServerID":      {ServerID: uuid.New(), Schedule: daily(3)},
		"Schedule.Hour": {Schedule: daily(25)},
		"Schedule":      {Schedule: backup.Schedule{Frequency: backup.Once, Hour: 1}},
		"What":          {What: "a\x07", Schedule: daily(3)},
	} {
		_, err := p.Revise(t.Context(), p.client, r.ID, form)
		require.ErrorIs(t, err, backup.ErrInvalid)
		var e *backup.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, field, e.Field)
		assert.Equal(t, "Revise", e.Op)
	}
	p.release(t, p.server)
	_, err := p.Revise(t.Context(), p.reseller, r.ID, backup.Form{Schedule: daily(3)})
	require.ErrorIs(t, err, backup.ErrConflict)
}

// TestLastTextOfASeries: the text of the last task can still be revised, though no occurrence is to come.
func TestLastTextOfASeries(t *testing.T) {
	t.Parallel()
	p := setup(t)
	s := backup.Schedule{Frequency: backup.Daily, Hour: 2, Count: 1}
	r := p.submit(t, s)
	p.clock.Set(at("2026-01-05 00:00"))
	_, err := p.Revise(t.Context(), p.client, r.ID, backup.Form{What: "all", Schedule: s})
	require.NoError(t, err)
	assert.Equal(t, "all", p.planned(t, r).What)
}
