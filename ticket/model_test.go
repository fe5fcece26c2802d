package ticket_test

import (
	"context"
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
	unanswered       time.Time // since when a comment on what is over waits for an answer; zero: none does
	mails            int       // about the client's moves, since the last answer
	tell             time.Time // zero: no move of the client is without a mail
	at               time.Time
	waited           time.Duration // for the reseller
}

func over(s ticket.Status) bool { return s == ticket.Done || s == ticket.Rejected }

// pass lets time pass. Only the waiting for the reseller counts. No provider answers in the model.
func (m *model) pass(now time.Time) {
	if m.status == ticket.Open || m.status == ticket.Confirmed || !m.unanswered.IsZero() {
		m.waited += now.Sub(m.at)
	}
	m.at = now
}

// answer is the reseller's answer to the client.
func (m *model) answer() {
	m.answered, m.unanswered, m.mails, m.tell = true, time.Time{}, 0, time.Time{}
}

// write is a move of the client.
func (m *model) write(now time.Time) {
	m.said++
	switch {
	case m.mails < 5:
		m.mails++
	case m.tell.IsZero():
		m.tell = now.Add(24 * time.Hour)
	}
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
		m.status, m.decision = to, decision
		m.answer()
		m.said++
		m.closes = time.Time{}
		if to == ticket.NeedsDetails || to == ticket.Rejected || to == ticket.Done {
			m.closes = now.Add(modelClosing)
		}
		return true
	}
}

func (m *model) close(now time.Time) {
	m.status, m.closed, m.closes, m.unanswered = ticket.Closed, now, time.Time{}, time.Time{}
}

func (m *model) reopen() {
	m.status, m.decision, m.closes, m.unanswered = ticket.Open, "", time.Time{}, time.Time{}
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
				m.answer()
			}
			m.status, m.decision, m.closes = ticket.Forwarded, ticket.Confirmed, time.Time{}
			m.upstream++
			return true
		},
		"r Relay": func(m *model, now time.Time) bool {
			return m.upstream > 0 && m.status != ticket.Closed && moves()["r Comment"](m, now)
		},
		"r Comment": func(m *model, now time.Time) bool {
			m.said++
			m.answer()
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
			m.answer()
			return true
		},
		"r Reopen": func(m *model, _ time.Time) bool {
			if undecided(m.status) || underway(m.status) {
				return false
			}
			m.reopen()
			m.waited = 0
			m.said++
			m.answer()
			return true
		},
		"r Dismiss": func(m *model, now time.Time) bool {
			if !over(m.status) {
				return false
			}
			if !m.unanswered.IsZero() {
				m.answer()
				m.closes = now.Add(modelClosing)
			}
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
			if over(m.status) && m.unanswered.IsZero() {
				m.unanswered, m.reminded = now, false
			}
			m.write(now)
			return true
		},
		"c Close": func(m *model, now time.Time) bool {
			if m.status == ticket.Closed {
				return false
			}
			m.close(now)
			m.write(now)
			return true
		},
		"c Reopen": func(m *model, now time.Time) bool {
			if m.status == ticket.Closed && now.After(m.closed.Add(modelReopen)) || undecided(m.status) || underway(m.status) {
				return false
			}
			m.reopen()
			m.waited = 0
			m.write(now)
			return true
		},
	}
}

// reminds returns when the reseller is reminded; zero: never.
func (m *model) reminds() time.Time {
	switch {
	case m.reminded:
	case m.status == ticket.Open && !m.answered:
		return m.opened.Add(modelResponse)
	case !m.unanswered.IsZero():
		return m.unanswered.Add(modelResponse)
	}
	return time.Time{}
}

// tick is the effect of a Tick, and the mails about it.
func (m *model) tick(now time.Time) (kinds []notify.Kind) {
	due := func(at time.Time) bool { return !at.IsZero() && !at.After(now) }
	if due(m.closes) {
		m.close(now)
		kinds = append(kinds, ticket.KindClosed)
	}
	if due(m.reminds()) {
		m.reminded = true
		kinds = append(kinds, ticket.KindUnanswered)
	}
	if due(m.tell) {
		m.tell = time.Time{}
		kinds = append(kinds, ticket.KindMoreFromClient)
	}
	return kinds
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
	calls["r Dismiss"] = func(ctx context.Context, id uuid.UUID, _ ticket.Note) error {
		return errorOf(d.Dismiss(ctx, d.reseller, id, d.newestOfClient(ctx, id)))
	}
	return calls
}

// newestOfClient returns the ID of the client's newest comment.
func (d *fixture) newestOfClient(ctx context.Context, id uuid.UUID) (newest uuid.UUID) {
	stored, err := d.store.Ticket(ctx, id)
	if err != nil {
		return uuid.New() // there is no such ticket
	}
	for _, c := range stored.Thread {
		if c.By.Role == dedicated.Client {
			newest = c.ID
		}
	}
	return newest
}

// TestModel compares random operations under a random clock with the model.
func TestModel(t *testing.T) {
	t.Parallel()
	told := map[notify.Kind]int{}
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		d := newFixture(t, func(c *ticket.Config) {
			c.AutoClose, c.FirstResponse, c.ReopenWithin = modelClosing, modelResponse, modelReopen
		})
		id := d.opened(t, d.rented, ticket.Reboot)
		d.events(t)
		m := &model{status: ticket.Open, said: 1, opened: d.clock.Now(), at: d.clock.Now()}
		names := []string{"tick"}
		for name := range moves() {
			names = append(names, name)
			if name[0] == 'c' { // often several times without an answer
				names = append(names, name, name, name, name, name)
			}
		}
		slices.Sort(names)
		internal := 0
		for n := range 60 {
			name := names[rnd.IntN(len(names))]
			at := fmt.Sprintf("seed %d, step %d: %s in status %s", seed, n, name, m.status)
			d.clock.Add([]time.Duration{0, time.Minute, 23 * time.Hour, 24 * time.Hour, 72 * time.Hour, 400 * time.Hour}[rnd.IntN(6)])
			m.pass(d.clock.Now())
			if name == "tick" || rnd.IntN(2) == 0 {
				for _, kind := range d.tick(t, m, at) {
					told[kind]++
				}
			}
			if name == "tick" {
				continue
			}
			mailed := m.mails
			allowed := moves()[name](m, d.clock.Now())
			d.events(t)
			err := d.calls()[name](t.Context(), id, say("words"))
			kinds, _ := d.events(t)
			if !allowed {
				require.ErrorIs(t, err, ticket.ErrConflict, at)
				var e *ticket.Error
				require.ErrorAs(t, err, &e)
				if name != "r Dismiss" {
					require.Equal(t, say("words"), e.Note, at)
				}
			} else {
				require.NoError(t, err, at)
			}
			if name[0] == 'c' {
				require.Len(t, kinds, m.mails-mailed, at)
			}
			if name == "r Internal" {
				internal++
			}
			d.compare(t, id, *m, internal, at)
		}
	}
	for _, kind := range []notify.Kind{ticket.KindClosed, ticket.KindUnanswered, ticket.KindMoreFromClient} {
		assert.Greater(t, told[kind], 10, kind)
	}
}

func (d *fixture) tick(t *testing.T, m *model, at string) (kinds []notify.Kind) {
	t.Helper()
	d.events(t)
	want := m.tick(d.clock.Now())
	for range 2 { // the second one changes nothing
		next, err := d.Tick(t.Context())
		require.NoError(t, err, at)
		if !next.IsZero() {
			require.True(t, next.After(d.clock.Now()), at)
		}
	}
	kinds, _ = d.events(t)
	require.Equal(t, want, kinds, at)
	return kinds
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
	planned := undecided(m.status) || underway(m.status) || !m.closes.IsZero() || !m.tell.IsZero() || !m.reminds().IsZero()
	require.Equal(t, planned, !got.Due.IsZero(), at)
	require.True(t, m.unanswered.Equal(got.UnansweredSince), at)
	require.True(t, m.tell.Equal(got.TellAt), at)
	require.Equal(t, m.mails, got.ClientMails, at)
	risen, err := d.Ticket(t.Context(), d.reseller, id)
	require.NoError(t, err)
	points := int(m.waited / (24 * time.Hour / ticket.DefaultAgingPerDay))
	require.Equal(t, min(ticket.DefaultPriority+points, ticket.HighestPriority), risen.Priority, at)
	waits := m.status == ticket.Open || m.status == ticket.Confirmed || !m.unanswered.IsZero()
	require.Equal(t, waits, got.UrgentAt.Year() < 3000, at)
	require.True(t, got.LeaseUntil.IsZero(), at)
	sent := 0
	if got.Upstream != nil {
		sent = len(got.Upstream.Thread)
	}
	require.Equal(t, m.upstream, sent, at)
}
