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

// TestFollowersAgree works through random events of few subjects on two outboxes, ours and the one in memory: delivered, in
// vain, dead, sent again. What is claimed, and when the next claim is due, is the same each time.
func TestFollowersAgree(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				db := open(t, fresh(t))
				f := followers{
					T: t, rnd: rand.New(rand.NewPCG(seed, 7)), now: day(0), memory: &notify.MemoryOutbox{}, ours: db.Outbox(),
					tell: func(events ...notify.Event) error {
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

type followers struct {
	*testing.T
	rnd     *rand.Rand
	now     time.Time
	memory  *notify.MemoryOutbox
	ours    notify.Outbox
	tell    func(...notify.Event) error
	dead    []notify.Delivery
	claimed int
}

func (f *followers) step() {
	f.Helper()
	f.now = f.now.Add(time.Duration(f.rnd.IntN(90)) * time.Second)
	for range f.rnd.IntN(4) {
		e := notify.Event{
			ID: uuid.New(), Kind: "a.b", At: f.now.Add(-time.Duration(f.rnd.IntN(60)) * time.Second), ResellerID: uuid.New(),
			SubjectID: named(fmt.Sprint("subject ", f.rnd.IntN(6))), Data: []byte(`{}`),
		}
		f.memory.Append(e)
		require.NoError(f, f.tell(e))
	}
	if len(f.dead) > 0 && f.rnd.IntN(5) == 0 { // a person sends one again
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
		case 0: // the worker dies
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

// settle settles on both, and keeps what is dead.
func (f *followers) settle(d notify.Delivery) {
	f.Helper()
	d.LeaseUntil = time.Time{}
	require.NoError(f, f.memory.Settle(f.Context(), d))
	require.NoError(f, f.ours.Settle(f.Context(), d))
	d.Version++
	if d.Dead {
		f.dead = append(f.dead, d)
	}
}

// TestClaimsPassOverFollowers: what waits behind a delivery that is tried again later is not looked at until then.
func TestClaimsPassOverFollowers(t *testing.T) {
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
		looked := func(now time.Time) (n int) { // at how many does a claim look?
			t.Helper()
			const text = "SELECT count(*) FROM deliveries WHERE NOT delivered AND NOT dead AND ready <= $1"
			require.NoError(t, raw(t, dsn).QueryRow(text, now.UnixMicro()).Scan(&n))
			return n
		}
		assert.Equal(t, 50, looked(day(1)))

		due, err := db.Outbox().ClaimDue(t.Context(), "mail", day(1), day(2), 100)
		require.NoError(t, err)
		require.Len(t, due.Deliveries, 5, "one of each subject")
		for i := range due.Deliveries {
			due.Deliveries[i].Due, due.Deliveries[i].LeaseUntil = day(3), time.Time{}
		}
		require.NoError(t, db.Outbox().Settle(t.Context(), due.Deliveries...))
		assert.Zero(t, looked(day(2)), "all wait for day 3")

		for range 10 { // and then all of them go, each after the one before
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
