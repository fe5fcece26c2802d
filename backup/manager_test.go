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
			p := setup(t)
			tt.form.ServerID = p.server.ID
			_, err := p.Submit(t.Context(), p.client, tt.form)
			require.ErrorIs(t, err, tt.err)
			var e *backup.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tt.field, e.Field)
			assert.Equal(t, "Submit", e.Op)
			assert.Empty(t, p.told(t))
		})
	}
}

func TestSubmitForAServerThatNobodyUses(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.release(t, p.server)
	_, err := p.Submit(t.Context(), p.reseller, backup.Form{ServerID: p.server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, backup.ErrConflict)
	_, err = p.Submit(t.Context(), p.client, backup.Form{ServerID: p.server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, backup.ErrNotFound)
	for _, id := range []uuid.UUID{uuid.Nil, uuid.New()} {
		_, err = p.Submit(t.Context(), p.reseller, backup.Form{ServerID: id, Schedule: daily(2)})
		require.ErrorIs(t, err, backup.ErrNotFound)
	}
}

func TestSubmitWithATakenID(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	other := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: p.reseller.ResellerID}
	server := p.rent(t, "web-08", dedicated.Owner{}, other.ID)
	_, err := p.Submit(t.Context(), other, backup.Form{ID: r.ID, ServerID: server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, backup.ErrConflict)
	var e *backup.Error
	require.ErrorAs(t, err, &e)
	assert.Nil(t, e.Existing, "another client's request is not shown")
}

// TestOnBehalf: what the reseller submits is the client's.
func TestOnBehalf(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r, err := p.Submit(t.Context(), p.reseller, backup.Form{ServerID: p.server.ID, Schedule: daily(2)})
	require.NoError(t, err)
	assert.Equal(t, p.client.ID, r.ClientID)
	_, err = p.Withdraw(t.Context(), p.client, r.ID, "not needed")
	require.NoError(t, err)
}

func TestSettledTasksStaySettled(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	task := p.planned(t, r).ID
	_, err := p.Complete(t.Context(), p.reseller, task, backup.Result{Bytes: 9, Location: "vault", Note: "a\nb"})
	require.NoError(t, err)
	cancelled := p.planned(t, r).ID
	_, err = p.Cancel(t.Context(), p.client, cancelled, "")
	require.NoError(t, err)
	told := p.told(t)
	assert.ElementsMatch(t, []notify.Kind{backup.KindRequested, backup.KindCompleted, backup.KindCancelled}, told)
	for _, id := range []uuid.UUID{task, cancelled} {
		_, err := p.Complete(t.Context(), p.reseller, id, backup.Result{})
		require.ErrorIs(t, err, backup.ErrConflict)
		var e *backup.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, []backup.State{backup.Pending}, e.Want)
		_, err = p.Fail(t.Context(), p.reseller, id, "late")
		require.ErrorIs(t, err, backup.ErrConflict)
		_, err = p.Cancel(t.Context(), p.reseller, id, "late")
		require.ErrorIs(t, err, backup.ErrConflict)
		_, err = p.Retry(t.Context(), p.reseller, id)
		require.ErrorIs(t, err, backup.ErrConflict)
	}
	assert.Equal(t, told, p.told(t), "what is refused tells nobody")
}

func TestTextOfResultsAndReasons(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	task := p.planned(t, r).ID
	long := strings.Repeat("x", backup.MaxReason+1)
	for _, result := range []backup.Result{{Bytes: -1}, {Location: long}, {Location: "a\nb"}, {Note: strings.Repeat("x", backup.MaxText+1)}} {
		_, err := p.Complete(t.Context(), p.reseller, task, result)
		require.ErrorIs(t, err, backup.ErrInvalid)
	}
	for _, reason := range []string{"", " ", long, "a\nb"} {
		_, err := p.Fail(t.Context(), p.reseller, task, reason)
		require.ErrorIs(t, err, backup.ErrInvalid)
	}
	_, err := p.Cancel(t.Context(), p.client, task, long)
	require.ErrorIs(t, err, backup.ErrInvalid)
	_, err = p.Withdraw(t.Context(), p.client, r.ID, "a\nb")
	require.ErrorIs(t, err, backup.ErrInvalid)
	assert.Equal(t, backup.Pending, p.planned(t, r).State)
}

func TestRetryBesideThePlannedOne(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	first := p.planned(t, r)
	p.clock.Set(at("2026-01-02 03:00"))
	failed, err := p.Fail(t.Context(), p.reseller, first.ID, "no space")
	require.NoError(t, err)
	assert.Equal(t, "no space", failed.Reason)
	again, err := p.Retry(t.Context(), p.reseller, first.ID)
	require.NoError(t, err)
	assert.Equal(t, first.ID, again.ID)
	assert.Equal(t, first.At, again.At)
	assert.Equal(t, 1, again.Attempt)
	assert.Empty(t, again.Reason)
	assert.Equal(t, at("2026-01-03 03:00"), again.RemindAt)
	assert.Equal(t, at("2026-01-03 02:00"), p.planned(t, r).At)
	_, err = p.Fail(t.Context(), p.reseller, first.ID, "no space again")
	require.NoError(t, err)
	again, err = p.Retry(t.Context(), p.reseller, first.ID)
	require.NoError(t, err)
	assert.Equal(t, 2, again.Attempt)
	_, err = p.Complete(t.Context(), p.reseller, first.ID, backup.Result{})
	require.NoError(t, err)
	assert.Equal(t, at("2026-01-03 02:00"), p.planned(t, r).At, "the planned one stays")
	assert.Len(t, p.list(t, backup.TaskQuery{}), 2)

	_, err = p.Fail(t.Context(), p.reseller, p.planned(t, r).ID, "no space")
	require.NoError(t, err)
	_, err = p.Withdraw(t.Context(), p.client, r.ID, "")
	require.NoError(t, err)
	_, err = p.Retry(t.Context(), p.reseller, p.list(t, backup.TaskQuery{States: []backup.State{backup.Failed}})[0].ID)
	require.ErrorIs(t, err, backup.ErrConflict, "the series was withdrawn")
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	first := p.planned(t, r).ID
	_, err := p.Fail(t.Context(), p.reseller, first, "no space")
	require.NoError(t, err)
	_, err = p.Retry(t.Context(), p.reseller, first)
	require.NoError(t, err)
	p.clock.Set(at("2026-01-05 03:00"))
	ended, err := p.Withdraw(t.Context(), p.client, r.ID, "not needed")
	require.NoError(t, err)
	assert.Equal(t, at("2026-01-05 03:00"), ended.Ended)
	assert.Equal(t, backup.Withdrawn, ended.Ending)
	assert.Equal(t, "not needed", ended.EndReason)
	assert.Zero(t, ended.Planned)
	assert.Zero(t, ended.Due)
	counts, err := p.Counts(t.Context(), p.client, backup.TaskQuery{})
	require.NoError(t, err)
	assert.Equal(t, map[backup.State]int{
		backup.Pending: 0, backup.Completed: 0, backup.Failed: 0, backup.Cancelled: 2, backup.Skipped: 1,
	}, counts, "what was missed until then is recorded")
	assert.Equal(t, 1, p.count(t, backup.KindWithdrawn))
	assert.Zero(t, p.count(t, backup.KindCancelled), "one mail for all")
	_, err = p.Withdraw(t.Context(), p.client, r.ID, "")
	require.ErrorIs(t, err, backup.ErrConflict)
	_, err = p.Revise(t.Context(), p.client, r.ID, backup.Form{Schedule: daily(3)})
	require.ErrorIs(t, err, backup.ErrConflict)
}

func TestGates(t *testing.T) {
	t.Parallel()
	refusal := errors.New("backups are switched off")
	var asked []int64
	open := true
	p := setup(t, func(c *backup.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, _ dedicated.Actor, r backup.Request) error {
			asked = append(asked, r.Version)
			if !open {
				return refusal
			}
			return nil
		})
	})
	r := p.submit(t, daily(2))
	_, err := p.Revise(t.Context(), p.client, r.ID, backup.Form{What: "all", Schedule: daily(2)})
	require.NoError(t, err)
	assert.Equal(t, []int64{0, 1}, asked)
	open = false
	_, err = p.Submit(t.Context(), p.client, backup.Form{ServerID: p.server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, refusal)
	require.ErrorIs(t, err, backup.ErrForbidden)
	_, err = p.Revise(t.Context(), p.client, r.ID, backup.Form{Schedule: daily(3)})
	require.ErrorIs(t, err, refusal)
	_, err = p.Complete(t.Context(), p.reseller, p.planned(t, r).ID, backup.Result{})
	require.NoError(t, err, "what is open finishes")
	assert.Len(t, p.list(t, backup.TaskQuery{}), 2)
}

// What panics, its value is not for clients.
func TestForeignCodeThatPanics(t *testing.T) {
	t.Parallel()
	const secret = "password=secret"
	tests := []struct {
		name string
		fit  func(c *backup.Config)
		want string
		is   error // nil: the panic alone
	}{
		{"gate", func(c *backup.Config) {
			c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, backup.Request) error { panic(secret) })
		}, "gate 1 panicked", backup.ErrForbidden},
		{"inventory", func(c *backup.Config) {
			c.Servers = serversFunc(func(uuid.UUID) (dedicated.Server, error) { panic(secret) })
		}, "Config.Servers panicked", nil},
		{"ends", func(c *backup.Config) {
			c.Ends = func(context.Context, []uuid.UUID) (map[uuid.UUID]time.Time, error) { panic(secret) }
		}, "Config.Ends panicked", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := setup(t, tt.fit)
			_, err := p.Submit(t.Context(), p.client, backup.Form{ServerID: p.server.ID, Schedule: daily(2)})
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			var known *backup.Error
			require.ErrorAs(t, err, &known)
			assert.Contains(t, known.Msg, tt.want)
			assert.NotContains(t, known.Error(), secret)
			tasks, _, err := p.store.Tasks(t.Context(), p.reseller.ResellerID, backup.TaskQuery{})
			require.NoError(t, err)
			assert.Empty(t, tasks)
		})
	}
}

func TestScheduledCancellation(t *testing.T) {
	t.Parallel()
	end, down := at("2026-01-04 00:00"), errors.New("down")
	var failure error
	p := setup(t, func(c *backup.Config) {
		c.Ends = func(_ context.Context, servers []uuid.UUID) (map[uuid.UUID]time.Time, error) {
			return map[uuid.UUID]time.Time{servers[0]: end}, failure
		}
	})
	_, err := p.Submit(t.Context(), p.client, backup.Form{ServerID: p.server.ID, Schedule: backup.Schedule{
		Frequency: backup.Daily, Start: end,
	}})
	require.ErrorIs(t, err, backup.ErrConflict, "it would start when the server ends")
	r := p.submit(t, daily(2))
	task := p.planned(t, r)
	assert.False(t, task.WillNotRun)

	upcoming, err := p.Upcoming(t.Context(), p.client, start, at("2026-01-06 00:00"), 0)
	require.NoError(t, err)
	var runs []bool
	for _, o := range upcoming {
		runs = append(runs, !o.WillNotRun)
	}
	assert.Equal(t, []bool{true, true, false, false}, runs)

	end = at("2026-01-02 02:00")
	task, err = p.Task(t.Context(), p.client, task.ID)
	require.NoError(t, err)
	assert.True(t, task.WillNotRun)
	stored, err := p.store.Task(t.Context(), task.ID)
	require.NoError(t, err)
	assert.False(t, stored.WillNotRun, "derived, never stored")

	failure = down
	_, err = p.Task(t.Context(), p.client, task.ID)
	require.ErrorIs(t, err, down)
	_, err = p.Upcoming(t.Context(), p.client, start, at("2026-01-06 00:00"), 0)
	require.ErrorIs(t, err, down)
	_, err = p.Submit(t.Context(), p.client, backup.Form{ServerID: p.server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, down)
}

func TestWillNotRun(t *testing.T) {
	t.Parallel()
	a := backup.Task{At: at("2026-01-01 00:00"), State: backup.Pending}
	b := backup.Task{At: at("2026-01-02 00:00"), State: backup.Pending}
	done := backup.Task{At: at("2026-01-03 00:00"), State: backup.Completed}
	assert.Equal(t, []backup.Task{b}, backup.WillNotRun(at("2026-01-02 00:00"), a, b, done))
	assert.Empty(t, backup.WillNotRun(time.Time{}, a, b))
}
