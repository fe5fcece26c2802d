package sqlstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// TestStoresAgree calls the same random operations of the Managers on the stores in memory, on SQLite and on PostgreSQL. Every
// operation has the same result, and at the end all stores have the same records.
func TestStoresAgree(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			now := clock.NewMock()
			now.Set(day(10))
			names := []string{"memory", "sqlite", "postgres"}
			panels := make([]*panel, len(names))
			for i, s := range []stores{storesInMemory(), storesOf(open(t, freshSQLite(t))), storesOf(open(t, server.Schema(t)))} {
				var err error
				panels[i], err = newPanel(s, host{
					clock: now, biller: monthlyBiller{func(context.Context, cancellation.Refund) error { return nil }}, parallel: 1,
					mail: func(_ context.Context, e notify.Event) error {
						if e.ID[0] < 16 {
							return notify.Permanent(errors.New("the mail server does not know the recipient"))
						}
						return nil
					},
				})
				require.NoError(t, err)
			}
			rnd := rand.New(rand.NewPCG(seed, 7))
			for step := range 400 {
				if rnd.IntN(8) == 0 {
					now.Set(now.Now().Add(time.Duration(1+rnd.IntN(200)) * time.Hour))
				}
				choice := rnd.Uint64()
				var first string
				for i, p := range panels {
					got := anonymous(p.randomOperation(t.Context(), rand.New(rand.NewPCG(choice, seed)), step))
					if i == 0 {
						first = got
					}
					require.Equal(t, first, got, "step %d in %s", step, names[i])
				}
			}
			want := dump(t, panels[0])
			for i, p := range panels {
				got := dump(t, p)
				require.Len(t, got, len(want), names[i])
				for n, line := range got {
					require.Equal(t, want[n], line, names[i])
				}
			}
			for _, value := range []string{`"executed"`, `"completed"`, `"closed"`, `"Dead":true`} {
				require.True(t, strings.Contains(strings.Join(want, ""), value), "no record has %s", value)
			}
		})
	}
}

// randomOperation calls one operation and returns its result as text.
func (p *panel) randomOperation(ctx context.Context, rnd *rand.Rand, step int) string {
	id, server := named(fmt.Sprint("step ", step)), named(fmt.Sprint("server ", rnd.IntN(12)))
	a := p.reseller
	if rnd.IntN(2) == 0 {
		a = p.client(fmt.Sprint("client ", rnd.IntN(3)))
	}
	note := ticket.Note{ID: id, Text: fmt.Sprint("text of step ", step, " ä%_'\"")}
	operations := []func() (any, error){
		func() (any, error) {
			owner := dedicated.Owner{}
			if rnd.IntN(4) == 0 {
				owner = dedicated.Owner{Provider: "Upstairs", Reference: "rack/7"}
			}
			return p.servers.Add(ctx, p.reseller, dedicated.NewServer{ID: server, Name: fmt.Sprint("web-", server[0]%4), Owner: owner})
		},
		func() (any, error) {
			return p.servers.Assign(ctx, p.reseller, server, dedicated.NewAssignment{ClientID: named(fmt.Sprint("client ", rnd.IntN(3))), Billing: monthly()})
		},
		func() (any, error) { return p.servers.Rename(ctx, p.reseller, server, fmt.Sprint("db-", step%5)) },
		func() (any, error) { return p.servers.Restock(ctx, p.reseller, server) },
		func() (any, error) {
			s, err := p.servers.Server(ctx, p.reseller, server)
			if err == nil && rnd.IntN(6) == 0 {
				s, err = p.servers.Release(ctx, p.reseller, server, s.Assignment, uuid.Nil, "moved out")
			}
			return s, err
		},
		func() (any, error) {
			schedule := backup.Schedule{Frequency: backup.Daily, Interval: 1 + rnd.IntN(9), Hour: rnd.IntN(24), Zone: "Europe/Berlin"}
			return p.backups.Submit(ctx, p.reseller, backup.Form{ID: id, ServerID: server, What: "/var", Schedule: schedule})
		},
		func() (any, error) { return p.changeTask(ctx, a, rnd) },
		func() (any, error) { return p.changeTask(ctx, a, rnd) },
		func() (any, error) {
			return p.tickets.Open(ctx, a, ticket.Form{ID: id, ServerID: server, Kind: ticket.Reboot, Text: note.Text, Fields: fields(rnd)})
		},
		func() (any, error) { return p.answerTicket(ctx, a, rnd, note) },
		func() (any, error) {
			when := cancellation.When{EndOfPeriod: true}
			if rnd.IntN(2) == 0 {
				when = cancellation.When{At: p.clock.Now().Add(time.Duration(rnd.IntN(400)) * time.Hour)}
			}
			return p.cancellations.Schedule(ctx, a, cancellation.Order{ID: id, ServerID: server, When: when, Reason: "too loud"})
		},
		func() (any, error) { return p.changeCancellation(ctx, a, rnd) },
		func() (any, error) {
			return p.cancellations.SaveSettings(ctx, p.reseller, cancellation.Settings{Warn: true, DaysAhead: []int{1 + rnd.IntN(9)}})
		},
		func() (any, error) { return nil, p.tick(ctx) },
		func() (any, error) { return nil, p.tick(ctx) },
	}
	result, err := operations[rnd.IntN(len(operations))]()
	text, _ := json.Marshal(result)
	return fmt.Sprintf("%s %v", text, err)
}

func fields(rnd *rand.Rand) map[string]json.RawMessage {
	if rnd.IntN(2) == 0 {
		return nil
	}
	return map[string]json.RawMessage{"mode": json.RawMessage(`"hard"`)}
}

func (p *panel) tick(ctx context.Context) error {
	for _, ticker := range p.tickers() {
		if _, err := ticker.Tick(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *panel) changeTask(ctx context.Context, a dedicated.Actor, rnd *rand.Rand) (any, error) {
	q := backup.TaskQuery{Text: []string{"", "WEB"}[rnd.IntN(2)]}
	if rnd.IntN(2) == 0 {
		a, q = p.reseller, backup.TaskQuery{States: []backup.State{backup.Pending}}
	}
	tasks, _, err := p.backups.Tasks(ctx, a, q)
	if err != nil || len(tasks) == 0 {
		return len(tasks), err
	}
	id := tasks[rnd.IntN(len(tasks))].ID
	switch rnd.IntN(5) {
	case 0, 1:
		return p.backups.Complete(ctx, a, id, backup.Result{Bytes: 1 << 40, Location: "tape 9"})
	case 2:
		return p.backups.Fail(ctx, a, id, "no tape")
	case 3:
		return p.backups.Retry(ctx, a, id)
	}
	return p.backups.Cancel(ctx, a, id, "no need")
}

func (p *panel) answerTicket(ctx context.Context, a dedicated.Actor, rnd *rand.Rand, note ticket.Note) (any, error) {
	tickets, _, err := p.tickets.Views(ctx, a, ticket.Query{Text: []string{"", "text ä%_"}[rnd.IntN(2)]})
	if err != nil || len(tickets) == 0 {
		return len(tickets), err
	}
	id := tickets[rnd.IntN(len(tickets))].ID
	views := []func(context.Context, dedicated.Actor, uuid.UUID, ticket.Note) (ticket.View, error){
		p.tickets.Comment, p.tickets.Close, p.tickets.Reopen,
	}
	moves := []func(context.Context, dedicated.Actor, uuid.UUID, ticket.Note) (ticket.Ticket, error){
		p.tickets.Confirm, p.tickets.Reject, p.tickets.AskDetails, p.tickets.Complete,
	}
	if n := rnd.IntN(len(views) + len(moves)); n < len(views) {
		_, err = views[n](ctx, a, id, note)
	} else {
		_, err = moves[n-len(views)](ctx, a, id, note)
	}
	return nil, err
}

func (p *panel) changeCancellation(ctx context.Context, a dedicated.Actor, rnd *rand.Rand) (any, error) {
	found, _, err := p.cancellations.Cancellations(ctx, a, cancellation.Query{States: []cancellation.State{cancellation.Scheduled}})
	if err != nil || len(found) == 0 {
		return len(found), err
	}
	id := found[rnd.IntN(len(found))].ID
	if rnd.IntN(3) == 0 {
		return p.cancellations.Discard(ctx, a, id, "stays after all")
	}
	return p.cancellations.Reschedule(ctx, a, id, cancellation.When{At: p.clock.Now().Add(time.Duration(rnd.IntN(300)) * time.Hour)})
}

// dump returns all records of a panel, one per line. It reads them page by page.
func dump(t *testing.T, p *panel) []string {
	t.Helper()
	var b strings.Builder
	r := p.reseller.ResellerID
	list(t, &b, func(after string) ([]dedicated.Server, string, error) {
		return p.stores.servers.Servers(t.Context(), r, dedicated.Query{Limit: 5, After: after})
	})
	list(t, &b, func(after string) ([]backup.Request, string, error) {
		return p.stores.backups.Requests(t.Context(), r, backup.RequestQuery{Limit: 7, After: after})
	})
	list(t, &b, func(after string) ([]backup.Task, string, error) {
		return p.stores.backups.Tasks(t.Context(), r, backup.TaskQuery{Limit: 20, After: after})
	})
	for _, sort := range []string{"urgency", "age"} {
		list(t, &b, func(after string) ([]ticket.Ticket, string, error) {
			return p.stores.tickets.Tickets(t.Context(), r, ticket.Query{Sort: sort, Limit: 3, After: after})
		})
	}
	list(t, &b, func(after string) ([]cancellation.Cancellation, string, error) {
		return p.stores.cancellations.Cancellations(t.Context(), r, cancellation.Query{Limit: 4, After: after})
	})
	list(t, &b, func(after string) ([]notify.Delivery, string, error) {
		return p.outbox.Deliveries(t.Context(), notify.DeliveryQuery{Limit: 50, After: after})
	})
	counts, err := p.stores.backups.Counts(t.Context(), r, backup.TaskQuery{})
	require.NoError(t, err)
	statuses, err := p.stores.tickets.Counts(t.Context(), r, ticket.Query{})
	require.NoError(t, err)
	settings, err := p.stores.cancellations.Settings(t.Context(), r)
	waiting, dead, oldest, depthErr := p.outbox.Depth(t.Context())
	require.NoError(t, depthErr)
	fmt.Fprintln(&b, counts, statuses, settings, err != nil, waiting, dead, oldest)
	return strings.Split(anonymous(b.String()), "\n")
}

func list[E any](t *testing.T, b *strings.Builder, page func(after string) ([]E, string, error)) {
	t.Helper()
	for after := ""; ; {
		items, next, err := page(after)
		require.NoError(t, err)
		for _, item := range items {
			text, err := json.Marshal(item)
			require.NoError(t, err)
			fmt.Fprintf(b, "%T %s\n", item, text)
		}
		if next == "" {
			return
		}
		after = next
	}
}

// anonymous replaces the IDs of assignments. They are random, and the only IDs of version 4.
func anonymous(s string) string {
	return regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`).ReplaceAllString(s, "random")
}
