package notifytest_test

import (
	"testing"

	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/notify/notifytest"
)

func TestMemoryOutbox(t *testing.T) {
	t.Parallel()
	notifytest.TestOutbox(t, func(*testing.T) (notify.Outbox, func(...notify.Event)) {
		var o notify.MemoryOutbox
		return &o, o.Append
	})
}
