package backup_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

// concurrently starts functions together and returns their errors.
func concurrently(do ...func() error) []error {
	start, errs := make(chan struct{}), make([]error, len(do))
	var all sync.WaitGroup
	for n, call := range do {
		all.Go(func() {
			<-start
			errs[n] = call()
		})
	}
	close(start)
	all.Wait()
	return errs
}

// TestTwoProcesses completes and cancels one task, ticks and closes at once, over one store. Of two that close the task exactly one
// wins, and one mail is sent.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	other, err := backup.New(backup.Config{Store: f.store, Servers: f.servers, Clock: f.clock})
	require.NoError(t, err)
	for round := range 200 {
		r := f.submit(t, daily(2))
		task := f.planned(t, r).ID
		before := len(f.kinds(t))
		errs := concurrently(
			func() error {
				_, err := f.Complete(t.Context(), f.reseller, task, backup.Result{})
				return err
			},
			func() error {
				_, err := other.Cancel(t.Context(), f.client, task, "")
				return err
			},
			func() error {
				_, err := other.Tick(t.Context())
				return err
			},
		)
		require.NoError(t, errs[2])
		require.NotEqual(t, errs[0] == nil, errs[1] == nil, "round %d: one of two must win: %v, %v", round, errs[0], errs[1])
		require.ErrorIs(t, errors.Join(errs...), backup.ErrConflict)
		require.Len(t, f.kinds(t), before+1)
		require.Len(t, f.list(t, backup.TaskQuery{RequestID: r.ID}), 2)
	}
	d := f.released()
	require.Equal(t, []error{nil, nil}, concurrently(
		func() error { return f.CloseServer(t.Context(), d) },
		func() error { return other.CloseServer(t.Context(), d) },
	))
	assert.Equal(t, 1, f.count(t, backup.KindClosed))
	assert.Empty(t, f.list(t, backup.TaskQuery{States: []backup.State{backup.Pending}}))
}

// TestManyTickers: several processes tick over one store at once. Each missed occurrence counts once, and one reminder is sent.
func TestManyTickers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for range 50 {
		f.submit(t, daily(2))
	}
	var ticks []func() error
	for range 5 {
		m, err := backup.New(backup.Config{Store: f.store, Servers: f.servers, Clock: f.clock})
		require.NoError(t, err)
		ticks = append(ticks, func() error {
			_, err := m.Tick(t.Context())
			return err
		})
	}
	for day := 1; day <= 5; day++ {
		f.clock.Set(at("2026-01-02 02:00").AddDate(0, 0, day))
		require.NoError(t, errors.Join(concurrently(ticks...)...))
		skipped := f.list(t, backup.TaskQuery{States: []backup.State{backup.Skipped}})
		require.Len(t, skipped, 50)
		for _, task := range skipped {
			require.Equal(t, day, task.Missed)
		}
	}
	assert.Equal(t, 50, f.count(t, backup.KindOverdue))
}

// TestSubmitTwiceAtOnce: two processes submit one form at once. That makes one request, and both get it.
func TestSubmitTwiceAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for range 100 {
		form := backup.Form{ID: uuid.New(), ServerID: f.server.ID, Schedule: daily(2)}
		var got [2]backup.Request
		submit := func(n int) func() error {
			return func() (err error) {
				got[n], err = f.Submit(t.Context(), f.client, form)
				return err
			}
		}
		require.Equal(t, []error{nil, nil}, concurrently(submit(0), submit(1)))
		require.Equal(t, got[0], got[1])
		require.Len(t, f.list(t, backup.TaskQuery{RequestID: form.ID}), 1)
	}
}
