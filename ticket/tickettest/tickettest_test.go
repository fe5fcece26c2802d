package tickettest_test

import (
	"testing"

	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
	"github.com/metalkeep/metalkeep/ticket/tickettest"
)

func open(*testing.T) (ticket.Store, notify.Outbox) {
	outbox := &notify.MemoryOutbox{}
	return &ticket.MemoryStore{Outbox: outbox}, outbox
}

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	tickettest.TestStore(t, open)
}
