package cancellationtest_test

import (
	"testing"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/cancellation/cancellationtest"
	"github.com/metalkeep/metalkeep/notify"
)

func open(*testing.T) (cancellation.Store, notify.Outbox) {
	outbox := &notify.MemoryOutbox{}
	return &cancellation.MemoryStore{Outbox: outbox}, outbox
}

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	cancellationtest.TestStore(t, open)
}
