package ticket_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// model is the expected state of a ticket, computed in another way than in the package.
type model struct {
	status, decision ticket.Status
	said, upstream   int
	answered         bool
	reminded         bool
	opened, closed   time.Time
	closes           time.Time // zero: never
}

const (
	modelClosing  = 72 * time.Hour
	modelResponse = 24 * time.Hour
	modelReopen   = 240 * time.Hour
)

// move is the effect of an operation on the model; false: it is refused.
type move func(m *model, now time.Time) bool

func undecided(s ticket.Status) bool { return s == ticket.Open || s == ticket.NeedsDetails }

func underway(s ticket.Status) bool { return s == ticket.Confirmed || s == ticket.Forwarded }

// decide returns a move of the reseller to a status, with a public comment.
func decide(to, decision ticket.Status, from func(ticket.Status) bool) move {
	return func(m *model, now time.Time) bool {
		if !from(m.status) {
			return false
		}
		m.status, m.decision, m.answered = to, decision, true
		m.said++
		m.closes = time.Time{}
		if to == ticket.NeedsDetails || to == ticket.Rejected || to == ticket.Done {
			m.closes = now.Add(modelClosing)
		}
		return true
	}
}

func (m *model) close(now time.Time) {
	m.status, m.closed, m.closes = ticket.Closed, now, time.Time{}
}

func (m *model) reopen() {
	m.status, m.decision, m.closes = ticket.Open, "", time.Time{}
}

// moves returns the operations by name. The first letter of the name is the role: c for the client, r for the reseller.
func moves() map[string]move {
	working := func(s ticket.Status) bool { return undecided(s) || underway(s) }
	return map[string]move{
		"r Confirm":    decide(ticket.Confirmed, ticket.Confirmed, func(s ticket.Status) bool { return undecided(s) || s == ticket.Forwarded }),
		"r AskDetails": decide(ticket.NeedsDetails, "", working),
		"r Reject":     decide(ticket.Rejected, ticket.Rejected, working),
		"r Complete":   decide(ticket.Done, ticket.Confirmed, underway),
		"r Forward": func(m *model, _ time.Time) bool {
			if !working(m.status) {
				return false
			}
			if !underway(m.status) {
				m.said++
			}
			m.status, m.decision, m.answered, m.closes = ticket.Forwarded, ticket.Confirmed, true, time.Time{}
			m.upstream++
			return true
		},
		"r Relay": func(m *model, now time.Time) bool {
			return m.upstream > 0 && m.status != ticket.Closed && moves()["r Comment"](m, now)
		},
		"r Comment": func(m *model, now time.Time) bool {
			m.said++
			m.answered = true
			if m.status == ticket.NeedsDetails || m.status == ticket.Done || m.status == ticket.Rejected {
				m.closes = now.Add(modelClosing)
			}
			return true
		},
		"r Internal": func(*model, time.Time) bool { return true },
		"r Close": func(m *model, now time.Time) bool {
			if m.status == ticket.Closed {
				return false
			}
			m.close(now)
			m.said++
			m.answered = true
			return true
		},
		"r Reopen": func(m *model, _ time.Time) bool {
			if undecided(m.status) || underway(m.status) {
				return false
			}
			m.reopen()
			m.said++
			m.answered = true
			return true
		},
		"c Comment": func(m *model, now time.Time) bool {
			if m.status == ticket.Closed && now.After(m.closed.Add(modelReopen)) {
				return false
			}
			if m.status == ticket.Closed || m.status == ticket.NeedsDetails {
				m.reopen()
			}
			m.closes = time.Time{}
			m.said++
			return true
		},
		"c Close": func(m *model, now time.Time) bool {
			if m.status == ticket.Closed {
				return false
			}
			m.close(now)
			m.said++
			return true
		},
		"c Reopen": func(m *model, now time.Time) bool {
			if m.status == ticket.Closed && now.After(m.closed.Add(modelReopen)) || undecided(m.status) || underway(m.status) {
				return false
			}
			m.reopen()
			m.said++
			return true
		},
	}
}

// tick is the effect of a Tick.
func (m *model) tick(now time.Time) (closed, reminded bool) {
	if !m.closes.IsZero() && !m.closes.After(now) {
		m.close(now)
		return true, false
	}
	if m.status == ticket.Open && !m.answered && !m.reminded && !m.opened.Add(modelResponse).After(now) {
		m.reminded = true
		return false, true
	}
	return false, false
}

func (d *fixture) calls() map[string]func(context.Context, uuid.UUID, ticket.Note) error {
	calls := map[string]func(context.Context, uuid.UUID, ticket.Note) error{}
	for name, f := range d.moves() {
		calls["r "+name] = func(ctx context.Context, id uuid.UUID, n ticket.Note) error { return f(ctx, d.reseller, id, n) }
		calls["c "+name] = func(ctx context.Context, id uuid.UUID, n ticket.Note) error { return f(ctx, d.client, id, n) }
	}
	calls["r Internal"] = func(ctx context.Context, id uuid.UUID, n ticket.Note) error {
		n.Internal = true
		return errorOf(d.Comment(ctx, d.reseller, id, n))
	}
	return calls
}

// TestModel compares random operations under a random clock with the model.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		d := newFixture(t, func(c *ticket.Config) {
			c.AutoClose, c.FirstResponse, c.ReopenWithin = modelClosing, modelResponse, modelReopen
		})
		id := d.opened(t, d.rented, ticket.Reboot)
		d.events(t)
		m := &model{status: ticket.Open, said: 1, opened: d.clock.Now()}
		names := []string{"tick"}
		for name := range moves() {
			names = append(names, name)
		}
		internal := 0
		for n := range 60 {
			name := names[rnd.IntN(len(names))]
			at := fmt.Sprintf("seed %d, step %d: %s in status %s", seed, n, name, m.status)
			d.clock.Add([]time.Duration{0, time.Minute, 23 * time.Hour, 24 * time.Hour, 72 * time.Hour, 400 * time.Hour}[rnd.IntN(6)])
			if name == "tick" || rnd.IntN(2) == 0 {
				d.tick(t, m, at)
			}
			if name == "tick" {
				continue
			}
			was := *m
			if allowed := moves()[name](m, d.clock.Now()); !allowed {
				*m = was
			}
			err := d.calls()[name](t.Context(), id, say("words"))
			if *m == was && name != "r Internal" && name != "r Comment" {
				require.ErrorIs(t, err, ticket.ErrConflict, at)
				var e *ticket.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, say("words"), e.Note, at)
			} else {
				require.NoError(t, err, at)
			}
			if name == "r Internal" {
				internal++
			}
			d.compare(t, id, *m, internal, at)
		}
	}
}

func (d *fixture) tick(t *testing.T, m *model, at string) {
	t.Helper()
	d.events(t)
	closed, reminded := m.tick(d.clock.Now())
	for range 2 { // the second one changes nothing
		next, err := d.Tick(t.Context())
		require.NoError(t, err, at)
		if !next.IsZero() {
			require.True(t, next.After(d.clock.Now()), at)
		}
	}
	kinds, _ := d.events(t)
	switch {
	case closed:
		require.Equal(t, []notify.Kind{ticket.KindClosed}, kinds, at)
	case reminded:
		require.Equal(t, []notify.Kind{ticket.KindUnanswered}, kinds, at)
	default:
		require.Empty(t, kinds, at)
	}
}

func (d *fixture) compare(t *testing.T, id uuid.UUID, m model, internal int, at string) {
	t.Helper()
	got, err := d.store.Ticket(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, m.status, got.Status, at)
	require.Equal(t, m.decision, got.Decision, at)
	require.Len(t, got.Thread, m.said+internal, at)
	require.Equal(t, m.answered, !got.AnsweredAt.IsZero(), at)
	require.True(t, m.closes.Equal(got.ClosesAt), "%s: closes at %v, want %v", at, got.ClosesAt, m.closes)
	require.Equal(t, m.status == ticket.Closed, !got.ClosedAt.IsZero(), at)
	require.Equal(t, undecided(m.status) || underway(m.status), got.UniqueKey != "", at)
	require.Equal(t, m.status == ticket.Closed || m.closes.IsZero() && !undecided(m.status) && !underway(m.status), got.Due.IsZero(), at)
	require.True(t, got.LeaseUntil.IsZero(), at)
	sent := 0
	if got.Upstream != nil {
		sent = len(got.Upstream.Thread)
	}
	require.Equal(t, m.upstream, sent, at)
}

// TestTable runs every operation in every status, and compares the result with the status table.
func TestTable(t *testing.T) {
	t.Parallel()
	for _, status := range ticket.Statuses() {
		for name, call := range newFixture(t).calls() {
			_ = call
			t.Run(fmt.Sprintf("%s/%s", status, name), func(t *testing.T) {
				t.Parallel()
				d := newFixture(t)
				id := d.opened(t, d.rented, ticket.Other)
				d.bring(t, id, ticket.Forwarded) // a ticket that was never forwarded cannot be relayed
				if status != ticket.Forwarded {
					require.NoError(t, errorOf(d.Close(t.Context(), d.reseller, id, ticket.Note{})))
					require.NoError(t, errorOf(d.Reopen(t.Context(), d.reseller, id, ticket.Note{})))
					d.bring(t, id, status)
				}
				to, ok := tableSays(name, status)
				err := d.calls()[name](t.Context(), id, say("words"))
				got := d.get(t, id)
				if !ok {
					require.Error(t, err)
					assert.True(t, errors.Is(err, ticket.ErrConflict) || errors.Is(err, ticket.ErrForbidden), err)
					assert.Equal(t, status, got.Status)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, to, got.Status)
			})
		}
	}
}

// tableSays returns what the status table says.
func tableSays(name string, from ticket.Status) (to ticket.Status, ok bool) {
	by := map[byte]dedicated.Role{'c': dedicated.Client, 'r': dedicated.Reseller}[name[0]]
	op := name[2:]
	if op == "Internal" {
		op = "Comment"
	}
	for _, row := range ticket.Transitions() {
		if string(row.Op) != op || row.By != 0 && row.By != by {
			continue
		}
		for _, s := range row.From {
			if s == from {
				if row.To == "" {
					return from, true
				}
				return row.To, true
			}
		}
	}
	return from, false
}
