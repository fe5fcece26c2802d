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

// atOnce starts functions together and returns their errors.
func atOnce(do ...func() error) []error {
	start, errs := make(chan struct{}), make([]error, len(do))
	var all sync.WaitGroup
	for n, f := range do {
		all.Go(func() {
			<-start
			errs[n] = f()
		})
	}
	close(start)
	all.Wait()
	return errs
}

// TestTwoProcesses settle, revise, tick and close one series at once, each time over one store: of those that settle the
// task exactly one wins, and one mail is sent.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	p := setup(t)
	other, err := backup.New(backup.Config{Store: p.store, Servers: p.servers, Clock: p.clock})
	require.NoError(t, err)
	for round := range 200 {
		r := p.submit(t, daily(2))
		task := p.planned(t, r).ID
		before := len(p.told(t))
		errs := atOnce(
			func() error {
				_, err := p.Complete(t.Context(), p.reseller, task, backup.Result{})
				return err
			},
			func() error {
				_, err := other.Cancel(t.Context(), p.client, task, "")
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
		require.Len(t, p.told(t), before+1)
		require.Len(t, p.list(t, backup.TaskQuery{RequestID: r.ID}), 2)
	}
	d := p.departure()
	require.Equal(t, []error{nil, nil}, atOnce(
		func() error { return p.CloseServer(t.Context(), d) },
		func() error { return other.CloseServer(t.Context(), d) },
	))
	assert.Equal(t, 1, p.count(t, backup.KindClosed))
	assert.Empty(t, p.list(t, backup.TaskQuery{States: []backup.State{backup.Pending}}))
}

// TestManyTickers tick over one store at once: what was missed is counted once, and one reminder is sent.
func TestManyTickers(t *testing.T) {
	t.Parallel()
	p := setup(t)
	for range 50 {
		p.submit(t, daily(2))
	}
	var ticks []func() error
	for range 5 {
		m, err := backup.New(backup.Config{Store: p.store, Servers: p.servers, Clock: p.clock})
		require.NoError(t, err)
		ticks = append(ticks, func() error {
			_, err := m.Tick(t.Context())
			return err
		})
	}
	for day := 1; day <= 5; day++ {
		p.clock.Set(at("2026-01-02 02:00").AddDate(0, 0, day))
		require.NoError(t, errors.Join(atOnce(ticks...)...))
		skipped := p.list(t, backup.TaskQuery{States: []backup.State{backup.Skipped}})
		require.Len(t, skipped, 50)
		for _, task := range skipped {
			require.Equal(t, day, task.Missed)
		}
	}
	assert.Equal(t, 50, p.count(t, backup.KindOverdue))
}

// TestSubmitTwiceAtOnce: a form that two processes send at once makes one request, and both get it.
func TestSubmitTwiceAtOnce(t *testing.T) {
	t.Parallel()
	p := setup(t)
	for range 100 {
		form := backup.Form{ID: uuid.New(), ServerID: p.server.ID, Schedule: daily(2)}
		var got [2]backup.Request
		submit := func(n int) func() error {
			return func() (err error) {
				got[n], err = p.Submit(t.Context(), p.client, form)
				return err
			}
		}
		require.Equal(t, []error{nil, nil}, atOnce(submit(0), submit(1)))
		require.Equal(t, got[0], got[1])
		require.Len(t, p.list(t, backup.TaskQuery{RequestID: form.ID}), 1)
	}
}
