package ticket_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

func TestThread(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	files := []ticket.Attachment{{Name: "log.txt", MediaType: "text/plain", Key: "f/7", Bytes: 12}}
	d.clock.Add(time.Minute)
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, ticket.Note{Attachments: files})))
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, ticket.Note{Text: "hm", Internal: true})))
	renamed := d.servers[d.own]
	renamed.Name = "web-08"
	d.servers[d.own] = renamed
	v, err := d.View(ctx, d.client, id)
	require.NoError(t, err)
	assert.Equal(t, "web-07", v.ServerName, "the name when the ticket was opened")
	assert.Equal(t, d.own, v.ServerID)
	require.Len(t, v.Thread, 2)
	assert.Equal(t, d.client, v.Thread[0].By)
	said := v.Thread[1]
	assert.Equal(t, dedicated.Actor{Role: dedicated.Reseller, ResellerID: d.reseller.ResellerID}, said.By, "the role, not the person")
	assert.Equal(t, d.clock.Now(), said.At)
	assert.Equal(t, files, said.Attachments)
	assert.Empty(t, said.Op)

	got := d.get(t, id)
	require.Len(t, got.Thread, 3)
	assert.Equal(t, d.reseller, got.Thread[1].By)
	assert.Equal(t, ticket.OpComment, got.Thread[1].Op)
	assert.Regexp(t, `^T-[2-9A-HJKMNP-TV-Z]{6}$`, got.Ref)
	assert.Equal(t, got.Ref, v.Ref)
}

func TestRepeatedNotes(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Other)
	n := ticket.Note{ID: uuid.New(), Text: "yes"}
	require.NoError(t, errorOf(d.Confirm(ctx, d.reseller, id, n)))
	before := d.get(t, id)
	require.NoError(t, errorOf(d.Confirm(ctx, d.reseller, id, n)), "a repeat is not a second confirmation")
	assert.Equal(t, before, d.get(t, id))
	for name, call := range map[string]func() error{
		"another text":   func() error { return errorOf(d.Confirm(ctx, d.reseller, id, ticket.Note{ID: n.ID, Text: "no"})) },
		"another method": func() error { return errorOf(d.Comment(ctx, d.reseller, id, n)) },
		"another author": func() error { return errorOf(d.Comment(ctx, d.client, id, n)) },
		"internal": func() error {
			return errorOf(d.Comment(ctx, d.reseller, id, ticket.Note{ID: n.ID, Text: "yes", Internal: true}))
		},
		"another file": func() error {
			return errorOf(d.Confirm(ctx, d.reseller, id, ticket.Note{ID: n.ID, Text: "yes", Attachments: []ticket.Attachment{{Name: "a", Key: "b"}}}))
		},
	} {
		require.ErrorIs(t, call(), ticket.ErrConflict, name)
	}

	n = ticket.Note{ID: uuid.New(), Text: "mine"}
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, n)))
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, n)))
	require.ErrorIs(t, errorOf(d.Comment(ctx, d.reseller, id, n)), ticket.ErrConflict, "a comment of another actor")

	empty := ticket.Note{ID: uuid.New()}
	other := d.opened(t, d.own, ticket.Other)
	for range 2 {
		require.NoError(t, errorOf(d.Close(ctx, d.client, other, empty)), "also a repeat of an empty note")
	}
	require.ErrorIs(t, errorOf(d.Close(ctx, d.client, other, ticket.Note{ID: uuid.New()})), ticket.ErrConflict)
	v, err := d.View(ctx, d.client, other)
	require.NoError(t, err)
	assert.Len(t, v.Thread, 1, "an empty note is not shown")

	n = ticket.Note{ID: uuid.New(), Text: "press it"}
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, n)))
	before = d.get(t, id)
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, n)))
	assert.Equal(t, before, d.get(t, id))
	require.ErrorIs(t, errorOf(d.Forward(ctx, d.reseller, id, ticket.Note{ID: n.ID, Text: "or not"})), ticket.ErrConflict)

	n = ticket.Note{ID: uuid.New(), Text: "pressed \x1b[0m"}
	require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, before.Upstream.Ref, n)))
	before = d.get(t, id)
	assert.Equal(t, "pressed  [0m", before.Upstream.Thread[1].Text, "control characters become spaces")
	require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, before.Upstream.Ref, n)))
	assert.Equal(t, before, d.get(t, id))
}

// TestNotesRefused: the error names everything that is wrong, and has the draft.
func TestNotesRefused(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	file := func(change func(*ticket.Attachment)) []ticket.Attachment {
		f := ticket.Attachment{Name: "a", MediaType: "text/plain", Key: "k"}
		change(&f)
		return []ticket.Attachment{f}
	}
	tests := []struct {
		name  string
		note  ticket.Note
		wrong []string
	}{
		{"nothing", ticket.Note{}, []string{"Text"}},
		{"blank", say(" \n "), []string{"Text"}},
		{"long", say(strings.Repeat("x", ticket.MaxText+1)), []string{"Text"}},
		{"control characters", say("a\x1b[31m"), []string{"Text"}},
		{"internal", ticket.Note{Text: "a", Internal: true}, []string{"Internal"}},
		{"many files", ticket.Note{Text: "a", Attachments: make([]ticket.Attachment, ticket.MaxAttachments+1)}, []string{"Attachments"}},
		{"file without a name", ticket.Note{Text: "a", Attachments: file(func(f *ticket.Attachment) { f.Name = "" })}, []string{"Attachments[0].Name"}},
		{"name that breaks headers", ticket.Note{Text: "a", Attachments: file(func(f *ticket.Attachment) { f.Name = "a\r\nX: b" })}, []string{"Attachments[0].Name"}},
		{"file without a key", ticket.Note{Text: "a", Attachments: file(func(f *ticket.Attachment) { f.Key = "" })}, []string{"Attachments[0].Key"}},
		{"two faults of a file", ticket.Note{Text: "a", Attachments: file(func(f *ticket.Attachment) { f.MediaType, f.Bytes = "a\nb", -1 })}, []string{"Attachments[0].MediaType", "Attachments[0].Bytes"}},
		{"everything", ticket.Note{Text: "\x00", Internal: true, Attachments: file(func(f *ticket.Attachment) { f.Key = "" })}, []string{"Text", "Attachments[0].Key", "Internal"}},
	}
	for _, tt := range tests {
		err := errorOf(d.Confirm(ctx, d.reseller, id, tt.note))
		require.ErrorIs(t, err, ticket.ErrInvalid, tt.name)
		e := refusal(t, err)
		var named []string
		for _, w := range e.Wrong {
			named = append(named, w.Field)
		}
		assert.Equal(t, tt.wrong, named, tt.name)
		assert.Equal(t, tt.note, e.Note, tt.name)
		assert.Equal(t, id, e.TicketID, tt.name)
	}
	assert.Equal(t, ticket.Open, d.get(t, id).Status)
	for _, priority := range []int{-1, 0, 100} {
		require.ErrorIs(t, errorOf(d.SetPriority(ctx, d.reseller, id, priority)), ticket.ErrInvalid)
	}
	for _, status := range []ticket.Status{ticket.Done} {
		d.bring(t, id, status)
		err := errorOf(d.Confirm(ctx, d.reseller, id, say("words")))
		e := refusal(t, err)
		assert.Equal(t, ticket.Done, e.Status)
		assert.Equal(t, []ticket.Status{ticket.Open, ticket.NeedsDetails, ticket.Forwarded}, e.Want)
	}
}

// TestErrorsKeepTheDraft: every error has the draft.
func TestErrorsKeepTheDraft(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	id := d.opened(t, d.own, ticket.Other)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := errorOf(d.Comment(ctx, d.client, id, say("long words")))
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, say("long words"), refusal(t, err).Note)
	_, err = d.Open(ctx, d.client, ticket.Form{ServerID: d.own, Kind: ticket.Other, Text: "long words"})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "long words", refusal(t, err).Form.Text)
	err = errorOf(d.ProviderReplied(t.Context(), d.reseller, "U-2222222222222222", say("long words")))
	require.ErrorIs(t, err, ticket.ErrNotFound)
	assert.Equal(t, say("long words"), refusal(t, err).Note)
}

// TestFullThread: internal comments have a bound of their own, so that they never keep a client from writing.
func TestFullThread(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	stored, err := d.store.Ticket(ctx, id)
	require.NoError(t, err)
	fill := func(internal bool, n int) {
		for range n {
			stored.Thread = append(stored.Thread, ticket.Comment{ID: uuid.New(), Internal: internal, Text: "more"})
		}
	}
	fill(true, ticket.MaxThread)
	fill(false, ticket.MaxThread-2)
	require.NoError(t, d.store.Commit(ctx, ticket.Change{Tickets: []ticket.Ticket{stored}}))
	require.ErrorIs(t, errorOf(d.Comment(ctx, d.reseller, id, ticket.Note{Text: "more", Internal: true})), ticket.ErrConflict)
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("the last one"))))
	err = errorOf(d.Comment(ctx, d.client, id, say("too much")))
	require.ErrorIs(t, err, ticket.ErrConflict)
	assert.Equal(t, say("too much"), refusal(t, err).Note)
	require.NoError(t, errorOf(d.Close(ctx, d.reseller, id, ticket.Note{})), "it can still be closed")
}

// TestEmptyNotesTakeNoRoom: a client that closes and reopens again and again does not fill the thread.
func TestEmptyNotesTakeNoRoom(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	for range ticket.MaxThread/2 + 5 {
		require.NoError(t, errorOf(d.Close(ctx, d.client, id, ticket.Note{ID: uuid.New()})))
		require.NoError(t, errorOf(d.Reopen(ctx, d.client, id, ticket.Note{ID: uuid.New()})))
	}
	assert.Len(t, d.get(t, id).Thread, 1+ticket.MaxThread, "empty notes have a bound of their own")
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, ticket.Note{Text: "why so often?", Internal: true})))
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, say("stop it"))))
	empty := ticket.Note{ID: uuid.New()}
	for range 2 {
		require.NoError(t, errorOf(d.Close(ctx, d.reseller, id, empty)), "a repeat of the reseller's is still recognised")
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		within time.Duration
		after  time.Duration
		client error
	}{
		"in time":         {0, ticket.DefaultReopenWithin, nil},
		"late":            {0, ticket.DefaultReopenWithin + time.Microsecond, ticket.ErrConflict},
		"never":           {-1, 0, ticket.ErrConflict},
		"the host's rule": {time.Hour, 2 * time.Hour, ticket.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFixture(t, func(c *ticket.Config) { c.ReopenWithin = tt.within })
			id := d.opened(t, d.own, ticket.Reboot)
			d.bring(t, id, ticket.Closed)
			d.clock.Add(tt.after)
			err := errorOf(d.Comment(t.Context(), d.client, id, say("still broken")))
			require.ErrorIs(t, err, tt.client)
			if tt.client != nil {
				require.ErrorContains(t, err, "open a new one")
				require.ErrorIs(t, errorOf(d.Reopen(t.Context(), d.client, id, ticket.Note{})), tt.client)
				require.NoError(t, errorOf(d.Reopen(t.Context(), d.reseller, id, ticket.Note{})), "the reseller may always reopen")
			}
			assert.Equal(t, ticket.Open, d.get(t, id).Status)
		})
	}
}

func TestPriority(t *testing.T) {
	t.Parallel()
	d := newFixture(t, func(c *ticket.Config) { c.AgingPerDay = 10 })
	ctx := t.Context()
	id := d.opened(t, d.own, ticket.Other)
	at := func(after time.Duration) int {
		d.clock.Add(after)
		return d.get(t, id).Priority
	}
	assert.Equal(t, ticket.DefaultPriority, at(0))
	assert.Equal(t, 50, at(144*time.Minute-time.Microsecond))
	assert.Equal(t, 51, at(time.Microsecond))
	assert.Equal(t, 60, at(24*time.Hour-144*time.Minute))
	require.NoError(t, errorOf(d.SetPriority(ctx, d.reseller, id, 20)))
	assert.Equal(t, 20, at(0), "it begins anew")
	assert.Equal(t, 30, at(24*time.Hour))
	second := d.opened(t, d.own, ticket.Other) // 50, and so before the first
	order := func(q ticket.Query) (ids []uuid.UUID) {
		items, _, err := d.Tickets(ctx, d.reseller, q)
		require.NoError(t, err)
		for _, one := range items {
			ids = append(ids, one.ID)
		}
		return ids
	}
	assert.Equal(t, []uuid.UUID{second, id}, order(ticket.Query{}))
	assert.Equal(t, []uuid.UUID{id, second}, order(ticket.Query{Sort: "age"}))
	assert.Equal(t, []uuid.UUID{second}, order(ticket.Query{MinPriority: 31}))
	assert.Equal(t, []uuid.UUID{second, id}, order(ticket.Query{MinPriority: 30}))
	assert.Equal(t, 99, at(100*24*time.Hour))
	assert.Equal(t, []uuid.UUID{second, id}, order(ticket.Query{MinPriority: 99}))
}

func TestPriorityThatDoesNotRise(t *testing.T) {
	t.Parallel()
	d := newFixture(t, func(c *ticket.Config) { c.AgingPerDay = -1 })
	low := d.opened(t, d.own, ticket.Other)
	require.NoError(t, errorOf(d.SetPriority(t.Context(), d.reseller, low, 1)))
	d.clock.Add(365 * 24 * time.Hour)
	high := d.opened(t, d.own, ticket.Other)
	assert.Equal(t, 1, d.get(t, low).Priority)
	items, _, err := d.Tickets(t.Context(), d.reseller, ticket.Query{})
	require.NoError(t, err)
	assert.Equal(t, high, items[0].ID)
	assert.Less(t, items[1].UrgentAt.Year(), 9999)
}

func TestAssign(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id, who := d.opened(t, d.own, ticket.Other), uuid.New()
	d.events(t)
	require.NoError(t, errorOf(d.Assign(ctx, d.reseller, id, who)))
	got := d.get(t, id)
	assert.Equal(t, who, got.Assignee)
	require.NoError(t, errorOf(d.Assign(ctx, d.reseller, id, who)))
	assert.Equal(t, got.Version, d.get(t, id).Version, "nothing is written")
	require.NoError(t, errorOf(d.Assign(ctx, d.reseller, id, uuid.Nil)))
	assert.Equal(t, uuid.Nil, d.get(t, id).Assignee)
	kinds, _ := d.events(t)
	assert.Empty(t, kinds)
}

func TestQueriesRefused(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	for field, q := range map[string]ticket.Query{
		"Text":        {Text: strings.Repeat("x", ticket.MaxSearch+1)},
		"MinPriority": {MinPriority: 100},
		"Kinds":       {Kinds: []ticket.Kind{ticket.Reboot, "a\x00"}},
		"States":      {States: []ticket.Status{"unknown"}},
		"WaitingOn":   {WaitingOn: dedicated.System},
		"Sort":        {Sort: "beauty"},
		"Limit":       {Limit: -1},
	} {
		_, _, err := d.Tickets(t.Context(), d.reseller, q)
		require.ErrorIs(t, err, ticket.ErrInvalid, field)
		assert.Equal(t, field, refusal(t, err).Field)
		_, err = d.Counts(t.Context(), d.reseller, q)
		require.ErrorIs(t, err, ticket.ErrInvalid, field)
		_, _, err = d.Views(t.Context(), d.client, q)
		require.ErrorIs(t, err, ticket.ErrInvalid, field)
	}
	for _, q := range []ticket.Query{{After: "nonsense"}, {Text: "a\xff"}, {Text: "a\x00"}} {
		_, _, err := d.Tickets(t.Context(), d.reseller, q)
		require.ErrorIs(t, err, ticket.ErrInvalid)
	}
}

// TestUnknownKind: a stored ticket of a kind that is no longer registered is shown and can be handled.
func TestUnknownKind(t *testing.T) {
	t.Parallel()
	d := newFixture(t, func(c *ticket.Config) {
		c.Kinds = []ticket.KindSpec{{Kind: "polish", Label: "Polish it", Unique: true}}
	})
	id := d.opened(t, d.rented, "polish")
	m, err := ticket.New(ticket.Config{Store: d.store, Servers: d.servers, Clock: d.clock})
	require.NoError(t, err)
	v, err := m.View(t.Context(), d.client, id)
	require.NoError(t, err)
	assert.Equal(t, ticket.Kind("polish"), v.Kind)
	require.NoError(t, errorOf(m.Forward(t.Context(), d.reseller, id, ticket.Note{})))
	assert.Contains(t, d.get(t, id).Upstream.Thread[0].Text, "Request: polish")
	require.NoError(t, errorOf(m.Complete(t.Context(), d.reseller, id, ticket.Note{})))
}
