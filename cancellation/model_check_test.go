package cancellation_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// defaultRuns is the number of sequences that TestModel runs, unless METALKEEP_SEQUENCES sets another.
const defaultRuns = 10_000

// TestModel compares random operations with the model. It prints the shortest sequence that it finds to break a rule.
func TestModel(t *testing.T) {
	t.Parallel()
	n := defaultRuns
	if env := os.Getenv("METALKEEP_SEQUENCES"); env != "" {
		var err error
		n, err = strconv.Atoi(env)
		require.NoError(t, err)
	}
	const shards = 4
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < n; seed += shards {
				ops := randomOps(uint64(seed))
				err := runModel(t, ops)
				if err == nil {
					continue
				}
				shortest, why := shrink(t, ops, err)
				var lines []string
				for _, m := range shortest {
					lines = append(lines, m.String())
				}
				t.Fatalf("seed %d: %v\n%s", seed, why, strings.Join(lines, "\n"))
			}
		})
	}
}

func randomOps(seed uint64) []modelOp {
	rnd := rand.New(rand.NewPCG(seed, 4))
	what := choices()
	ops := make([]modelOp, 6+rnd.IntN(14))
	for i := range ops {
		ops[i] = modelOp{what[rnd.IntN(len(what))], rnd.IntN(1000), rnd.IntN(1000), rnd.IntN(1000)}
	}
	return ops
}

// runModel runs the operations, ticks until nothing is due, and returns the first rule that was broken.
func runModel(t testing.TB, ops []modelOp) error {
	r, all := newModelRun(t), modelOps()
	for n, m := range ops {
		if err := all[m.name](r, m); err != nil {
			return fmt.Errorf("operation %d, %s: %w", n+1, m, err)
		}
		if err := r.model.checkInvariants(r.records()); err != nil {
			return fmt.Errorf("operation %d, %s: %w", n+1, m, err)
		}
	}
	if err := r.checkRecovery(); err != nil {
		return fmt.Errorf("after the recovery: %w", err)
	}
	return nil
}

func (r *modelRun) records() []cancellation.Cancellation {
	var all []cancellation.Cancellation
	for _, id := range r.orders {
		all = append(all, r.get(r.t, id))
	}
	return all
}

// checkRecovery ends all failures, ticks until nothing is due, and checks the result.
func (r *modelRun) checkRecovery() error {
	r.failure, r.model.gateClosed = nil, false
	if err := r.deliverEvents(modelOp{}); err != nil {
		return err
	}
	for range 50 {
		next, err := r.Tick(r.t.Context())
		if err != nil {
			return err
		}
		if next.IsZero() || next.Sub(r.model.now) > cancellation.DefaultLease*5 {
			r.model.now = r.clock.Now().Add(cancellation.DefaultLease) // leases end by themselves
		} else {
			r.model.now = next
		}
		r.clock.Set(r.model.now)
	}
	if _, err := r.Tick(r.t.Context()); err != nil {
		return err
	}
	all := r.records()
	if err := r.model.checkInvariants(all); err != nil {
		return err
	}
	for _, c := range all {
		if err := r.checkFinal(c); err != nil {
			return fmt.Errorf("%s: %w", c.ID, err)
		}
	}
	return r.checkOnce(all)
}

func (r *modelRun) checkFinal(c cancellation.Cancellation) error {
	s := r.readServer(r.t, c.ServerID)
	if err := r.model.checkFinal(c, s); err != nil {
		return err
	}
	if c.State != cancellation.Scheduled || !c.When.EndOfPeriod && !c.When.FirstAllowed || s.Assignment != c.Assignment {
		return nil
	}
	end := r.model.firstAllowed(s.Billing, c.Asked, 0)
	if c.When.FirstAllowed {
		end = r.model.firstAllowed(s.Billing, c.Asked, max(c.NoticeDays, c.LockDays))
	}
	isKept := c.By.Role == dedicated.Client && end.After(c.At) && c.Cycle != s.Billing.Cycle
	if end.After(s.BilledAt) && !end.Equal(c.At) && s.Billing.Anchor.Before(c.At) && !isKept {
		return fmt.Errorf("the period ends at %s, but the planned date is %s", end, c.At)
	}
	return nil
}

// checkOnce checks that each executed cancellation has released its server once, has paid its refund once and to the cent, and
// has told each recipient once; and that a discarded one has done nothing of that.
func (r *modelRun) checkOnce(all []cancellation.Cancellation) error {
	released := map[uuid.UUID]int{}
	items, _, err := r.released.Deliveries(r.t.Context(), notify.DeliveryQuery{Limit: 1000})
	if err != nil {
		return err
	}
	for _, d := range items {
		if strings.Contains(string(d.Event.Data), `"cancellation_id":"`) && d.Event.Kind == "dedicated.released" {
			for _, c := range all {
				if strings.Contains(string(d.Event.Data), c.ID.String()) {
					released[c.ID]++
				}
			}
		}
	}
	counted := map[uuid.UUID]map[notify.Kind]int{}
	for _, e := range r.events(r.t) {
		if counted[e.SubjectID] == nil {
			counted[e.SubjectID] = map[notify.Kind]int{}
		}
		counted[e.SubjectID][e.Kind]++
	}
	for _, c := range all {
		if err := r.checkOnceEach(c, released[c.ID], counted[c.ID]); err != nil {
			return fmt.Errorf("%s, %s: %w", c.ID, c.State, err)
		}
	}
	return nil
}

func (r *modelRun) checkOnceEach(c cancellation.Cancellation, released int, counted map[notify.Kind]int) error {
	refunds := 0
	var cents int64
	for _, r := range r.biller.refunds() {
		if r.CancellationID == c.ID {
			refunds++
			cents += r.Amount.Shift(2).IntPart()
		}
	}
	executed := 0
	if c.State == cancellation.Executed {
		executed = 1
	}
	for _, kind := range []notify.Kind{cancellation.KindExecuted, cancellation.KindCompleted, cancellation.KindClosed} {
		if counted[kind] != executed {
			return fmt.Errorf("%d events of kind %s", counted[kind], kind)
		}
	}
	told := 0
	if c.By.Role == dedicated.Client || c.TellClient {
		told = 1
	}
	if counted[cancellation.KindScheduled] != told {
		return fmt.Errorf("%d events about the order, want %d", counted[cancellation.KindScheduled], told)
	}
	if counted[cancellation.KindWarning] != len(c.Warned) {
		return fmt.Errorf("%d events about warnings, %d warnings recorded", counted[cancellation.KindWarning], len(c.Warned))
	}
	switch c.State {
	case cancellation.Executed:
		paid := int64(0) // less credits
		for _, l := range c.Refund.Lines {
			paid += l.Charge.Paid.Shift(2).IntPart()
		}
		want := r.model.wantCents(max(paid, 0), r.assigned[c.Assignment], c.At)
		if total := c.Refund.Total.Shift(2).IntPart(); total < 0 || total > max(paid, 0) || total != want {
			return fmt.Errorf("the refund is %d cents of %d, want %d", total, paid, want)
		}
		if released != 1 || cents != want || refunds > 1 {
			return fmt.Errorf("released %d times; refunded %d times, %d cents, want %d", released, refunds, cents, want)
		}
	case cancellation.Failed:
		if released > 1 || refunds > 1 {
			return fmt.Errorf("released %d times; refunded %d times", released, refunds)
		}
	default:
		if released+refunds > 0 {
			return fmt.Errorf("released %d times; refunded %d times", released, refunds)
		}
	}
	return nil
}

// shrink removes operations, as long as a rule is broken without them.
func shrink(t testing.TB, ops []modelOp, err error) ([]modelOp, error) {
	for size := len(ops) / 2; size > 0; {
		smaller := false
		for from := 0; from+size <= len(ops); from++ {
			try := append(append([]modelOp{}, ops[:from]...), ops[from+size:]...)
			if broken := runModel(t, try); broken != nil {
				ops, err, smaller = try, broken, true
				break
			}
		}
		if !smaller {
			size /= 2
		}
	}
	return ops, err
}

// FuzzModel runs the operations that the input encodes, four bytes each.
func FuzzModel(f *testing.F) {
	f.Add([]byte{4, 1, 0, 3, 5, 0, 0, 0, 14, 0, 0, 0, 0, 3, 6, 0, 14, 0, 0, 0})
	f.Add([]byte{5, 1, 1, 90, 15, 20, 2, 0, 0, 5, 0, 0, 14, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var ops []modelOp
		what := choices()
		for ; len(raw) >= 4 && len(ops) < 40; raw = raw[4:] {
			ops = append(ops, modelOp{what[int(raw[0])%len(what)], int(raw[1]), int(raw[2]), int(raw[3]) * 4})
		}
		if err := runModel(t, ops); err != nil {
			t.Fatalf("%v\n%v", err, ops)
		}
	})
}
