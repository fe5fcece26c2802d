package backup_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// counting is a store, and an inventory, that counts its questions. fail is what those for many answer; lose: they leave
// out the skipped tasks.
type counting struct {
	backup.BulkStore
	dedicated.BulkInventory
	single, many int
	fail         error
	lose         bool
}

func (c *counting) Task(ctx context.Context, id uuid.UUID) (backup.Task, error) {
	c.single++
	return c.BulkStore.Task(ctx, id)
}

func (c *counting) Tasks(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
	c.single++
	return c.BulkStore.Tasks(ctx, reseller, q)
}

func (c *counting) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	c.single++
	return c.BulkInventory.Server(ctx, a, id)
}

func (c *counting) OpenTasks(ctx context.Context, requests, ids []uuid.UUID) ([]backup.Task, error) {
	c.many++
	if c.lose {
		ids = nil
	}
	tasks, err := c.BulkStore.OpenTasks(ctx, requests, ids)
	return tasks, errors.Join(err, c.fail)
}

func (c *counting) ServersByID(ctx context.Context, a dedicated.Actor, ids []uuid.UUID) ([]dedicated.Server, error) {
	c.many++
	servers, err := c.BulkInventory.ServersByID(ctx, a, ids)
	return servers, errors.Join(err, c.fail)
}

type plainStore struct{ backup.Store }

type plainInventory struct{ backup.Servers }

// TestTickReadsAhead plays the same weeks over stores and inventories that can be asked for many at once, over those that
// cannot, and over those that fail at it: the outcome is the same.
func TestTickReadsAhead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*backup.Config, *counting)
		single bool // questions about one are asked
	}{
		{"asked at once", func(*backup.Config, *counting) {}, false},
		{"one by one", func(c *backup.Config, _ *counting) {
			c.Store, c.Servers = plainStore{c.Store}, plainInventory{c.Servers}
		}, true},
		{"failing", func(_ *backup.Config, host *counting) { host.fail = errors.New("too many IDs") }, true},
		{"losing some", func(_ *backup.Config, host *counting) { host.lose = true }, true},
	}
	var first []string
	for _, tt := range tests {
		host := &counting{}
		p := setup(t, func(c *backup.Config) {
			host.BulkStore, host.BulkInventory = c.Store.(backup.BulkStore), c.Servers.(dedicated.BulkInventory)
			c.Store, c.Servers = host, host
			tt.change(c, host)
		})
		story, single, many := p.weeks(t, host)
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

// weeks has 30 servers backed up by all kinds of schedules while few of the tasks are settled, and a server leaves in the
// end. It says what became of it all, and how many questions about one and about many the ticks asked before that.
func (p *panel) weeks(t *testing.T, host *counting) (story []string, single, many int) {
	t.Helper()
	var servers []dedicated.Server
	for i := range 30 {
		s := p.rent(t, fmt.Sprintf("db-%02d", i), dedicated.Owner{}, p.client.ID)
		schedule := backup.Schedule{Frequency: backup.Daily, Interval: 1 + i%3, Hour: i % 24}
		if i%5 == 0 {
			schedule = backup.Schedule{Frequency: backup.Once, Start: start.AddDate(0, 0, i+1)}
		}
		_, err := p.Submit(t.Context(), p.client, backup.Form{ServerID: s.ID, What: "home", Schedule: schedule})
		require.NoError(t, err)
		servers = append(servers, s)
	}
	for range weeksTicks {
		p.clock.Add(36 * time.Hour)
		host.single = 0
		p.tick(t)
		single += host.single
		tasks, _, err := p.Tasks(t.Context(), p.reseller, backup.TaskQuery{States: []backup.State{backup.Pending}, To: p.clock.Now()})
		require.NoError(t, err)
		slices.SortFunc(tasks, func(a, b backup.Task) int { return strings.Compare(a.ServerName, b.ServerName) })
		for _, task := range tasks[:min(3, len(tasks))] {
			_, err := p.Complete(t.Context(), p.reseller, task.ID, backup.Result{})
			require.NoError(t, err)
		}
	}
	many = host.many
	p.release(t, servers[7])
	p.clock.Add(36 * time.Hour)
	p.tick(t)
	tasks, next, err := p.Tasks(t.Context(), p.reseller, backup.TaskQuery{Limit: 1000})
	require.NoError(t, err)
	require.Empty(t, next)
	for _, task := range tasks {
		story = append(story, fmt.Sprint(task.ServerName, task.At, task.State, task.Missed, task.Reason))
	}
	slices.Sort(story) // ties are listed by ID, which is another each time
	return story, single, many
}
