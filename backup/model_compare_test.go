package backup_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/notify"
)

func (g *modelRun) want(got, want error) {
	if want == nil {
		require.NoError(g.t, got)
		return
	}
	require.ErrorIs(g.t, got, want)
}

// stored reads all tasks of a series.
func (g *modelRun) stored(s *modelSeries) []backup.Task {
	var all []backup.Task
	q := backup.TaskQuery{RequestID: s.id, Limit: 1000}
	tasks, next, err := g.m.Tasks(g.t.Context(), g.boss, q)
	g.want(err, nil)
	require.Empty(g.t, next)
	return append(all, tasks...)
}

func same(t *modelTask, u backup.Task) bool {
	return t.at.Equal(u.At) && t.state == u.State && t.missed == u.Missed && t.attempt == u.Attempt && (t.id == uuid.Nil || t.id == u.ID)
}

// identify compares the two lists, and tells the model the IDs.
func (g *modelRun) identify() {
	for _, s := range g.series {
		tasks := g.stored(s)
		require.Len(g.t, tasks, len(s.tasks))
		for _, u := range tasks {
			n := slices.IndexFunc(s.tasks, func(t *modelTask) bool { return same(t, u) })
			require.GreaterOrEqual(g.t, n, 0, "the model knows no %s task of %v, missed %d, attempt %d", u.State, u.At, u.Missed, u.Attempt)
			s.tasks[n].id = u.ID
		}
	}
}

// check compares everything.
func (g *modelRun) check() {
	g.identify()
	for _, s := range g.series {
		r, err := g.m.Request(g.t.Context(), g.client, s.id)
		g.want(err, nil)
		require.Equal(g.t, s.planned != nil, r.Live())
		require.Equal(g.t, s.ending, r.Ending)
		counts, err := g.m.Counts(g.t.Context(), g.client, backup.TaskQuery{RequestID: s.id})
		g.want(err, nil)
		want, planned, dates := map[backup.State]int{}, 0, map[int64]bool{}
		for _, state := range backup.States() {
			want[state] = 0
		}
		for _, t := range s.tasks {
			want[t.state]++
			if t.state == backup.Pending && t.attempt == 0 {
				planned++
			}
			require.False(g.t, dates[t.at.Unix()], "two tasks for %v", t.at)
			dates[t.at.Unix()] = true
		}
		require.Equal(g.t, want, counts)
		require.LessOrEqual(g.t, planned, 1)
	}
	require.Equal(g.t, g.mails, g.mailed())
	var want, got []uuid.UUID
	for _, s := range g.series {
		if s.unconfirmed(g.epoch) {
			want = append(want, s.id)
		}
	}
	requests, _, err := g.m.Requests(g.t.Context(), g.boss, backup.RequestQuery{Unconfirmed: true})
	g.want(err, nil)
	for _, r := range requests {
		got = append(got, r.ID)
	}
	require.ElementsMatch(g.t, want, got, "unconfirmed")
}

// mailed counts the events for the client, by kind.
func (g *modelRun) mailed() map[notify.Kind]int {
	mails := map[notify.Kind]int{}
	deliveries, _, err := g.outbox.Deliveries(g.t.Context(), notify.DeliveryQuery{Limit: 1000})
	g.want(err, nil)
	for _, d := range deliveries {
		if d.Event.Kind != backup.KindOverdue && d.Event.Kind != backup.KindRequested {
			mails[d.Event.Kind]++
		}
	}
	return mails
}

func runModel(t *testing.T, seed uint64, steps int) {
	g := newModelRun(t, seed)
	defer func() {
		if t.Failed() {
			for _, line := range g.log {
				t.Log(line)
			}
			t.Logf("seed %d", seed)
		}
	}()
	for range steps {
		g.step()
	}
	g.check()
}

// TestModel runs 10,000 short sequences of operations on the library and on the model. The clock jumps, also backwards.
func TestModel(t *testing.T) {
	t.Parallel()
	const shares = 4
	for share := range uint64(shares) {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(10_000 / shares) {
				if runModel(t, seed*shares+share, 12); t.Failed() {
					return
				}
			}
		})
	}
}

// FuzzModel runs longer sequences.
func FuzzModel(f *testing.F) {
	f.Add(uint64(1093))
	f.Fuzz(func(t *testing.T, seed uint64) { runModel(t, seed, 60) })
}
