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
	"github.com/metalkeep/metalkeep/notify"
)

// sequences is how many are played by default; METALKEEP_SEQUENCES says otherwise.
const sequences = 10_000

// TestModel plays random moves against the model, and prints the shortest sequence that it finds to break a rule.
func TestModel(t *testing.T) {
	t.Parallel()
	n := sequences
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
				game := random(uint64(seed))
				err := playAll(t, game)
				if err == nil {
					continue
				}
				shortest, why := shrink(t, game, err)
				var lines []string
				for _, m := range shortest {
					lines = append(lines, m.String())
				}
				t.Fatalf("seed %d: %v\n%s", seed, why, strings.Join(lines, "\n"))
			}
		})
	}
}

func random(seed uint64) []move {
	rnd := rand.New(rand.NewPCG(seed, 4))
	what := choices()
	game := make([]move, 6+rnd.IntN(14))
	for i := range game {
		game[i] = move{what[rnd.IntN(len(what))], rnd.IntN(1000), rnd.IntN(1000), rnd.IntN(1000)}
	}
	return game
}

// playAll plays the moves, lets everything recover, and returns the first rule that was broken.
func playAll(t testing.TB, game []move) error {
	p, all := newPlay(t), moves()
	for n, m := range game {
		if err := all[m.what](p, m); err != nil {
			return fmt.Errorf("move %d, %s: %w", n+1, m, err)
		}
		if err := p.model.always(p.records()); err != nil {
			return fmt.Errorf("move %d, %s: %w", n+1, m, err)
		}
	}
	if err := p.settle(); err != nil {
		return fmt.Errorf("after the recovery: %w", err)
	}
	return nil
}

func (p *play) records() []cancellation.Cancellation {
	var all []cancellation.Cancellation
	for _, id := range p.orders {
		all = append(all, p.get(p.t, id))
	}
	return all
}

// settle repairs everything, lets other processes go on until nothing is due, and looks at the result.
func (p *play) settle() error {
	p.failing, p.model.closed = nil, false
	if err := p.listen(move{}); err != nil {
		return err
	}
	for range 50 {
		next, err := p.Tick(p.t.Context())
		if err != nil {
			return err
		}
		if next.IsZero() || next.Sub(p.model.now) > cancellation.DefaultLease*5 {
			p.model.now = p.clock.Now().Add(cancellation.DefaultLease) // leases end by themselves
		} else {
			p.model.now = next
		}
		p.clock.Set(p.model.now)
	}
	if _, err := p.Tick(p.t.Context()); err != nil {
		return err
	}
	all := p.records()
	if err := p.model.always(all); err != nil {
		return err
	}
	for _, c := range all {
		if err := p.settled(c); err != nil {
			return fmt.Errorf("%s: %w", c.ID, err)
		}
	}
	return p.once(all)
}

func (p *play) settled(c cancellation.Cancellation) error {
	s := p.serverNow(p.t, c.ServerID)
	if err := p.model.settled(c, s); err != nil {
		return err
	}
	if c.State != cancellation.Scheduled || !c.When.EndOfPeriod || s.Assignment != c.Assignment {
		return nil
	}
	end, err := p.endOf(s, c.Asked)
	if err != nil {
		return err
	}
	if end.After(s.BilledAt) && !end.Equal(c.At) {
		return fmt.Errorf("the period ends at %s, the plan is for %s", end, c.At)
	}
	return nil
}

// once: every server is released once, every refund is paid once, to the cent; everybody is told once; and nothing of that
// where the cancellation was discarded.
func (p *play) once(all []cancellation.Cancellation) error {
	released := map[uuid.UUID]int{}
	items, _, err := p.released.Deliveries(p.t.Context(), notify.DeliveryQuery{Limit: 1000})
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
	told := map[uuid.UUID]map[notify.Kind]int{}
	for _, e := range p.told(p.t) {
		if told[e.SubjectID] == nil {
			told[e.SubjectID] = map[notify.Kind]int{}
		}
		told[e.SubjectID][e.Kind]++
	}
	for _, c := range all {
		if err := p.onceEach(c, released[c.ID], told[c.ID]); err != nil {
			return fmt.Errorf("%s, %s: %w", c.ID, c.State, err)
		}
	}
	return nil
}

func (p *play) onceEach(c cancellation.Cancellation, released int, told map[notify.Kind]int) error {
	refunds := 0
	var cents int64
	for _, r := range p.biller.refunds() {
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
		if told[kind] != executed {
			return fmt.Errorf("told %d times of %s", told[kind], kind)
		}
	}
	if told[cancellation.KindWarning] != len(c.Warned) {
		return fmt.Errorf("%d warnings were told, %d recorded", told[cancellation.KindWarning], len(c.Warned))
	}
	switch c.State {
	case cancellation.Executed:
		want := p.model.owed(p.assigned[c.Assignment], c.At)
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

// shrink leaves moves out, as long as a rule is broken without them.
func shrink(t testing.TB, game []move, err error) ([]move, error) {
	for size := len(game) / 2; size > 0; {
		smaller := false
		for from := 0; from+size <= len(game); from++ {
			try := append(append([]move{}, game[:from]...), game[from+size:]...)
			if broken := playAll(t, try); broken != nil {
				game, err, smaller = try, broken, true
				break
			}
		}
		if !smaller {
			size /= 2
		}
	}
	return game, err
}

// FuzzModel plays what the fuzzer makes up: four bytes a move.
func FuzzModel(f *testing.F) {
	f.Add([]byte{4, 1, 0, 3, 5, 0, 0, 0, 14, 0, 0, 0, 0, 3, 6, 0, 14, 0, 0, 0})
	f.Add([]byte{5, 1, 1, 90, 15, 20, 2, 0, 0, 5, 0, 0, 14, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var game []move
		what := choices()
		for ; len(raw) >= 4 && len(game) < 40; raw = raw[4:] {
			game = append(game, move{what[int(raw[0])%len(what)], int(raw[1]), int(raw[2]), int(raw[3]) * 4})
		}
		if err := playAll(t, game); err != nil {
			t.Fatalf("%v\n%v", err, game)
		}
	})
}
