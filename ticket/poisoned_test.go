package ticket_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

var errPoisoned = errors.New("column too short")

// poisonedStore refuses each Commit that changes one ticket. If givesBack is true, it takes a change without events.
type poisonedStore struct {
	ticket.Store
	id        uuid.UUID
	givesBack bool
}

func (p *poisonedStore) Commit(ctx context.Context, changes ...ticket.Change) error {
	for _, c := range changes {
		poisoned := slices.ContainsFunc(c.Tickets, func(t ticket.Ticket) bool { return t.ID == p.id })
		if poisoned && (len(c.Events) > 0 || !p.givesBack) {
			return errPoisoned
		}
	}
	return p.Store.Commit(ctx, changes...)
}

func newPoisonedFixture(t *testing.T, givesBack bool) (*fixture, *poisonedStore) {
	t.Helper()
	store := &poisonedStore{givesBack: givesBack}
	d := newFixture(t, func(c *ticket.Config) { store.Store, c.Store = c.Store, store })
	return d, store
}

// TestPoisonedBatch: of five due tickets the Store refuses one, again and again. The others are reminded of in the same Tick. The
// refused one is given back, and tried again later.
func TestPoisonedBatch(t *testing.T) {
	t.Parallel()
	for name, givesBack := range map[string]bool{"the ticket can be given back": true, "the give-back is refused as well": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, store := newPoisonedFixture(t, givesBack)
			var ids []uuid.UUID
			for range 5 {
				ids = append(ids, d.opened(t, d.own, ticket.Other))
			}
			d.events(t)
			store.id = ids[2]
			d.clock.Add(ticket.DefaultFirstResponse)
			for n := range 3 {
				_, err := d.Tick(t.Context())
				require.ErrorIs(t, err, errPoisoned, "try %d", n)
				require.ErrorIs(t, err, ticket.ErrHost)
				require.ErrorContains(t, err, errPoisoned.Error(), "for the log")
				e := refusal(t, err)
				assert.Equal(t, ids[2], e.TicketID)
				assert.True(t, e.OutcomeUnknown)
				kinds, _ := d.events(t)
				if n == 0 {
					assert.Equal(t, []notify.Kind{ticket.KindUnanswered, ticket.KindUnanswered, ticket.KindUnanswered, ticket.KindUnanswered}, kinds)
				} else {
					assert.Empty(t, kinds)
				}
				for i, id := range ids {
					assert.Equal(t, i == 2, d.get(t, id).Reminded.IsZero(), "ticket %d", i)
				}
				got := d.get(t, ids[2])
				if givesBack {
					require.Zero(t, got.LeaseUntil)
					require.True(t, got.Due.After(d.clock.Now()) && !got.Due.After(d.clock.Now().Add(10*time.Minute)), "%v", got.Due)
				} else {
					require.True(t, got.LeaseUntil.After(d.clock.Now()), "its lease ends by itself")
				}
				d.ticked(t)
				d.clock.Add(10 * time.Minute)
			}
			store.id = uuid.Nil
			d.ticked(t)
			assert.NotZero(t, d.get(t, ids[2]).Reminded)
		})
	}
}

// TestPoisonedRelease: a server leaves its client, and the Store refuses one of its three tickets. The two others are closed, by
// CloseServer and by Tick.
func TestPoisonedRelease(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*fixture, context.Context) error{
		"CloseServer": func(d *fixture, ctx context.Context) error { return d.CloseServer(ctx, d.departure(d.own)) },
		"Tick":        func(d *fixture, ctx context.Context) error { return errorOf(d.Tick(ctx)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, store := newPoisonedFixture(t, true)
			var ids []uuid.UUID
			for range 3 {
				ids = append(ids, d.opened(t, d.own, ticket.Other))
			}
			store.id = ids[1]
			d.release(d.own)
			d.clock.Add(24 * time.Hour)
			err := run(d, t.Context())
			require.ErrorIs(t, err, errPoisoned)
			require.ErrorIs(t, err, ticket.ErrHost)
			require.ErrorContains(t, err, errPoisoned.Error(), "for the log")
			assert.Equal(t, ids[1], refusal(t, err).TicketID)
			for i, id := range ids {
				assert.Equal(t, i != 1, d.get(t, id).Status == ticket.Closed, "ticket %d", i)
			}
			store.id = uuid.Nil
			d.clock.Add(10 * time.Minute)
			require.NoError(t, run(d, t.Context()))
			assert.Equal(t, ticket.Closed, d.get(t, ids[1]).Status)
		})
	}
}

// bulkInventory is an inventory that answers for many servers at once. It counts the questions.
type bulkInventory struct {
	inventory
	single, bulk int
}

func (b *bulkInventory) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	b.single++
	return b.inventory.Server(ctx, a, id)
}

func (b *bulkInventory) ServersByID(ctx context.Context, a dedicated.Actor, ids []uuid.UUID) ([]dedicated.Server, error) {
	b.bulk++
	var servers []dedicated.Server
	for _, id := range ids {
		if s, err := b.inventory.Server(ctx, a, id); err == nil {
			servers = append(servers, s)
		}
	}
	return servers, nil
}

// TestTickPrefetches: a Tick asks once for the servers of a batch.
func TestTickPrefetches(t *testing.T) {
	t.Parallel()
	servers := &bulkInventory{}
	d := newFixture(t, func(c *ticket.Config) { servers.inventory, c.Servers = c.Servers.(inventory), servers })
	for n := range 50 {
		d.opened(t, d.add(dedicated.Owner{}, fmt.Sprint("node-", n)), ticket.Other)
	}
	servers.single = 0
	d.events(t)
	d.clock.Add(ticket.DefaultFirstResponse)
	d.ticked(t)
	kinds, _ := d.events(t)
	assert.Len(t, kinds, 50)
	assert.Equal(t, 1, servers.bulk)
	assert.Zero(t, servers.single)
}
