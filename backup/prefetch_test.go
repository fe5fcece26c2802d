package backup_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// countingHost is a store and an inventory that counts the questions. Those about many records fail with fail, or panic. If
// lose is set, their answers leave out the skipped tasks.
type countingHost struct {
	backup.BulkStore
	dedicated.BulkInventory
	single, many atomic.Int64
	fail         error
	panics, lose bool
}

func (c *countingHost) Task(ctx context.Context, id uuid.UUID) (backup.Task, error) {
	c.single.Add(1)
	return c.BulkStore.Task(ctx, id)
}

func (c *countingHost) Tasks(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
	c.single.Add(1)
	return c.BulkStore.Tasks(ctx, reseller, q)
}

func (c *countingHost) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	c.single.Add(1)
	return c.BulkInventory.Server(ctx, a, id)
}

func (c *countingHost) OpenTasks(ctx context.Context, requests, ids []uuid.UUID) ([]backup.Task, error) {
	if c.many.Add(1); c.panics {
		panic(secret)
	}
	if c.lose {
		ids = nil
	}
	tasks, err := c.BulkStore.OpenTasks(ctx, requests, ids)
	return tasks, errors.Join(err, c.fail)
}

func (c *countingHost) ServersByID(ctx context.Context, a dedicated.Actor, ids []uuid.UUID) ([]dedicated.Server, error) {
	if c.many.Add(1); c.panics {
		panic(secret)
	}
	servers, err := c.BulkInventory.ServersByID(ctx, a, ids)
	return servers, errors.Join(err, c.fail)
}

type plainStore struct{ backup.Store }

type plainInventory struct{ backup.Servers }

// TestTickPrefetches runs the same weeks over stores and inventories that answer for many records at once, over others, and over
// some that fail at it. The results are the same.
func TestTickPrefetches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*backup.Config, *countingHost)
		single bool // questions about one are asked
	}{
		{"asked at once", func(*backup.Config, *countingHost) {}, false},
		{"one by one", func(c *backup.Config, _ *countingHost) {
			c.Store, c.Servers = plainStore{c.Store}, plainInventory{c.Servers}
		}, true},
		{"failing", func(_ *backup.Config, host *countingHost) { host.fail = errors.New("too many IDs") }, true},
		{"panicking", func(_ *backup.Config, host *countingHost) { host.panics = true }, true},
		{"losing some", func(_ *backup.Config, host *countingHost) { host.lose = true }, true},
	}
	var first []string
	for _, tt := range tests {
		host := &countingHost{}
		f := setup(t, func(c *backup.Config) {
			host.BulkStore, host.BulkInventory = c.Store.(backup.BulkStore), c.Servers.(dedicated.BulkInventory)
			c.Store, c.Servers = host, host
			tt.change(c, host)
		})
		story, single, many := f.weeks(t, host)
		if first == nil {
			first = story
		}
		assert.Equal(t, first, story, tt.name)
		assert.Equal(t, tt.single, single > 0, "%s: %d questions about one", tt.name, single)
		assert.LessOrEqual(t, many, 2*weeksTicks, tt.name)
	}
	assert.Greater(t, len(first), 100)
	assert.Contains(t, fmt.Sprint(first), string(backup.Skipped))
	assert.Contains(t, fmt.Sprint(first), string(backup.Cancelled))
}

const weeksTicks = 21

// weeks backs up 30 servers by all kinds of schedules. Few of the tasks are closed, and one server leaves in the end. It returns
// the final tasks, and how many questions about one and about many records the Ticks asked before that.
func (f *fixture) weeks(t *testing.T, host *countingHost) (story []string, single, many int) {
	t.Helper()
	var servers []dedicated.Server
	for i := range 30 {
		s := f.rent(t, fmt.Sprintf("db-%02d", i), dedicated.Owner{}, f.client.ID)
		schedule := backup.Schedule{Frequency: backup.Daily, Interval: 1 + i%3, Hour: i % 24}
		if i%5 == 0 {
			schedule = backup.Schedule{Frequency: backup.Once, Start: start.AddDate(0, 0, i+1)}
		}
		_, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: s.ID, What: "home", Schedule: schedule})
		require.NoError(t, err)
		servers = append(servers, s)
	}
	for range weeksTicks {
		f.clock.Add(36 * time.Hour)
		host.single.Store(0)
		f.tick(t)
		single += int(host.single.Load())
		tasks, _, err := f.Tasks(t.Context(), f.reseller, backup.TaskQuery{States: []backup.State{backup.Pending}, To: f.clock.Now()})
		require.NoError(t, err)
		slices.SortFunc(tasks, func(a, b backup.Task) int { return strings.Compare(a.ServerName, b.ServerName) })
		for _, task := range tasks[:min(3, len(tasks))] {
			_, err := f.Complete(t.Context(), f.reseller, task.ID, backup.Result{})
			require.NoError(t, err)
		}
	}
	many = int(host.many.Load())
	f.release(t, servers[7])
	f.clock.Add(36 * time.Hour)
	f.tick(t)
	tasks, next, err := f.Tasks(t.Context(), f.reseller, backup.TaskQuery{Limit: 1000})
	require.NoError(t, err)
	require.Empty(t, next)
	for _, task := range tasks {
		story = append(story, fmt.Sprint(task.ServerName, task.At, task.State, task.Missed, task.Reason))
	}
	slices.Sort(story) // ties are listed by ID, which is another each time
	return story, single, many
}
