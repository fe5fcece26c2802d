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

// office is a Directory that lists people for copies.
type office struct {
	people
	list func(reseller uuid.UUID, to notify.Audience, group string) ([]notify.Person, error)
}

func (o office) Copies(_ context.Context, reseller uuid.UUID, to notify.Audience, group string) ([]notify.Person, error) {
	return o.list(reseller, to, group)
}

// mailbox keeps messages by their address, but for the addresses that it refuses.
type mailbox struct {
	mu      sync.Mutex
	got     map[string][]notify.Message
	refuses map[string]error
}

func (b *mailbox) Notify(_ context.Context, m notify.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refuses[m.Person.Address]; err != nil {
		return err
	}
	if b.got == nil {
		b.got = map[string][]notify.Message{}
	}
	b.got[m.Person.Address] = append(b.got[m.Person.Address], m)
	return nil
}

// latePayload is of an evening in Europe, which is the next day in Tokyo.
func latePayload() payload {
	p := sample()
	p.At = "2026-03-01T20:30:00Z"
	return p
}

// TestCopies: each in their own language and zone, and none waits for another.
func TestCopies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var post mailbox
		mine, other := warned(t, latePayload()), warned(t, latePayload())
		box, c := &notify.MemoryOutbox{}, newCatalog(t)
		c.Directory = office{reads("en"), func(reseller uuid.UUID, to notify.Audience, group string) ([]notify.Person, error) {
			if reseller != mine.ResellerID || to != notify.ToClient || group != "tests" {
				return nil, nil
			}
			return []notify.Person{
				{Address: "first@example.com", Locale: "de", Zone: "America/New_York"},
				{Address: "full@example.com"},
				{Address: "third@example.com", Locale: "en", Zone: "Asia/Tokyo"},
			}, nil
		}}
		post.refuses = map[string]error{"full@example.com": errors.New("452 mailbox full")}
		d := newDispatcher(t, notify.Config{Outbox: box, MaxAttempts: 3},
			append(c.Copies("copy", notify.ToClient, 4, &post), c.Mail("mail", notify.ToClient, &post))...)
		box.Append(mine, other)
		drain(t, d)

		require.Len(t, post.got["first@example.com"], 1)
		require.Len(t, post.got["third@example.com"], 1)
		assert.Len(t, post.got["ada@example.com"], 2)
		first, third := post.got["first@example.com"][0], post.got["third@example.com"][0]
		assert.Equal(t, "Am 2026-03-01", first.Text)
		assert.Equal(t, "On 2026-03-02: n", third.Text)
		assert.Equal(t, notify.Recipient{Audience: notify.ToReseller, ID: mine.ResellerID}, first.To)
		assert.NotEqual(t, first.ID, third.ID)
		assert.Equal(t, notify.MessageID(mine.ID, "copy 1"), first.ID)
		dead := deliveries(t, box, notify.DeliveryQuery{Dead: true})
		require.Len(t, dead, 1)
		assert.Equal(t, "copy 2", dead[0].Subscriber)
		assert.Equal(t, "452 mailbox full", dead[0].LastError)
	})
}

func TestCopiesThatFail(t *testing.T) {
	t.Parallel()
	list := func(n int, err error) notify.Directory {
		return office{reads("en"), func(uuid.UUID, notify.Audience, string) ([]notify.Person, error) {
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
		"more than asked for": {list(3, nil), "test.warned", "3 people are listed for copies of test.warned, copies for 2", true, 2},
		"list is down":        {list(0, errors.New("connection refused")), "test.warned", "connection refused", false, 0},
		"no kind":             {list(2, nil), "test.other", "the catalog does not have it", true, 0},
		"no list":             {reads("en"), "test.warned", "", false, 0},
		"nobody":              {list(0, nil), "test.warned", "", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var post mailbox
			c := newCatalog(t)
			c.Directory = tt.directory
			e := warned(t, sample())
			e.Kind = tt.kind
			var last error
			for _, s := range c.Copies("copy", notify.ToClient, 2, &post) {
				last = s.Handle(t.Context(), e)
			}
			if tt.says == "" {
				require.NoError(t, last)
			} else {
				require.ErrorContains(t, last, tt.says)
				assert.Equal(t, tt.dead, isDead(t, last))
			}
			assert.Len(t, post.got[""], tt.sent)
		})
	}
	var post mailbox
	c := newCatalog(t)
	c.Directory = list(1, nil)
	e := warned(t, sample())
	e.Data = []byte("null")
	require.ErrorContains(t, c.Copies("copy", notify.ToClient, 1, &post)[0].Handle(t.Context(), e), "payload is null")
	assert.Nil(t, c.Copies("copy", notify.ToHost, 1, &post)[0].Handle)
	assert.Empty(t, c.Copies("copy", notify.ToClient, 0, &post))
}

// TestUnknownRecipientIsADeadLetter that says so, and can be sent again once the host knows the recipient.
func TestUnknownRecipientIsADeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var post mailbox
		known := false
		box, c := &notify.MemoryOutbox{}, newCatalog(t)
		c.Directory = people(func(reseller uuid.UUID, to notify.Recipient) (notify.Person, error) {
			if !known {
				return notify.Person{}, notify.ErrNotFound
			}
			return reads("de")(reseller, to)
		})
		d := newDispatcher(t, notify.Config{Outbox: box}, c.Mail("mail", notify.ToClient, &post))
		e := warned(t, sample())
		box.Append(e)
		drain(t, d)
		dead := deliveries(t, box, notify.DeliveryQuery{Dead: true})
		require.Len(t, dead, 1)
		assert.Equal(t, "looking up client "+e.ClientID.String()+": not found", dead[0].LastError)
		assert.Equal(t, 1, dead[0].Attempts)
		known = true
		require.NoError(t, d.Resend(t.Context(), "mail", e.ID))
		drain(t, d)
		assert.Len(t, post.got["ada@example.com"], 1)
	})
}
