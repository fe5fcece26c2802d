package sqlstore_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/backup/backuptest"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/cancellation/cancellationtest"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/dedicated/dedicatedtest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/notify/notifytest"
	"github.com/metalkeep/metalkeep/ticket"
	"github.com/metalkeep/metalkeep/ticket/tickettest"
)

func TestServers(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		next := reused(fresh)
		dedicatedtest.TestStore(t, func(t *testing.T) (dedicated.Store, notify.Outbox) {
			db := next(t)
			return db.Servers(), db.Outbox()
		})
	})
}

func TestBackups(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		next := reused(fresh)
		backuptest.TestStore(t, func(t *testing.T) (backup.Store, notify.Outbox) {
			db := next(t)
			return db.Backups(), db.Outbox()
		})
	})
}

func TestTickets(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		next := reused(fresh)
		tickettest.TestStore(t, func(t *testing.T) (ticket.Store, notify.Outbox) {
			db := next(t)
			return db.Tickets(), db.Outbox()
		})
	})
}

func TestCancellations(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		next := reused(fresh)
		cancellationtest.TestStore(t, func(t *testing.T) (cancellation.Store, notify.Outbox) {
			db := next(t)
			return db.Cancellations(), db.Outbox()
		})
	})
}

// TestOutbox adds the events by the Commit of a store, because that is the only way.
func TestOutbox(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		next := reused(fresh)
		notifytest.TestOutbox(t, func(t *testing.T) (notify.Outbox, func(...notify.Event)) {
			db := next(t)
			return db.Outbox(), func(events ...notify.Event) {
				assert.NoError(t, db.Servers().Commit(context.Background(), dedicated.Change{Events: events}))
			}
		})
	})
}

func TestMailTexts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		next := reused(fresh)
		notifytest.TestTexts(t, func(t *testing.T) notify.Texts { return next(t).Texts() })
	})
}
