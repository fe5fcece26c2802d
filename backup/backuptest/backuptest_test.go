package backuptest_test

import (
	"testing"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/backup/backuptest"
	"github.com/metalkeep/metalkeep/notify"
)

func open(*testing.T) (backup.Store, notify.Outbox) {
	outbox := &notify.MemoryOutbox{}
	return &backup.MemoryStore{Outbox: outbox}, outbox
}

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	backuptest.TestStore(t, open)
}
