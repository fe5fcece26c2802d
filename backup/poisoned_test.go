package backup_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

var errPoisoned = errors.New("column too short")

// poisonedStore refuses each Commit that writes a task of one request. If givesBack is false, it refuses the request, too.
type poisonedStore struct {
	backup.Store
	of        uuid.UUID
	givesBack bool
}

func (p *poisonedStore) Commit(ctx context.Context, changes ...backup.Change) error {
	for _, c := range changes {
		task := slices.ContainsFunc(c.Tasks, func(t backup.Task) bool { return t.RequestID == p.of })
		request := slices.ContainsFunc(c.Requests, func(r backup.Request) bool { return r.ID == p.of })
		if task || request && !p.givesBack {
			return errPoisoned
		}
	}
	return p.Store.Commit(ctx, changes...)
}

// TestPoisonedBatch: of five due requests the Store refuses one, for ten days. The others get their skipped tasks and their
// reminders at each Tick. The refused one is given back, and tried again later.
func TestPoisonedBatch(t *testing.T) {
	t.Parallel()
	for name, givesBack := range map[string]bool{"the request can be given back": true, "not even that": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &poisonedStore{givesBack: givesBack}
			f := setup(t, func(c *backup.Config) { store.Store, c.Store = c.Store, store })
			var requests []backup.Request
			for range 5 {
				requests = append(requests, f.submit(t, daily(2)))
			}
			bad := requests[2]
			store.of = bad.ID
			for day := range 10 {
				f.clock.Set(at("2026-01-03 02:00").AddDate(0, 0, day))
				_, err := f.Tick(t.Context())
				require.ErrorIs(t, err, errPoisoned, "day %d", day)
				require.ErrorIs(t, err, backup.ErrHost)
				var e *backup.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, bad.ID, e.RequestID)
				assert.True(t, e.OutcomeUnknown)
				skipped := f.list(t, backup.TaskQuery{States: []backup.State{backup.Skipped}})
				require.Len(t, skipped, 4)
				for _, task := range skipped {
					assert.NotEqual(t, bad.ID, task.RequestID)
					assert.Equal(t, day+1, task.Missed)
				}
				assert.Equal(t, 4, f.count(t, backup.KindOverdue))
				r, err := f.Request(t.Context(), f.reseller, bad.ID)
				require.NoError(t, err)
				if givesBack {
					require.Equal(t, day+1, r.Failures)
					require.Zero(t, r.LeaseUntil)
					require.True(t, r.Due.After(f.clock.Now()) && !r.Due.After(f.clock.Now().Add(time.Hour)), "%v", r.Due)
				} else {
					require.True(t, r.LeaseUntil.After(f.clock.Now()), "its lease ends by itself")
				}
			}
			store.of = uuid.Nil
			f.clock.Add(2 * time.Hour)
			f.tick(t)
			r, err := f.Request(t.Context(), f.reseller, bad.ID)
			require.NoError(t, err)
			assert.Zero(t, r.Failures)
			assert.Len(t, f.list(t, backup.TaskQuery{RequestID: bad.ID}), 2)
			assert.Equal(t, 5, f.count(t, backup.KindOverdue))
		})
	}
}

// TestPoisonedRelease: a server leaves silently, and the Store refuses one of its three requests. The two others end.
func TestPoisonedRelease(t *testing.T) {
	t.Parallel()
	for name, performer := range map[string]backup.Performer{
		"with people": nil, "with a Performer": backup.PerformerFunc(func(context.Context, backup.Task) (backup.Result, error) {
			return backup.Result{}, errors.New("not expected")
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &poisonedStore{givesBack: true}
			f := setup(t, func(c *backup.Config) {
				store.Store, c.Store, c.Performer = c.Store, store, performer
			})
			var requests []backup.Request
			for range 3 {
				requests = append(requests, f.submit(t, daily(2)))
			}
			store.of = requests[1].ID
			f.release(t, f.server)
			f.clock.Set(at("2026-01-02 02:00"))
			_, err := f.Tick(t.Context())
			require.ErrorIs(t, err, errPoisoned)
			for i, r := range requests {
				r, err := f.Request(t.Context(), f.reseller, r.ID)
				require.NoError(t, err)
				assert.Equal(t, i == 1, r.Live())
				assert.Equal(t, i == 1, r.Failures == 1)
			}
			store.of = uuid.Nil
			f.clock.Add(2 * time.Hour)
			f.tick(t)
			assert.Empty(t, f.list(t, backup.TaskQuery{States: []backup.State{backup.Pending}}))
		})
	}
}

// TestPoisonedPerformance: a request that the Store refuses holds up no backup of another request.
func TestPoisonedPerformance(t *testing.T) {
	t.Parallel()
	store := &poisonedStore{givesBack: true}
	performed := map[uuid.UUID]int{}
	f := setup(t, func(c *backup.Config) {
		store.Store, c.Store, c.Parallel = c.Store, store, 1
		c.Performer = backup.PerformerFunc(func(_ context.Context, task backup.Task) (backup.Result, error) {
			performed[task.RequestID]++
			return backup.Result{}, nil
		})
	})
	var requests []backup.Request
	for range 5 {
		requests = append(requests, f.submit(t, daily(2)))
	}
	store.of = requests[2].ID
	f.clock.Set(at("2026-01-03 02:00"))
	for range 5 { // a Tick with a Performer ends early, so that its errors are read
		_, err := f.Tick(t.Context())
		if err != nil {
			require.ErrorIs(t, err, errPoisoned)
		}
	}
	for i, r := range requests {
		assert.Equal(t, i != 2, performed[r.ID] == 1, "request %d", i)
	}
	assert.Equal(t, 4, f.count(t, backup.KindCompleted))
}

// TestPoisonedResult: the Store refuses the result of a Performer. The request is given back, and the task is performed again
// later, not at once.
func TestPoisonedResult(t *testing.T) {
	t.Parallel()
	store, calls, refuse := &poisonedStore{givesBack: true}, 0, true
	f := setup(t, func(c *backup.Config) {
		store.Store, c.Store = c.Store, store
		c.Performer = backup.PerformerFunc(func(_ context.Context, task backup.Task) (backup.Result, error) {
			calls++
			if refuse {
				store.of = task.RequestID
			}
			return backup.Result{}, nil
		})
	})
	r := f.submit(t, daily(2))
	f.clock.Set(at("2026-01-02 02:00"))
	for n := 1; n <= 3; n++ {
		_, err := f.Tick(t.Context())
		require.ErrorIs(t, err, errPoisoned)
		require.ErrorIs(t, err, backup.ErrHost)
		store.of = uuid.Nil
		f.tick(t)
		assert.Equal(t, n, calls)
		r, err = f.Request(t.Context(), f.reseller, r.ID)
		require.NoError(t, err)
		assert.Equal(t, n, r.Failures)
		assert.Zero(t, r.LeaseUntil)
		require.True(t, r.Due.After(f.clock.Now()))
		f.clock.Set(r.Due)
	}
	refuse = false
	f.tick(t)
	assert.Equal(t, 4, calls)
	assert.Equal(t, 1, f.count(t, backup.KindCompleted))
	r, err := f.Request(t.Context(), f.reseller, r.ID)
	require.NoError(t, err)
	assert.Zero(t, r.Failures)
}
