package cancellation_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
)

// brakesRun runs random operations on cancellations with brakes: a limit of executions, pauses, restored copies, and deaths of processes.
type brakesRun struct {
	*fixture
	t      *testing.T
	rnd    *rand.Rand
	paused bool
	log    []string
}

const dailyLimit = 2

// TestModelOfBrakes: while executions are paused, none begins or goes on. Nothing happens by itself to what waits to be confirmed. On each
// day no more executions begin than the limit says, apart from confirmed ones. When everything is confirmed and nothing is paused,
// each cancellation is executed once.
func TestModelOfBrakes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := &brakesRun{fixture: newFixture(t, limit(dailyLimit)), t: t, rnd: rand.New(rand.NewPCG(seed, 13))}
			for range 60 {
				r.step()
			}
			r.finish()
		})
	}
}

func (r *brakesRun) note(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *brakesRun) all() []cancellation.Cancellation { return r.list(r.t, cancellation.Query{}) }

func (r *brakesRun) waiting() []cancellation.Cancellation {
	return r.list(r.t, cancellation.Query{Unconfirmed: true})
}

func (r *brakesRun) step() {
	switch r.rnd.IntN(12) {
	case 0, 1, 2:
		c := r.scheduleAt(r.t, r.server(r.t).ID, r.clock.Now().Add(time.Duration(r.rnd.IntN(72))*time.Hour))
		r.note("schedule %s for %s", c.ID, c.At)
	case 3, 4:
		r.clock.Set(r.clock.Now().Add(time.Duration(r.rnd.IntN(30)) * time.Hour))
		r.note("wait until %s", r.clock.Now())
	case 5:
		r.pause(!r.paused)
	case 6:
		r.restore(r.t)
		r.note("restore")
	case 7:
		for _, c := range r.waiting() {
			if r.rnd.IntN(2) == 0 {
				require.NoError(r.t, r.Confirm(r.t.Context(), r.reseller, c.ID), r.history())
				r.note("confirm %s", c.ID)
			}
		}
	case 8:
		r.checkTick(func() error {
			stop := &interruption{call: r.rnd.IntN(40), mode: crashModes[r.rnd.IntN(len(crashModes))]}
			m, err := cancellation.New(interrupted(r.config, stop))
			require.NoError(r.t, err)
			r.note("crash at %d, %s", stop.call, stop.mode)
			if _, err = m.Tick(r.t.Context()); errors.Is(err, errCrash) {
				return nil
			}
			return err
		})
	default:
		r.checkTick(func() error {
			r.note("tick")
			_, err := r.Tick(r.t.Context())
			return err
		})
	}
}

func (r *brakesRun) pause(on bool) {
	r.paused = on
	s := warnings(1)
	s.Paused = on
	r.saveSettings(r.t, s)
	r.note("paused: %t", on)
}

func (r *brakesRun) history() string { return strings.Join(r.log, "\n") }

// checkTick checks what a Tick has changed.
func (r *brakesRun) checkTick(tick func() error) {
	before := map[uuid.UUID]cancellation.Cancellation{}
	for _, c := range r.all() {
		before[c.ID] = c
	}
	waiting := map[uuid.UUID]bool{}
	for _, c := range r.waiting() {
		waiting[c.ID] = true
	}
	require.NoError(r.t, tick(), r.history())
	begun := map[string]int{}
	for _, c := range r.all() {
		was := before[c.ID]
		if r.paused {
			require.Equal(r.t, was.Steps, c.Steps, "%s\n%s", c.ID, r.history())
			require.Equal(r.t, was.State, c.State, "%s\n%s", c.ID, r.history())
		}
		if waiting[c.ID] {
			require.Equal(r.t, [4]any{was.State, was.At, was.Warned, was.Steps}, [4]any{c.State, c.At, c.Warned, c.Steps}, "%s\n%s", c.ID, r.history())
		}
		for _, e := range c.History {
			if e.What == "executing" && !c.Confirmed {
				begun[e.At.Format(time.DateOnly)]++
			}
		}
	}
	for day, n := range begun {
		require.LessOrEqual(r.t, n, dailyLimit, "%s\n%s", day, r.history())
	}
}

// finish lifts all brakes, and checks that each cancellation is executed once.
func (r *brakesRun) finish() {
	r.pause(false)
	for range 100 {
		r.clock.Set(r.clock.Now().Add(time.Hour))
		var ids []uuid.UUID
		for _, c := range r.waiting() {
			ids = append(ids, c.ID)
		}
		require.NoError(r.t, r.Confirm(r.t.Context(), r.reseller, ids...), r.history())
		r.tick(r.t)
	}
	all := r.all()
	require.Equal(r.t, len(all), r.countState(r.t, cancellation.Executed), r.history())
	require.Len(r.t, r.biller.refunds(), len(all), r.history())
	for _, c := range all {
		require.Equal(r.t, 1, r.countEvents(r.t, c.ID)[cancellation.KindExecuted], r.history())
	}
}
