package sqlstore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// TestSubjectOrderAgrees delivers random events of a few subjects from two outboxes, ours and a MemoryOutbox. Deliveries succeed,
// fail, die and are sent again. Every claim returns the same deliveries and the same time of the next one.
func TestSubjectOrderAgrees(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				db := open(t, fresh(t))
				f := twoOutboxes{
					T: t, rnd: rand.New(rand.NewPCG(seed, 7)), now: day(0), memory: &notify.MemoryOutbox{}, ours: db.Outbox(),
					add: func(events ...notify.Event) error {
						return db.Servers().Commit(t.Context(), dedicated.Change{Events: events})
					},
				}
				require.NoError(t, f.memory.Register(t.Context(), "mail", nil))
				require.NoError(t, f.ours.Register(t.Context(), "mail", nil))
				for range 400 {
					f.step()
				}
				assert.Greater(t, f.claimed, 200)
			})
		}
	})
}

// twoOutboxes applies the same operations to two outboxes.
type twoOutboxes struct {
	*testing.T
	rnd     *rand.Rand
	now     time.Time
	memory  *notify.MemoryOutbox
	ours    notify.Outbox
	add     func(...notify.Event) error
	dead    []notify.Delivery
	claimed int
}

func (f *twoOutboxes) step() {
	f.Helper()
	f.now = f.now.Add(time.Duration(f.rnd.IntN(90)) * time.Second)
	for range f.rnd.IntN(4) {
		e := notify.Event{
			ID: uuid.New(), Kind: "a.b", At: f.now.Add(-time.Duration(f.rnd.IntN(60)) * time.Second), ResellerID: uuid.New(),
			SubjectID: named(fmt.Sprint("subject ", f.rnd.IntN(6))), Data: []byte(`{}`),
		}
		f.memory.Append(e)
		require.NoError(f, f.add(e))
	}
	if len(f.dead) > 0 && f.rnd.IntN(5) == 0 { // a person sends a dead delivery again
		d := f.dead[0]
		f.dead = f.dead[1:]
		d.Dead, d.Due, d.Attempts = false, f.now, 0
		f.settle(d)
	}
	limit := 1 + f.rnd.IntN(4)
	until := f.now.Add(time.Minute)
	want, err := f.memory.ClaimDue(f.Context(), "mail", f.now, until, limit)
	require.NoError(f, err)
	got, err := f.ours.ClaimDue(f.Context(), "mail", f.now, until, limit)
	require.NoError(f, err)
	require.Equal(f, want, got)
	for _, d := range want.Deliveries {
		f.claimed++
		switch f.rnd.IntN(6) {
		case 0: // the process crashes
			continue
		case 1:
			d.Dead = true
		case 2, 3:
			d.Attempts++
			d.Due = f.now.Add(time.Duration(f.rnd.IntN(600)) * time.Second)
		default:
			d.Delivered = true
		}
		f.settle(d)
	}
}

// settle settles a delivery in both outboxes, and remembers it if it is dead.
func (f *twoOutboxes) settle(d notify.Delivery) {
	f.Helper()
	d.LeaseUntil = time.Time{}
	require.NoError(f, f.memory.Settle(f.Context(), d))
	require.NoError(f, f.ours.Settle(f.Context(), d))
	d.Version++
	if d.Dead {
		f.dead = append(f.dead, d)
	}
}

// TestClaimsSkipWaitingSubjects shows that a claim does not read deliveries that wait behind one whose next attempt is later.
func TestClaimsSkipWaitingSubjects(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		db := open(t, dsn)
		require.NoError(t, db.Outbox().Register(t.Context(), "mail", nil))
		var events []notify.Event
		for n := range 50 {
			events = append(events, notify.Event{ID: uuid.New(), Kind: "a.b", At: day(0), SubjectID: named(fmt.Sprint(n % 5)), Data: []byte(`{}`)})
		}
		require.NoError(t, db.Servers().Commit(t.Context(), dedicated.Change{Events: events}))
		countReady := func(now time.Time) (n int) { // the number of deliveries that a claim reads
			t.Helper()
			const text = "SELECT count(*) FROM deliveries WHERE NOT delivered AND NOT dead AND ready <= $1"
			require.NoError(t, raw(t, dsn).QueryRow(text, now.UnixMicro()).Scan(&n))
			return n
		}
		assert.Equal(t, 50, countReady(day(1)))

		due, err := db.Outbox().ClaimDue(t.Context(), "mail", day(1), day(2), 100)
		require.NoError(t, err)
		require.Len(t, due.Deliveries, 5, "one delivery of each subject")
		for i := range due.Deliveries {
			due.Deliveries[i].Due, due.Deliveries[i].LeaseUntil = day(3), time.Time{}
		}
		require.NoError(t, db.Outbox().Settle(t.Context(), due.Deliveries...))
		assert.Zero(t, countReady(day(2)), "all deliveries wait for day 3")

		for range 10 { // all are delivered, in the order of each subject
			due, err = db.Outbox().ClaimDue(t.Context(), "mail", day(3), day(4), 100)
			require.NoError(t, err)
			require.Len(t, due.Deliveries, 5)
			for i := range due.Deliveries {
				due.Deliveries[i].Delivered = true
			}
			slices.Reverse(due.Deliveries)
			require.NoError(t, db.Outbox().Settle(t.Context(), due.Deliveries...))
		}
		waiting, _, _, err := db.Outbox().Depth(t.Context())
		require.NoError(t, err)
		assert.Zero(t, waiting)
	})
}
