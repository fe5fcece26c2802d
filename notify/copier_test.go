package notify_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// copyDirectory is a Directory and a Copier.
type copyDirectory struct {
	directoryFunc
	list func(reseller uuid.UUID, to notify.Audience, group string) ([]notify.Person, error)
}

func (d copyDirectory) Copies(_ context.Context, reseller uuid.UUID, to notify.Audience, group string) ([]notify.Person, error) {
	return d.list(reseller, to, group)
}

// recordingNotifier records messages by their address. It refuses the addresses in refuses.
type recordingNotifier struct {
	mu      sync.Mutex
	got     map[string][]notify.Message
	refuses map[string]error
}

func (n *recordingNotifier) Notify(_ context.Context, m notify.Message) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.refuses[m.Person.Address]; err != nil {
		return err
	}
	if n.got == nil {
		n.got = map[string][]notify.Message{}
	}
	n.got[m.Person.Address] = append(n.got[m.Person.Address], m)
	return nil
}

// latePayload has a time that is the next day in Tokyo.
func latePayload() payload {
	p := sample()
	p.At = "2026-03-01T20:30:00Z"
	return p
}

// TestCopies: each person gets a copy in their language and time zone, and no copy waits for another.
func TestCopies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var notifier recordingNotifier
		mine, other := warned(t, latePayload()), warned(t, latePayload())
		outbox, c := &notify.MemoryOutbox{}, newCatalog(t)
		c.Directory = copyDirectory{directoryIn("en"), func(reseller uuid.UUID, to notify.Audience, group string) ([]notify.Person, error) {
			if reseller != mine.ResellerID || to != notify.ToClient || group != "tests" {
				return nil, nil
			}
			return []notify.Person{
				{Address: "first@example.com", Locale: "de", Zone: "America/New_York"},
				{Address: "full@example.com"},
				{Address: "third@example.com", Locale: "en", Zone: "Asia/Tokyo"},
			}, nil
		}}
		notifier.refuses = map[string]error{"full@example.com": errors.New("452 mailbox full")}
		d := newDispatcher(t, notify.Config{Outbox: outbox, MaxAttempts: 3},
			append(c.Copies("copy", notify.ToClient, 4, &notifier), c.Mail("mail", notify.ToClient, &notifier))...)
		outbox.Append(mine, other)
		drain(t, d)

		require.Len(t, notifier.got["first@example.com"], 1)
		require.Len(t, notifier.got["third@example.com"], 1)
		assert.Len(t, notifier.got["ada@example.com"], 2)
		first, third := notifier.got["first@example.com"][0], notifier.got["third@example.com"][0]
		assert.Equal(t, "Am 2026-03-01", first.Text)
		assert.Equal(t, "On 2026-03-02: n", third.Text)
		assert.Equal(t, notify.Recipient{Audience: notify.ToReseller, ID: mine.ResellerID}, first.To)
		assert.NotEqual(t, first.ID, third.ID)
		assert.Equal(t, notify.MessageID(mine.ID, "copy 1"), first.ID)
		dead := deliveries(t, outbox, notify.DeliveryQuery{Dead: true})
		require.Len(t, dead, 1)
		assert.Equal(t, "copy 2", dead[0].Subscriber)
		assert.Equal(t, "452 mailbox full", dead[0].LastError)
	})
}

func TestCopiesThatFail(t *testing.T) {
	t.Parallel()
	list := func(n int, err error) notify.Directory {
		return copyDirectory{directoryIn("en"), func(uuid.UUID, notify.Audience, string) ([]notify.Person, error) {
			return make([]notify.Person, n), err
		}}
	}
	for name, tt := range map[string]struct {
		directory notify.Directory
		kind      notify.Kind
		says      string
		dead      bool
		sent      int
	}{
		"list longer than most": {list(3, nil), "test.warned", "3 people should receive copies of test.warned, but Catalog.Copies was called for only 2", true, 2},
		"Copier fails":          {list(0, errors.New("connection refused")), "test.warned", "connection refused", false, 0},
		"no kind":               {list(2, nil), "test.other", "the catalog does not have it", true, 0},
		"not a Copier":          {directoryIn("en"), "test.warned", "", false, 0},
		"nobody":                {list(0, nil), "test.warned", "", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var notifier recordingNotifier
			c := newCatalog(t)
			c.Directory = tt.directory
			e := warned(t, sample())
			e.Kind = tt.kind
			var last error
			for _, s := range c.Copies("copy", notify.ToClient, 2, &notifier) {
				last = s.Handle(t.Context(), e)
			}
			if tt.says == "" {
				require.NoError(t, last)
			} else {
				require.ErrorContains(t, last, tt.says)
				assert.Equal(t, tt.dead, isDead(t, last))
			}
			assert.Len(t, notifier.got[""], tt.sent)
		})
	}
	var notifier recordingNotifier
	c := newCatalog(t)
	c.Directory = list(1, nil)
	e := warned(t, sample())
	e.Data = []byte("null")
	require.ErrorContains(t, c.Copies("copy", notify.ToClient, 1, &notifier)[0].Handle(t.Context(), e), "payload is null")
	assert.Nil(t, c.Copies("copy", notify.ToHost, 1, &notifier)[0].Handle)
	assert.Empty(t, c.Copies("copy", notify.ToClient, 0, &notifier))
}

// TestUnknownRecipientIsADeadLetter: its error says so. It can be sent again when the host knows the recipient.
func TestUnknownRecipientIsADeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var notifier recordingNotifier
		known := false
		outbox, c := &notify.MemoryOutbox{}, newCatalog(t)
		c.Directory = directoryFunc(func(reseller uuid.UUID, to notify.Recipient) (notify.Person, error) {
			if !known {
				return notify.Person{}, notify.ErrNotFound
			}
			return directoryIn("de")(reseller, to)
		})
		d := newDispatcher(t, notify.Config{Outbox: outbox}, c.Mail("mail", notify.ToClient, &notifier))
		e := warned(t, sample())
		outbox.Append(e)
		drain(t, d)
		dead := deliveries(t, outbox, notify.DeliveryQuery{Dead: true})
		require.Len(t, dead, 1)
		assert.Equal(t, "finding client "+e.ClientID.String()+": not found", dead[0].LastError)
		assert.Equal(t, 1, dead[0].Attempts)
		known = true
		require.NoError(t, d.Resend(t.Context(), "mail", e.ID))
		drain(t, d)
		assert.Len(t, notifier.got["ada@example.com"], 1)
	})
}
