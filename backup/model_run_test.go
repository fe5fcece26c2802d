package backup_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// modelRun is one sequence of operations, on the library and on the model.
type modelRun struct {
	t      *testing.T
	rnd    *rand.Rand
	log    []string
	clock  *fixedClock
	m      *backup.Manager
	store  *backup.MemoryStore
	epoch  string
	outbox *notify.MemoryOutbox
	server dedicated.Server
	gone   bool
	client dedicated.Actor
	boss   dedicated.Actor
	series []*modelSeries
	mails  map[notify.Kind]int
	looked time.Time // the last time at which the server may have been looked at
}

// inventory returns an inventory of one server.
func (g *modelRun) inventory() serversFunc {
	return func(id uuid.UUID) (dedicated.Server, error) {
		if id != g.server.ID {
			return dedicated.Server{}, dedicated.ErrNotFound
		}
		s := g.server
		if g.gone {
			s.State = dedicated.CleanUp
		}
		return s, nil
	}
}

func newModelRun(t *testing.T, seed uint64) *modelRun {
	reseller := uuid.New()
	g := &modelRun{
		t: t, rnd: rand.New(rand.NewPCG(seed, 7)), clock: newClock(start), outbox: &notify.MemoryOutbox{}, mails: map[notify.Kind]int{},
		client: dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: reseller},
		boss:   dedicated.Actor{Role: dedicated.Reseller, ResellerID: reseller},
	}
	g.server = dedicated.Server{
		ID: uuid.New(), ResellerID: reseller, ClientID: g.client.ID, Name: "web-07", State: dedicated.InUse, Assignment: uuid.New(), Version: 1,
	}
	if err := g.outbox.Register(t.Context(), "test", nil); err != nil {
		t.Fatal(err)
	}
	g.store = &backup.MemoryStore{Outbox: g.outbox}
	g.start("")
	return g
}

// start starts a Manager for an epoch.
func (g *modelRun) start(epoch string) {
	m, err := backup.New(backup.Config{Store: g.store, Servers: g.inventory(), Clock: g.clock, Epoch: epoch})
	if err != nil {
		g.t.Fatal(err)
	}
	g.m, g.epoch = m, epoch
}

func (g *modelRun) schedule() backup.Schedule {
	s := backup.Schedule{Hour: g.rnd.IntN(24), Zone: []string{"", "Europe/Berlin", "America/Santiago"}[g.rnd.IntN(3)], Start: g.clock.now}
	switch g.rnd.IntN(6) {
	case 0:
		s.Frequency, s.Start = backup.Once, g.clock.now.Add(time.Duration(g.rnd.IntN(96))*time.Hour)
	case 1:
		s.Frequency, s.MonthDay = backup.Monthly, 31
	case 2:
		s.Frequency, s.Weekdays, s.Interval = backup.Weekly, []time.Weekday{time.Monday, time.Thursday}, 1+g.rnd.IntN(2)
	default:
		s.Frequency, s.Interval = backup.Daily, 1+g.rnd.IntN(3)
	}
	if s.Frequency != backup.Once && g.rnd.IntN(4) == 0 {
		s.Count = 1 + g.rnd.IntN(5)
	}
	return s
}

// step runs one random operation.
func (g *modelRun) step() {
	now := g.clock.now
	switch g.rnd.IntN(13) {
	case 0, 1:
		g.submit(now)
	case 2, 3, 4:
		g.closeTask(now)
	case 5:
		g.retry()
	case 6:
		g.revise(now)
	case 7:
		if g.rnd.IntN(3) == 0 {
			g.withdraw(now)
		}
	case 8:
		if g.rnd.IntN(4) == 0 {
			g.leave(now)
		}
	case 9:
		g.tick(now)
	case 10:
		if g.rnd.IntN(2) == 0 {
			g.confirm()
		} else {
			g.begin()
		}
		return // no server is looked at
	default:
		g.jump()
		return
	}
	g.looked = latest(g.looked, now)
}

func (g *modelRun) note(format string, args ...any) {
	g.log = append(g.log, g.clock.now.Format("2006-01-02 15:04 ")+fmt.Sprintf(format, args...))
}

func (g *modelRun) jump() {
	hours := g.rnd.IntN(60)
	if g.rnd.IntN(4) == 0 {
		hours = g.rnd.IntN(24 * 400)
	}
	if g.rnd.IntN(8) == 0 {
		hours = -g.rnd.IntN(100)
	}
	g.clock.Add(time.Duration(hours) * time.Hour)
	g.note("now")
}

func (g *modelRun) submit(now time.Time) {
	if len(g.series) == 2 {
		return
	}
	schedule := g.schedule()
	_, ok := schedule.Next(now)
	r, err := g.m.Submit(g.t.Context(), g.client, backup.Form{ServerID: g.server.ID, Schedule: schedule})
	g.note("submit %v: %v", schedule, err)
	if !ok {
		g.want(err, map[bool]error{true: backup.ErrNotFound, false: backup.ErrInvalid}[g.gone])
		return
	}
	if g.gone {
		g.want(err, backup.ErrNotFound)
		return
	}
	g.want(err, nil)
	s := &modelSeries{id: r.ID, schedule: schedule, epoch: g.epoch}
	s.plan(now)
	g.series = append(g.series, s)
}

// pick returns a random task.
func (g *modelRun) pick() (*modelSeries, *modelTask) {
	if len(g.series) == 0 {
		return nil, nil
	}
	g.identify()
	s := g.series[g.rnd.IntN(len(g.series))]
	if g.rnd.IntN(2) == 0 && s.planned != nil {
		return s, s.planned
	}
	return s, s.tasks[g.rnd.IntN(len(s.tasks))]
}

func (g *modelRun) closeTask(now time.Time) {
	s, t := g.pick()
	if s == nil {
		return
	}
	var err error
	var to backup.State
	var kind notify.Kind
	switch g.rnd.IntN(3) {
	case 0:
		to, kind = backup.Completed, backup.KindCompleted
		_, err = g.m.Complete(g.t.Context(), g.boss, t.id, backup.Result{Bytes: 1})
	case 1:
		to, kind = backup.Failed, backup.KindFailed
		_, err = g.m.Fail(g.t.Context(), g.boss, t.id, "no space")
	default:
		to, kind = backup.Cancelled, backup.KindCancelled
		_, err = g.m.Cancel(g.t.Context(), g.boss, t.id, "")
	}
	g.note("%s task of %v, which is %s: %v", to, t.at, t.state, err)
	if t.state != backup.Pending {
		g.want(err, backup.ErrConflict)
		return
	}
	g.want(err, nil)
	g.mails[kind]++
	s.epoch = g.epoch
	s.close(t, to, now)
}

func (g *modelRun) retry() {
	s, t := g.pick()
	if s == nil {
		return
	}
	_, err := g.m.Retry(g.t.Context(), g.boss, t.id)
	g.note("retry task of %v, which is %s: %v", t.at, t.state, err)
	if t.state != backup.Failed || g.gone || s.planned == nil && s.ending != backup.Finished {
		g.want(err, backup.ErrConflict)
		return
	}
	g.want(err, nil)
	s.epoch = g.epoch
	s.catchUp(g.clock.now)
	t.state = backup.Pending
	t.attempt++
}

func (g *modelRun) revise(now time.Time) {
	if len(g.series) == 0 {
		return
	}
	s, schedule := g.series[g.rnd.IntN(len(g.series))], g.schedule()
	_, err := g.m.Revise(g.t.Context(), g.client, s.id, backup.Form{Schedule: schedule})
	g.note("revise to %v: %v", schedule, err)
	_, ok := schedule.Next(now)
	switch {
	case g.gone:
		g.want(err, backup.ErrNotFound)
	case s.planned == nil:
		g.want(err, backup.ErrConflict)
	case !ok:
		g.want(err, backup.ErrInvalid)
	case errors.Is(err, backup.ErrInvalid): // each date to come has a task already
		for at, ok := schedule.Next(now); ok; at, ok = schedule.Next(at) {
			require.True(g.t, s.has(at), "refused, although %v is to come", at)
		}
	default:
		g.want(err, nil)
		s.revise(schedule, now) // a client's decision confirms nothing
	}
}

func (g *modelRun) withdraw(now time.Time) {
	if len(g.series) == 0 {
		return
	}
	s := g.series[g.rnd.IntN(len(g.series))]
	_, err := g.m.Withdraw(g.t.Context(), g.boss, s.id, "enough")
	g.note("withdraw: %v", err)
	if s.planned == nil {
		g.want(err, backup.ErrConflict)
		return
	}
	g.want(err, nil)
	g.mails[backup.KindWithdrawn]++
	s.epoch = g.epoch
	s.end(backup.Withdrawn, now)
}

// begin begins another epoch.
func (g *modelRun) begin() {
	g.start(fmt.Sprint(len(g.log) + 1))
	g.note("epoch %q", g.epoch)
}

func (g *modelRun) confirm() {
	var chosen []uuid.UUID
	for _, s := range g.series {
		if g.rnd.IntN(2) == 0 {
			chosen = append(chosen, s.id)
			if s.unconfirmed(g.epoch) {
				s.epoch = g.epoch
			}
		}
	}
	err := g.m.Confirm(g.t.Context(), g.boss, chosen...)
	g.note("confirm %d: %v", len(chosen), err)
	g.want(err, nil)
}

// leave takes the server from the client. In half of the cases the Manager is not told, and learns it from a Tick.
func (g *modelRun) leave(now time.Time) {
	g.gone = true
	if g.rnd.IntN(2) == 0 {
		g.note("the server leaves silently")
		return
	}
	for range 2 {
		g.want(g.m.CloseServer(g.t.Context(), dedicated.Released{
			ResellerID: g.server.ResellerID, ServerID: g.server.ID, Assignment: g.server.Assignment, At: now, Reason: "end of contract",
		}), nil)
	}
	g.note("the server leaves")
	g.closed(now)
}

func (g *modelRun) closed(now time.Time) {
	open := false
	for _, s := range g.series {
		for _, t := range s.tasks {
			open = open || t.state == backup.Pending
		}
		s.end(backup.Closed, now)
	}
	if open {
		g.mails[backup.KindClosed]++
	}
}

func (g *modelRun) tick(now time.Time) {
	next, err := g.m.Tick(g.t.Context())
	g.note("tick: %v", err)
	g.want(err, nil)
	require.True(g.t, next.IsZero() || next.After(now), "the next tick is not in the past")
	again, err := g.m.Tick(g.t.Context())
	g.want(err, nil)
	require.Equal(g.t, next, again)
	for _, s := range g.series {
		s.catchUp(now)
	}
	if !g.gone {
		return
	}
	if g.mailed()[backup.KindClosed] > g.mails[backup.KindClosed] {
		g.closed(now)
		return
	}
	for _, s := range g.series {
		for _, t := range s.tasks {
			due := t.state == backup.Pending && !t.at.After(now)
			require.False(g.t, due && !now.Before(g.looked.Add(time.Hour)), "a task of %v on a server that has left stays pending", t.at)
		}
	}
}
