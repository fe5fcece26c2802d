package backup_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

func TestNew(t *testing.T) {
	t.Parallel()
	store, servers := &backup.MemoryStore{}, serversFunc(nil)
	for field, c := range map[string]backup.Config{
		"Config.Store":    {Servers: servers},
		"Config.Servers":  {Store: store},
		"Config.Grace":    {Store: store, Servers: servers, Grace: -1},
		"Config.Parallel": {Store: store, Servers: servers, Parallel: -1},
		"Config.Deadline": {Store: store, Servers: servers, Deadline: -1},
		"Config.Tries":    {Store: store, Servers: servers, Tries: -1},
		"Config.Epoch":    {Store: store, Servers: servers, Epoch: "the second"},
	} {
		_, err := backup.New(c)
		require.ErrorIs(t, err, backup.ErrInvalid)
		var e *backup.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, field, e.Field)
	}
	_, err := backup.New(backup.Config{Store: store, Servers: servers})
	require.NoError(t, err)
}

func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", backup.MaxText+1)
	tests := []struct {
		name  string
		form  backup.Form
		field string
		err   error
	}{
		{"no schedule", backup.Form{}, "Schedule.Frequency", backup.ErrInvalid},
		{"a wrong one", backup.Form{Schedule: daily(24)}, "Schedule.Hour", backup.ErrInvalid},
		{"one that is over", backup.Form{Schedule: backup.Schedule{Frequency: backup.Once, Hour: 11}}, "Schedule", backup.ErrInvalid},
		{"long text", backup.Form{What: long, Schedule: daily(2)}, "What", backup.ErrInvalid},
		{"a long note", backup.Form{Note: long, Schedule: daily(2)}, "Note", backup.ErrInvalid},
		{"hostile text", backup.Form{What: "a\x00b", Schedule: daily(2)}, "What", backup.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			tt.form.ServerID = f.server.ID
			_, err := f.Submit(t.Context(), f.client, tt.form)
			require.ErrorIs(t, err, tt.err)
			var e *backup.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tt.field, e.Field)
			assert.Equal(t, backup.OpSubmit, e.Op)
			assert.Empty(t, f.kinds(t))
		})
	}
}

func TestSubmitForAServerThatNobodyUses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.release(t, f.server)
	_, err := f.Submit(t.Context(), f.reseller, backup.Form{ServerID: f.server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, backup.ErrConflict)
	_, err = f.Submit(t.Context(), f.client, backup.Form{ServerID: f.server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, backup.ErrNotFound)
	for _, id := range []uuid.UUID{uuid.Nil, uuid.New()} {
		_, err = f.Submit(t.Context(), f.reseller, backup.Form{ServerID: id, Schedule: daily(2)})
		require.ErrorIs(t, err, backup.ErrNotFound)
	}
}

func TestSubmitWithATakenID(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	other := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: f.reseller.ResellerID}
	server := f.rent(t, "web-08", dedicated.Owner{}, other.ID)
	_, err := f.Submit(t.Context(), other, backup.Form{ID: r.ID, ServerID: server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, backup.ErrConflict)
	var e *backup.Error
	require.ErrorAs(t, err, &e)
	assert.Nil(t, e.Existing, "another client's request is not shown")
}

// TestOnBehalf: what the reseller submits is the client's.
func TestOnBehalf(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r, err := f.Submit(t.Context(), f.reseller, backup.Form{ServerID: f.server.ID, Schedule: daily(2)})
	require.NoError(t, err)
	assert.Equal(t, f.client.ID, r.ClientID)
	_, err = f.Withdraw(t.Context(), f.client, r.ID, "not needed")
	require.NoError(t, err)
}

func TestClosedTasksStayClosed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	task := f.planned(t, r).ID
	_, err := f.Complete(t.Context(), f.reseller, task, backup.Result{Bytes: 9, Location: "vault", Note: "a\nb"})
	require.NoError(t, err)
	cancelled := f.planned(t, r).ID
	_, err = f.Cancel(t.Context(), f.client, cancelled, "")
	require.NoError(t, err)
	told := f.kinds(t)
	assert.ElementsMatch(t, []notify.Kind{backup.KindRequested, backup.KindCompleted, backup.KindCancelled}, told)
	for _, id := range []uuid.UUID{task, cancelled} {
		_, err := f.Complete(t.Context(), f.reseller, id, backup.Result{})
		require.ErrorIs(t, err, backup.ErrConflict)
		var e *backup.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, []backup.State{backup.Pending}, e.Want)
		_, err = f.Fail(t.Context(), f.reseller, id, "late")
		require.ErrorIs(t, err, backup.ErrConflict)
		_, err = f.Cancel(t.Context(), f.reseller, id, "late")
		require.ErrorIs(t, err, backup.ErrConflict)
		_, err = f.Retry(t.Context(), f.reseller, id)
		require.ErrorIs(t, err, backup.ErrConflict)
	}
	assert.Equal(t, told, f.kinds(t), "a refused operation records no event")
}

func TestTextOfResultsAndReasons(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	task := f.planned(t, r).ID
	long := strings.Repeat("x", backup.MaxReason+1)
	for _, result := range []backup.Result{{Bytes: -1}, {Location: long}, {Location: "a\nb"}, {Note: strings.Repeat("x", backup.MaxText+1)}} {
		_, err := f.Complete(t.Context(), f.reseller, task, result)
		require.ErrorIs(t, err, backup.ErrInvalid)
	}
	for _, reason := range []string{"", " ", long, "a\nb"} {
		_, err := f.Fail(t.Context(), f.reseller, task, reason)
		require.ErrorIs(t, err, backup.ErrInvalid)
	}
	_, err := f.Cancel(t.Context(), f.client, task, long)
	require.ErrorIs(t, err, backup.ErrInvalid)
	_, err = f.Withdraw(t.Context(), f.client, r.ID, "a\nb")
	require.ErrorIs(t, err, backup.ErrInvalid)
	assert.Equal(t, backup.Pending, f.planned(t, r).State)
}

func TestRetryBesideThePlannedOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	first := f.planned(t, r)
	f.clock.Set(at("2026-01-02 03:00"))
	failed, err := f.Fail(t.Context(), f.reseller, first.ID, "no space")
	require.NoError(t, err)
	assert.Equal(t, "no space", failed.Reason)
	again, err := f.Retry(t.Context(), f.reseller, first.ID)
	require.NoError(t, err)
	assert.Equal(t, first.ID, again.ID)
	assert.Equal(t, first.At, again.At)
	assert.Equal(t, 1, again.Attempt)
	assert.Empty(t, again.Reason)
	assert.Equal(t, at("2026-01-03 03:00"), again.RemindAt)
	assert.Equal(t, at("2026-01-03 02:00"), f.planned(t, r).At)
	_, err = f.Fail(t.Context(), f.reseller, first.ID, "no space again")
	require.NoError(t, err)
	again, err = f.Retry(t.Context(), f.reseller, first.ID)
	require.NoError(t, err)
	assert.Equal(t, 2, again.Attempt)
	_, err = f.Complete(t.Context(), f.reseller, first.ID, backup.Result{})
	require.NoError(t, err)
	assert.Equal(t, at("2026-01-03 02:00"), f.planned(t, r).At, "the planned task stays")
	assert.Len(t, f.list(t, backup.TaskQuery{}), 2)

	_, err = f.Fail(t.Context(), f.reseller, f.planned(t, r).ID, "no space")
	require.NoError(t, err)
	_, err = f.Withdraw(t.Context(), f.client, r.ID, "")
	require.NoError(t, err)
	_, err = f.Retry(t.Context(), f.reseller, f.list(t, backup.TaskQuery{States: []backup.State{backup.Failed}})[0].ID)
	require.ErrorIs(t, err, backup.ErrConflict, "the series was withdrawn")
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	first := f.planned(t, r).ID
	_, err := f.Fail(t.Context(), f.reseller, first, "no space")
	require.NoError(t, err)
	_, err = f.Retry(t.Context(), f.reseller, first)
	require.NoError(t, err)
	f.clock.Set(at("2026-01-05 03:00"))
	ended, err := f.Withdraw(t.Context(), f.client, r.ID, "not needed")
	require.NoError(t, err)
	assert.Equal(t, at("2026-01-05 03:00"), ended.Ended)
	assert.Equal(t, backup.Withdrawn, ended.Ending)
	assert.Equal(t, "not needed", ended.EndReason)
	assert.Zero(t, ended.Planned)
	assert.Zero(t, ended.Due)
	counts, err := f.Counts(t.Context(), f.client, backup.TaskQuery{})
	require.NoError(t, err)
	assert.Equal(t, map[backup.State]int{
		backup.Pending: 0, backup.Completed: 0, backup.Failed: 0, backup.Cancelled: 2, backup.Skipped: 1,
	}, counts, "the missed occurrences are recorded")
	assert.Equal(t, 1, f.count(t, backup.KindWithdrawn))
	assert.Zero(t, f.count(t, backup.KindCancelled), "one mail for all")
	_, err = f.Withdraw(t.Context(), f.client, r.ID, "")
	require.ErrorIs(t, err, backup.ErrConflict)
	_, err = f.Revise(t.Context(), f.client, r.ID, backup.Form{Schedule: daily(3)})
	require.ErrorIs(t, err, backup.ErrConflict)
}

func TestScheduledCancellation(t *testing.T) {
	t.Parallel()
	end, down := at("2026-01-04 00:00"), errors.New("down")
	var failure error
	f := setup(t, func(c *backup.Config) {
		c.Ends = func(_ context.Context, servers []uuid.UUID) (map[uuid.UUID]time.Time, error) {
			return map[uuid.UUID]time.Time{servers[0]: end}, failure
		}
	})
	_, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: f.server.ID, Schedule: backup.Schedule{
		Frequency: backup.Daily, Start: end,
	}})
	require.ErrorIs(t, err, backup.ErrConflict, "it would start when the server ends")
	r := f.submit(t, daily(2))
	task := f.planned(t, r)
	assert.False(t, task.WillNotRun)

	upcoming, err := f.Upcoming(t.Context(), f.client, start, at("2026-01-06 00:00"), 0)
	require.NoError(t, err)
	var runs []bool
	for _, o := range upcoming {
		runs = append(runs, !o.WillNotRun)
	}
	assert.Equal(t, []bool{true, true, false, false}, runs)

	end = at("2026-01-02 02:00")
	task, err = f.Task(t.Context(), f.client, task.ID)
	require.NoError(t, err)
	assert.True(t, task.WillNotRun)
	stored, err := f.store.Task(t.Context(), task.ID)
	require.NoError(t, err)
	assert.False(t, stored.WillNotRun, "derived, never stored")

	failure = down
	_, err = f.Task(t.Context(), f.client, task.ID)
	require.ErrorIs(t, err, down)
	_, err = f.Upcoming(t.Context(), f.client, start, at("2026-01-06 00:00"), 0)
	require.ErrorIs(t, err, down)
	_, err = f.Submit(t.Context(), f.client, backup.Form{ServerID: f.server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, down)
}

// TestWillNotRun: a pending task at or after the end of its server will not run. A closed task is not marked.
func TestWillNotRun(t *testing.T) {
	t.Parallel()
	var end time.Time
	f := setup(t, func(c *backup.Config) {
		c.Ends = func(_ context.Context, servers []uuid.UUID) (map[uuid.UUID]time.Time, error) {
			return map[uuid.UUID]time.Time{servers[0]: end}, nil
		}
	})
	first, second := f.planned(t, f.submit(t, daily(2))), f.planned(t, f.submit(t, daily(3)))
	closed := f.planned(t, f.submit(t, daily(4)))
	_, err := f.Cancel(t.Context(), f.client, closed.ID, "")
	require.NoError(t, err)
	marked := func() (ids []uuid.UUID) {
		for _, task := range f.list(t, backup.TaskQuery{To: at("2026-01-03 00:00")}) {
			if task.WillNotRun {
				ids = append(ids, task.ID)
			}
		}
		return ids
	}
	assert.Empty(t, marked(), "no end")
	end = second.At.Add(time.Microsecond)
	assert.Empty(t, marked())
	end = second.At
	assert.Equal(t, []uuid.UUID{second.ID}, marked())
	end = first.At
	assert.Equal(t, []uuid.UUID{first.ID, second.ID}, marked())
}
