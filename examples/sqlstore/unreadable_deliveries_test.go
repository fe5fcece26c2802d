package sqlstore_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
	"github.com/metalkeep/metalkeep/notify"
)

// TestUnreadableDeliveries spoils the first event of a subject. The second event of the subject waits, and another subject goes on.
func TestUnreadableDeliveries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, reason     string
		sqlite, postgres []string // the statements that spoil the event $ID; nil: the database refuses every wrong value
		repair           []string // the statements that repair it
	}{
		{
			"data", "data", []string{"UPDATE events SET data = '{' WHERE id = '$ID'"}, nil,
			[]string{"UPDATE events SET data = '{}' WHERE id = '$ID'"},
		},
		{
			"client", "client_id", []string{"UPDATE events SET client_id = 'nobody' WHERE id = '$ID'"}, nil,
			[]string{"UPDATE events SET client_id = NULL WHERE id = '$ID'"},
		},
		{
			"kind", "kind", nil, []string{"ALTER TABLE events ALTER kind DROP NOT NULL", "UPDATE events SET kind = NULL WHERE id = '$ID'"},
			[]string{"UPDATE events SET kind = 'a.b' WHERE id = '$ID'"},
		},
		{
			"a missing event", "the event is missing",
			[]string{"PRAGMA foreign_keys = OFF", "CREATE TABLE kept AS SELECT * FROM events WHERE id = '$ID'", "DELETE FROM events WHERE id = '$ID'"},
			nil,
			[]string{"INSERT INTO events SELECT * FROM kept"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
				dsn := fresh(t)
				spoil := c.postgres
				if isSQLite(dsn) {
					spoil = c.sqlite
				}
				if spoil != nil {
					testUnreadableDelivery(t, dsn, c.reason, spoil, c.repair)
				}
			})
		})
	}
}

func testUnreadableDelivery(t *testing.T, dsn, reason string, spoil, repair []string) {
	ctx, db := t.Context(), open(t, dsn)
	var events []notify.Event
	subject, reseller := uuid.New(), uuid.New()
	for n, s := range []uuid.UUID{subject, subject, uuid.New()} {
		events = append(events, notify.Event{
			ID: uuid.New(), Kind: "a.b", At: day(n), ResellerID: reseller, SubjectID: s, Data: []byte(`{}`),
		})
	}
	require.NoError(t, db.Outbox().Register(ctx, "mail", nil))
	require.NoError(t, db.Outbox().Register(ctx, "other", nil))
	require.NoError(t, db.Servers().Commit(ctx, dedicated.Change{Events: events}))
	to := raw(t, dsn)
	to.SetMaxOpenConns(1) // the settings of the spoiling connection
	run := func(statements []string) {
		for _, s := range statements {
			executeAll(t, to, string(bytes.ReplaceAll([]byte(s), []byte("$ID"), []byte(events[0].ID.String()))))
		}
	}
	run(spoil)

	now := day(10)
	claim := func(subscriber string, wait time.Duration) ([]notify.Delivery, []notify.Unreadable) {
		t.Helper()
		now = now.Add(wait)
		due, err := db.Outbox().ClaimDue(ctx, subscriber, now, now.Add(time.Minute), 10)
		require.NoError(t, err)
		require.Zero(t, due.Next)
		return due.Deliveries, due.Unreadable
	}
	for _, subscriber := range []string{"mail", "other"} {
		claimed, named := claim(subscriber, 0)
		require.Len(t, claimed, 1, "the other subject goes on, and the second event of the subject waits")
		assert.Equal(t, events[2].ID, claimed[0].Event.ID)
		require.Len(t, named, 1)
		assert.Equal(t, events[0].ID, named[0].ID)
		assert.Contains(t, named[0].Reason, reason)
		assert.Contains(t, named[0].Reason, subscriber)
		claimed[0].Delivered = true
		require.NoError(t, db.Outbox().Settle(ctx, claimed...))
	}
	_, named := claim("mail", time.Minute-time.Microsecond)
	require.Empty(t, named)
	claimed, named := claim("mail", time.Microsecond)
	require.Empty(t, claimed)
	require.Len(t, named, 1)

	var listed []uuid.UUID
	for after, pages := "", 0; pages == 0 || after != ""; pages++ {
		require.Less(t, pages, 8, "the list ends")
		items, next, err := db.Outbox().Deliveries(ctx, notify.DeliveryQuery{Subscriber: "mail", Limit: 1, After: after})
		require.NoError(t, err)
		for _, d := range items {
			listed = append(listed, d.Event.ID)
		}
		after = next
	}
	assert.Equal(t, []uuid.UUID{events[1].ID, events[2].ID}, listed)

	run(repair)
	for _, want := range events[:2] {
		claimed, named := claim("mail", 2*time.Minute)
		require.Empty(t, named)
		require.Len(t, claimed, 1)
		assert.Equal(t, want.ID, claimed[0].Event.ID)
		claimed[0].Delivered = true
		require.NoError(t, db.Outbox().Settle(ctx, claimed...))
	}
}

// TestUnreadableEventBesideDispatcher: a Dispatcher delivers everything but the event that cannot be read, and Tick reports that one.
func TestUnreadableEventBesideDispatcher(t *testing.T) {
	t.Parallel()
	dsn := freshSQLite(t)
	var logged bytes.Buffer
	db, err := sqlstore.OpenWith(t.Context(), dsn, sqlstore.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	handled := make(chan uuid.UUID, 200)
	d, err := notify.New(notify.Config{Outbox: db.Outbox()}, notify.Subscriber{Name: "mail", Handle: func(_ context.Context, e notify.Event) error {
		handled <- e.ID
		return nil
	}})
	require.NoError(t, err)
	var events []notify.Event
	for n := range 200 {
		events = append(events, notify.Event{ID: uuid.New(), Kind: "a.b", At: day(n - 1000), SubjectID: uuid.New(), Data: []byte(`{}`)})
	}
	require.NoError(t, db.Servers().Commit(t.Context(), dedicated.Change{Events: events}))
	// More than one batch.
	executeAll(t, raw(t, dsn), fmt.Sprintf("UPDATE events SET data = '{' WHERE at < %d", day(150-1000).UnixMicro()))
	_, err = d.Tick(t.Context())
	require.ErrorIs(t, err, notify.ErrHost)
	for _, e := range events[:150] {
		assert.Contains(t, err.Error(), e.ID.String())
		assert.Contains(t, logged.String(), e.ID.String())
	}
	assert.Len(t, handled, 50)
}
