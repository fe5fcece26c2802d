package ticket_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/ticket"
)

// byUrgency returns the IDs of the tickets that a query finds, the most urgent first.
func (d *fixture) byUrgency(t *testing.T, q ticket.Query) (ids []uuid.UUID) {
	t.Helper()
	items, _, err := d.Tickets(t.Context(), d.reseller, q)
	require.NoError(t, err)
	for _, one := range items {
		ids = append(ids, one.ID)
	}
	return ids
}

// TestWaitingForTheClient: nine days of waiting for the client's details do not make a ticket urgent. The answer goes on from where
// the question stopped.
func TestWaitingForTheClient(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	asked := d.opened(t, d.own, ticket.Other)
	d.clock.Add(2 * 24 * time.Hour)
	require.NoError(t, errorOf(d.AskDetails(ctx, d.reseller, asked, say("which one?"))))
	d.clock.Add(6 * 24 * time.Hour)
	fresh := d.opened(t, d.own, ticket.Other)
	lowest := d.opened(t, d.own, ticket.Other)
	require.NoError(t, errorOf(d.SetPriority(ctx, d.reseller, lowest, ticket.LowestPriority)))
	assert.Equal(t, []uuid.UUID{fresh, lowest, asked}, d.byUrgency(t, ticket.Query{}))
	assert.Equal(t, 60, d.get(t, asked).Priority, "50 and two days at 5")
	assert.Equal(t, []uuid.UUID{fresh}, d.byUrgency(t, ticket.Query{MinPriority: 50}), "it does not wait for the reseller")
	assert.Equal(t, []uuid.UUID{fresh, lowest, asked}, d.byUrgency(t, ticket.Query{MinPriority: 1}))

	require.NoError(t, errorOf(d.Comment(ctx, d.client, asked, say("that one"))))
	assert.Equal(t, 60, d.get(t, asked).Priority)
	assert.Equal(t, []uuid.UUID{asked, fresh, lowest}, d.byUrgency(t, ticket.Query{}))
	assert.Equal(t, []uuid.UUID{asked, fresh}, d.byUrgency(t, ticket.Query{MinPriority: 50}))
	d.clock.Add(24 * time.Hour)
	assert.Equal(t, 65, d.get(t, asked).Priority)
}

// TestPauses: the priority rises in each status only while the reseller is waited for.
func TestPauses(t *testing.T) {
	t.Parallel()
	note := func(move string) func(*testing.T, *fixture, uuid.UUID) {
		return func(t *testing.T, d *fixture, id uuid.UUID) {
			require.NoError(t, d.moves()[move](t.Context(), d.reseller, id, say("words")))
		}
	}
	write := func(t *testing.T, d *fixture, id uuid.UUID) {
		require.NoError(t, errorOf(d.Comment(t.Context(), d.client, id, say("words"))))
	}
	answer := func(t *testing.T, d *fixture, id uuid.UUID) {
		require.NoError(t, errorOf(d.ProviderReplied(t.Context(), d.reseller, d.get(t, id).Upstream.Ref, ticket.Note{Text: "pressed"})))
	}
	dismiss := func(t *testing.T, d *fixture, id uuid.UUID) {
		require.NoError(t, errorOf(d.Dismiss(t.Context(), d.reseller, id, d.newestOfClient(t.Context(), id))))
	}
	late := func(t *testing.T, d *fixture, id uuid.UUID) {
		d.clock.Add(30 * 24 * time.Hour)
		d.ticked(t)
		require.Equal(t, ticket.Closed, d.get(t, id).Status)
	}
	d := newFixture(t)
	id := d.opened(t, d.rented, ticket.Other)
	d.clock.Add(24 * time.Hour)
	for _, tt := range []struct {
		name  string
		step  func(*testing.T, *fixture, uuid.UUID)
		after int // the priority a day after the step
	}{
		{"confirmed", note("Confirm"), 60},
		{"forwarded", note("Forward"), 60},
		{"the provider answers", answer, 65},
		{"forwarded again", note("Forward"), 65},
		{"details", note("AskDetails"), 65},
		{"the client answers", write, 70},
		{"confirmed again", note("Confirm"), 75},
		{"done", note("Complete"), 75},
		{"thanks", write, 80},
		{"dismissed", dismiss, 80},
		{"closed by itself", late, 80},
		{"the client comments", write, 85},
		{"rejected", note("Reject"), 85},
		{"reopened", note("Reopen"), 55},
		{"closed", note("Close"), 55},
	} {
		tt.step(t, d, id)
		d.clock.Add(24 * time.Hour)
		assert.Equal(t, tt.after, d.get(t, id).Priority, tt.name)
	}
}

// TestPriorityDuringAPause: a priority that is set while the reseller is not waited for is where it goes on from.
func TestPriorityDuringAPause(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	d.clock.Add(24 * time.Hour)
	require.NoError(t, errorOf(d.AskDetails(ctx, d.reseller, id, say("which one?"))))
	d.clock.Add(24 * time.Hour)
	got, err := d.SetPriority(ctx, d.reseller, id, 30)
	require.NoError(t, err)
	assert.Equal(t, 30, got.Priority)
	d.clock.Add(24 * time.Hour)
	assert.Equal(t, 30, d.get(t, id).Priority)
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("that one"))))
	d.clock.Add(24 * time.Hour)
	assert.Equal(t, 35, d.get(t, id).Priority)
}

// TestOverdueKeepsItsPlace: what has waited longest is first among the most urgent, also after a question to the client.
func TestOverdueKeepsItsPlace(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t, func(c *ticket.Config) { c.FirstResponse = -1 }), t.Context()
	first := d.opened(t, d.own, ticket.Other)
	d.clock.Add(time.Hour)
	second := d.opened(t, d.own, ticket.Other)
	d.clock.Add(400 * 24 * time.Hour)
	require.NoError(t, errorOf(d.AskDetails(ctx, d.reseller, first, say("still?"))))
	assert.Equal(t, []uuid.UUID{second, first}, d.byUrgency(t, ticket.Query{}))
	d.clock.Add(30 * time.Minute)
	require.NoError(t, errorOf(d.Comment(ctx, d.client, first, say("yes"))))
	assert.Equal(t, []uuid.UUID{first, second}, d.byUrgency(t, ticket.Query{}))
	assert.Equal(t, 99, d.get(t, first).Priority)
}

// TestPauseWithoutAging: a rest of centuries is kept to the microsecond.
func TestPauseWithoutAging(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t, func(c *ticket.Config) { c.AgingPerDay = -1 }), t.Context()
	d.clock.Set(time.Date(2028, 2, 29, 23, 59, 59, 999999000, time.UTC))
	id := d.opened(t, d.own, ticket.Other)
	require.NoError(t, errorOf(d.SetPriority(ctx, d.reseller, id, 1)))
	before := d.get(t, id).UrgentAt
	require.NoError(t, errorOf(d.AskDetails(ctx, d.reseller, id, say("which one?"))))
	paused := d.get(t, id).UrgentAt
	assert.Equal(t, before.Year()+2000, paused.Year())
	assert.Less(t, paused.Year(), 9999)
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("that one"))))
	assert.Equal(t, before, d.get(t, id).UrgentAt)
}

// TestLastAt: it is the last change by a person, or the closing. Reminders and checks leave it as it is.
func TestLastAt(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Other)
	assert.Equal(t, start, d.get(t, id).LastAt)
	d.clock.Add(ticket.DefaultFirstResponse)
	d.ticked(t)
	assert.NotZero(t, d.get(t, id).Reminded)
	assert.Equal(t, start, d.get(t, id).LastAt)
	for name, change := range map[string]func() error{
		"Comment":     func() error { return errorOf(d.Comment(ctx, d.client, id, say("hello?"))) },
		"SetPriority": func() error { return errorOf(d.SetPriority(ctx, d.reseller, id, 70)) },
		"Assign":      func() error { return errorOf(d.Assign(ctx, d.reseller, id, uuid.New())) },
		"Forward":     func() error { return errorOf(d.Forward(ctx, d.reseller, id, say("press it"))) },
	} {
		d.clock.Add(time.Hour)
		require.NoError(t, change())
		assert.Equal(t, d.clock.Now(), d.get(t, id).LastAt, name)
	}
	d.bring(t, id, ticket.Rejected)
	d.clock.Add(ticket.DefaultAutoClose)
	d.ticked(t)
	assert.Equal(t, d.clock.Now(), d.get(t, id).LastAt, "it closed by itself")
}
