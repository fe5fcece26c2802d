package ticket_test

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

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// secrets makes unique strings that a client must never read, and looks for them in values that a client gets.
type secrets struct {
	list []string
	ids  map[string]bool
}

const mark = "zqx"

func (s *secrets) next() string {
	secret := fmt.Sprintf("%s%05d", mark, len(s.list))
	s.list = append(s.list, secret)
	return secret
}

// hide makes an ID that a client must never read.
func (s *secrets) hide() uuid.UUID {
	id := uuid.New()
	s.ids[id.String()] = true
	return id
}

var (
	anyID       = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	upstreamRef = regexp.MustCompile(`u-[2-9a-z]{16}`)
)

// absent fails if a value contains a secret, a hidden ID, an upstream reference or the word forwarded.
func (s *secrets) absent(t *testing.T, what string, value any) {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	found := strings.ToLower(string(data))
	require.NotContains(t, found, mark, what)
	require.NotContains(t, found, string(ticket.Forwarded), what)
	require.NotRegexp(t, upstreamRef, found, what)
	for _, id := range anyID.FindAllString(found, -1) {
		require.False(t, s.ids[id], "%s has the ID %s: %s", what, id, found)
	}
}

// leakFixture is a fixture for random operations, with secrets in everything that is not for clients.
type leakFixture struct {
	*fixture
	*secrets
	rnd *rand.Rand
	ids []uuid.UUID
}

func (r *leakFixture) internal() ticket.Note {
	return ticket.Note{ID: r.maybeHidden(), Text: r.next(), Internal: true, Attachments: r.files()}
}

func (r *leakFixture) upstream() ticket.Note {
	return ticket.Note{ID: r.maybeHidden(), Text: r.next(), Attachments: r.files()}
}

func (r *leakFixture) maybeHidden() uuid.UUID {
	if r.rnd.IntN(2) == 0 {
		return uuid.Nil
	}
	return r.hide()
}

func (r *leakFixture) files() []ticket.Attachment {
	if r.rnd.IntN(2) == 0 {
		return nil
	}
	return []ticket.Attachment{{Name: r.next(), MediaType: "text/" + r.next(), Key: r.next(), Bytes: 1}}
}

// act runs one random operation. The status may not allow it. It checks the errors that a client gets.
func (r *leakFixture) act(t *testing.T) {
	ctx, id := t.Context(), r.ids[r.rnd.IntN(len(r.ids))]
	staff := dedicated.Actor{Role: dedicated.Reseller, ID: r.hide(), ResellerID: r.reseller.ResellerID}
	public := ticket.Note{Text: "public words"}
	stored, err := r.store.Ticket(ctx, id)
	require.NoError(t, err)
	switch r.rnd.IntN(19) {
	case 0, 1:
		_ = errorOf(r.Comment(ctx, staff, id, r.internal()))
	case 2, 3:
		_ = errorOf(r.Forward(ctx, staff, id, r.upstream()))
	case 4, 5:
		if stored.Upstream != nil {
			ref := stored.Upstream.Ref
			if len(stored.Former) > 0 && r.rnd.IntN(2) == 0 {
				ref = pick(r.rnd, stored.Former).Ref
			}
			require.NoError(t, errorOf(r.ProviderReplied(ctx, staff, ref, r.upstream())))
		}
	case 6:
		_ = errorOf(r.Relay(ctx, staff, id, public))
	case 7:
		_ = errorOf(r.Confirm(ctx, staff, id, public))
	case 8:
		_ = errorOf(r.AskDetails(ctx, staff, id, public))
	case 9:
		_ = errorOf(r.Reject(ctx, staff, id, public))
	case 10:
		_ = errorOf(r.Complete(ctx, staff, id, r.internal()))
	case 11:
		_ = errorOf(r.Close(ctx, staff, id, r.internal()))
	case 12:
		_ = errorOf(r.Reopen(ctx, staff, id, r.internal()))
	case 13:
		require.NoError(t, errorOf(r.Assign(ctx, staff, id, r.hide())))
	case 14:
		require.NoError(t, errorOf(r.SetPriority(ctx, staff, id, 1+r.rnd.IntN(99))))
	case 15:
		if errorOf(r.Forward(ctx, staff, id, r.upstream())) == nil {
			stored, err = r.store.Ticket(ctx, id)
			require.NoError(t, err)
		}
		r.absent(t, "a client's refusals", r.clientActs(ctx, id, stored))
	case 16:
		r.clock.Add(time.Duration(r.rnd.IntN(100)) * time.Hour)
		_, err := r.Tick(ctx)
		require.NoError(t, err)
	case 17:
		_ = errorOf(r.Comment(ctx, r.client, id, say("client's words")))
		_ = errorOf(r.Dismiss(ctx, staff, id, r.newestOfClient(ctx, id)))
	case 18:
		s := r.servers[stored.ServerID]
		s.Owner = dedicated.Owner{Provider: "Up " + r.next(), Reference: "ref-" + r.next()}
		r.servers[s.ID] = s
	}
}

// clientActs tries all operations as the client, and returns the errors.
func (r *leakFixture) clientActs(ctx context.Context, id uuid.UUID, stored ticket.Ticket) []string {
	var answers []string
	answer := func(err error) {
		var e *ticket.Error
		if errors.As(err, &e) {
			answers = append(answers, fmt.Sprintf("%s %+v", e, *e))
		}
	}
	for _, name := range []string{"Reopen", "Comment", "Confirm", "Reject", "AskDetails", "Forward", "Relay", "Complete"} {
		answer(r.moves()[name](ctx, r.client, id, say("client's words")))
	}
	if r.rnd.IntN(4) == 0 {
		answer(errorOf(r.Close(ctx, r.client, id, say("client's words"))))
	}
	_, err := r.Ticket(ctx, r.client, id)
	answer(err)
	if stored.Upstream != nil {
		err := errorOf(r.ProviderReplied(ctx, r.client, stored.Upstream.Ref, say("guessed")))
		answer(err)
	}
	return answers
}

// TestLeak: nothing that a client gets contains a secret, or shows whether a ticket was forwarded.
func TestLeak(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := &leakFixture{secrets: &secrets{ids: map[string]bool{}}, rnd: rand.New(rand.NewPCG(seed, 6))}
			r.fixture = newFixture(t)
			provider := dedicated.Owner{Provider: "Up " + r.next(), Reference: "ref-" + r.next()}
			for n := range 4 {
				server := r.add(provider, fmt.Sprint("node-", n))
				kind := []ticket.Kind{ticket.Other, ticket.Reboot, ticket.CancelAtProvider, ticket.ExtraIPs}[n]
				r.ids = append(r.ids, r.opened(t, server, kind))
			}
			for range 120 {
				r.act(t)
				r.look(t)
			}
			r.mails(t)
		})
	}
}

// look reads everything that the client may read.
func (r *leakFixture) look(t *testing.T) {
	ctx := t.Context()
	for _, id := range r.ids {
		v, err := r.View(ctx, r.client, id)
		require.NoError(t, err)
		r.absent(t, "a view", v)
		stored, err := r.store.Ticket(ctx, id)
		require.NoError(t, err)
		refs := []string{}
		for _, u := range stored.Former {
			refs = append(refs, u.Ref)
		}
		if u := stored.Upstream; u != nil {
			refs = append(refs, u.Ref)
		}
		for _, ref := range refs {
			items, _, err := r.Views(ctx, r.client, ticket.Query{Text: ref})
			require.NoError(t, err)
			require.Empty(t, items, "a search for an upstream reference")
		}
	}
	secret := r.list[r.rnd.IntN(len(r.list))]
	for _, q := range []ticket.Query{
		{}, {Text: secret}, {Text: "node " + secret}, {States: []ticket.Status{ticket.Confirmed, ticket.Open}},
		{WaitingOn: dedicated.Reseller}, {Limit: 1},
	} {
		items, next, err := r.Views(ctx, r.client, q)
		require.NoError(t, err)
		r.absent(t, "a list", items)
		cursor, err := decodeCursor(next)
		require.NoError(t, err)
		r.absent(t, "a cursor", cursor)
		if strings.Contains(q.Text, secret) {
			require.Empty(t, items, "a search for %s", secret)
		}
	}
	for _, q := range []ticket.Query{{Assignee: uuid.New()}, {MinPriority: 1}, {UrgentBy: r.clock.Now()}, {Sort: "urgency"}} {
		_, _, err := r.Views(ctx, r.client, q)
		require.ErrorIs(t, err, ticket.ErrForbidden)
	}
	_, err := r.Counts(ctx, r.client, ticket.Query{})
	require.ErrorIs(t, err, ticket.ErrForbidden)
	items, next, err := r.Views(ctx, r.client, ticket.Query{States: []ticket.Status{ticket.Forwarded}})
	require.NoError(t, err)
	require.Empty(t, items, "a client sees a forwarded ticket as confirmed")
	require.Empty(t, next)
}

// mails renders all events. A client's mail contains no secret, and a provider's mail contains nothing of the client.
func (r *leakFixture) mails(t *testing.T) {
	catalog, err := notify.NewCatalog(ticket.Kinds())
	require.NoError(t, err)
	audiences := map[notify.Kind]notify.Audience{}
	for _, spec := range ticket.Kinds() {
		audiences[spec.Kind] = spec.Audience
	}
	seen := map[notify.Audience]int{}
	var got notify.Message
	n := notify.NotifierFunc(func(_ context.Context, m notify.Message) error { got = m; return nil })
	_, events := r.events(t)
	for _, e := range events {
		to := audiences[e.Kind]
		seen[to]++
		require.NoError(t, catalog.Mail("mail", to, n).Handle(t.Context(), e))
		switch to {
		case notify.ToClient:
			r.absent(t, "a client's event", struct {
				notify.Event
				Text string
			}{e, string(e.Data)})
			r.absent(t, "a client's mail", got)
		case notify.ToProvider:
			all := fmt.Sprintf("%s %s %s %s", e.Data, got.Subject, got.Text, got.HTML)
			assert.Equal(t, uuid.Nil, e.ClientID)
			assert.True(t, strings.HasPrefix(got.To.Name, "Up "+mark), got.To.Name)
			for _, own := range []string{r.client.ID.String(), "please", "now", "client's words"} {
				assert.NotContains(t, all, own, "a provider's mail")
			}
		}
	}
	assert.Positive(t, seen[notify.ToClient])
	assert.Positive(t, seen[notify.ToProvider])
}
