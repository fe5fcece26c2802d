package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// directoryFunc is a function that implements notify.Directory.
type directoryFunc func(reseller uuid.UUID, to notify.Recipient) (notify.Person, error)

func (f directoryFunc) Person(_ context.Context, reseller uuid.UUID, to notify.Recipient) (notify.Person, error) {
	return f(reseller, to)
}

// directoryIn returns a Directory in which everybody has the same language.
func directoryIn(locale string) directoryFunc {
	return func(uuid.UUID, notify.Recipient) (notify.Person, error) {
		return notify.Person{Name: "Ada", Address: "ada@example.com", Locale: locale, Zone: "Asia/Tokyo"}, nil
	}
}

// warned makes an event of the kind "test.warned".
func warned(t *testing.T, p payload) notify.Event {
	t.Helper()
	e, err := subject().Event("test.warned", time.Now(), p)
	require.NoError(t, err)
	return e
}

// render makes the message of an event.
func render(t *testing.T, c *notify.Catalog, e notify.Event) (notify.Message, error) {
	t.Helper()
	var got notify.Message
	calls := 0
	s := c.Mail("mail", audienceOf(c, e.Kind), notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
		got = m
		calls++
		return nil
	}))
	err := s.Handle(t.Context(), e)
	require.Equal(t, err == nil, calls == 1, "a message is sent if there is no error")
	return got, err
}

func audienceOf(c *notify.Catalog, k notify.Kind) notify.Audience {
	for _, s := range c.Specs() {
		if s.Kind == k {
			return s.Audience
		}
	}
	return notify.ToClient
}

// isDead reports whether an error of a Handle makes a dead letter.
func isDead(t *testing.T, err error) bool {
	t.Helper()
	outbox := &notify.MemoryOutbox{}
	d := newDispatcher(t, notify.Config{Outbox: outbox},
		notify.Subscriber{Name: "x", Handle: func(context.Context, notify.Event) error { return err }})
	outbox.Append(event())
	tick(t, d)
	return len(deliveries(t, outbox, notify.DeliveryQuery{Dead: true})) == 1
}

func TestMailMakesMessages(t *testing.T) {
	t.Parallel()
	c := newCatalog(t)
	var asked []any
	c.Directory = directoryFunc(func(reseller uuid.UUID, to notify.Recipient) (notify.Person, error) {
		asked = append(asked, reseller, to)
		return directoryIn("de-CH")(reseller, to)
	})
	e := warned(t, sample())
	m, err := render(t, c, e)
	require.NoError(t, err)
	to := notify.Recipient{Audience: notify.ToClient, ID: e.ClientID}
	assert.Equal(t, notify.Message{
		ID: uuid.NewSHA1(e.ID, []byte("mail")), ResellerID: e.ResellerID, Kind: e.Kind, To: to,
		Person: notify.Person{Name: "Ada", Address: "ada@example.com", Locale: "de-CH", Zone: "Asia/Tokyo"},
		Locale: "de", Subject: "web1 endet", Text: "Am 2026-03-01", Data: e.Data,
	}, m)
	assert.Equal(t, []any{e.ResellerID, to}, asked)
	again, err := render(t, c, e)
	require.NoError(t, err)
	assert.Equal(t, m.ID, again.ID)
	assert.Equal(t, m.ID, notify.MessageID(e.ID, "mail"))
	assert.NotEqual(t, m.ID, notify.MessageID(e.ID, "copy"))
}

func TestMailWithoutDirectory(t *testing.T) {
	t.Parallel()
	m, err := render(t, newCatalog(t), warned(t, sample()))
	require.NoError(t, err)
	assert.Zero(t, m.Person)
	assert.Equal(t, "en", m.Locale)
	assert.Equal(t, "web1 ends in 3 days", m.Subject)
	assert.Equal(t, "<p>web1</p>", m.HTML)
}

func TestMailFindsTheText(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		locale, language string
		edited           []string
		want             string // the language of the built-in text, or "own" and that of the own text
	}{
		"built-in":                           {"de", "", nil, "de"},
		"built-in of the region":             {"de-AT", "", nil, "de"},
		"built-in of no language":            {"fr", "", nil, "en"},
		"built-in of the catalog's language": {"fr", "de", nil, "de"},
		"built-in of no language at all":     {"fr", "nl", nil, "en"},
		"no locale":                          {"", "", nil, "en"},
		"not a language tag":                 {"C.UTF-8", "", nil, "en"},
		"own":                                {"de", "", []string{"de", "en"}, "own de"},
		"own of the region":                  {"de_at", "", []string{"de-AT", "de"}, "own de-AT"},
		"own of the language":                {"de-AT", "", []string{"de", "en"}, "own de"},
		"own for a language without one":     {"de", "", []string{"en"}, "own en"},
		"own of the catalog's language":      {"en", "fr", []string{"fr"}, "own fr"},
		"own of another language":            {"en", "", []string{"de"}, "en"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCatalog(t)
			c.Texts, c.Directory, c.Language = &notify.MemoryTexts{}, directoryIn(tt.locale), tt.language
			e := warned(t, sample())
			for _, locale := range tt.edited {
				require.NoError(t, c.Save(t.Context(), notify.Text{
					ResellerID: e.ResellerID, Kind: e.Kind, Locale: locale, Subject: "own " + locale, Text: "own",
				}))
			}
			m, err := render(t, c, e)
			require.NoError(t, err)
			assert.Equal(t, strings.TrimPrefix(tt.want, "own "), m.Locale)
			assert.Equal(t, strings.HasPrefix(tt.want, "own "), m.Subject == tt.want)
			if strings.HasPrefix(tt.want, "own ") {
				assert.Empty(t, m.HTML, "an own text does not get the built-in HTML")
			}
			other := e
			other.ResellerID = uuid.New()
			m, err = render(t, c, other)
			require.NoError(t, err)
			assert.NotContains(t, m.Subject, "own", "another reseller's mail")
		})
	}
}

// TestMailSavedWhileWaiting: a saved text is used for events that wait for delivery.
func TestMailSavedWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCatalog(t)
		c.Texts = &notify.MemoryTexts{}
		var subjects []string
		working := false
		mail := c.Mail("mail", notify.ToClient, notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
			if !working {
				return errors.New("421")
			}
			subjects = append(subjects, m.Subject)
			return nil
		}))
		outbox := &notify.MemoryOutbox{}
		d := newDispatcher(t, notify.Config{Outbox: outbox}, mail)
		e := warned(t, sample())
		outbox.Append(e)
		tick(t, d)
		require.NoError(t, c.Save(t.Context(), notify.Text{ResellerID: e.ResellerID, Kind: e.Kind, Subject: "new", Text: "t"}))
		working = true
		drain(t, d)
		assert.Equal(t, []string{"new"}, subjects)
	})
}

func TestMailHostileContent(t *testing.T) {
	t.Parallel()
	p := sample()
	p.Server = "<script>alert(1)</script>\r\nBcc: all@example.com\u202E"
	m, err := render(t, newCatalog(t), warned(t, p))
	require.NoError(t, err)
	assert.Equal(t, "<script>alert(1)</script>  Bcc: all@example.com  ends in 3 days", m.Subject)
	assert.NotContains(t, m.HTML, "<script>")
	p.Server = strings.Repeat("ß", 5000)
	m, err = render(t, newCatalog(t), warned(t, p))
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("ß", 250), m.Subject)
	p.Server = strings.Repeat("x", 300<<10)
	m, err = render(t, newCatalog(t), warned(t, p))
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("x", 500), m.Subject)
}

// TestMailWithMissingFields: JSON leaves empty fields out. Templates may still name them.
func TestMailWithMissingFields(t *testing.T) {
	t.Parallel()
	c := newCatalog(t)
	c.Texts = &notify.MemoryTexts{}
	e := warned(t, payload{Server: "web1", At: "2026-03-01T23:30:00Z"})
	c.Directory = directoryIn("en")
	require.NoError(t, c.Save(t.Context(), notify.Text{ResellerID: e.ResellerID, Kind: e.Kind, Subject: "s", Text: "" +
		"[{{.note}}|{{.last}}|{{len .lines}}|{{.contact.name}}|{{.days}}|{{plural .days `day` `days`}}|{{date .at}}|{{datetime .at}}]" +
		"{{range .lines}}x{{end}}{{if .note}}x{{end}}"}))
	m, err := render(t, c, e)
	require.NoError(t, err)
	assert.Equal(t, "[|false|0||0|days|2026-03-02|2026-03-02 08:30 JST]", m.Text)
	e.Data = []byte(`{"contact":null,"lines":[{}],"at":""}`)
	m, err = render(t, c, e)
	require.NoError(t, err)
	assert.Equal(t, "[|false|1||0|days||]x", m.Text)
}

func TestMailDeadLetters(t *testing.T) {
	t.Parallel()
	toReseller, toProvider := spec(), spec()
	toReseller.Kind, toReseller.Audience = "test.reseller", notify.ToReseller
	toProvider.Kind, toProvider.Audience = "test.provider", notify.ToProvider
	for name, tt := range map[string]struct {
		kind   notify.Kind
		change func(c *notify.Catalog, e *notify.Event)
		says   string
		dead   bool
	}{
		"no client":   {"test.warned", func(_ *notify.Catalog, e *notify.Event) { e.ClientID = uuid.Nil }, "names no client", true},
		"no reseller": {"test.reseller", func(_ *notify.Catalog, e *notify.Event) { e.ResellerID = uuid.Nil }, "names no reseller", true},
		"no provider": {"test.provider", func(_ *notify.Catalog, e *notify.Event) { e.Data = []byte(`{}`) }, "names no provider", true},
		"not a name":  {"test.provider", func(_ *notify.Catalog, e *notify.Event) { e.Data = []byte(`{"provider":1}`) }, "names no provider", true},
		"no kind":     {"test.other", func(*notify.Catalog, *notify.Event) {}, "the catalog does not have it", true},
		"no payload":  {"test.warned", func(_ *notify.Catalog, e *notify.Event) { e.Data = nil }, "is not a JSON object", true},
		"null":        {"test.warned", func(_ *notify.Catalog, e *notify.Event) { e.Data = []byte("null") }, "payload is null", true},
		"a list":      {"test.warned", func(_ *notify.Catalog, e *notify.Event) { e.Data = []byte(`[1]`) }, "is not a JSON object", true},
		"other types": {
			"test.warned", func(_ *notify.Catalog, e *notify.Event) { e.Data = []byte(`{"lines":[{"paid":1}]}`) },
			"payload.lines.paid is a number; in the sample of this kind it is a text", true,
		},
		"unknown person": {"test.warned", func(c *notify.Catalog, _ *notify.Event) {
			c.Directory = directoryFunc(func(uuid.UUID, notify.Recipient) (notify.Person, error) {
				return notify.Person{}, fmt.Errorf("no row: %w", notify.ErrNotFound)
			})
		}, "finding client", true},
		"Directory fails": {"test.warned", func(c *notify.Catalog, _ *notify.Event) {
			c.Directory = directoryFunc(func(uuid.UUID, notify.Recipient) (notify.Person, error) {
				return notify.Person{}, errors.New("connection refused")
			})
		}, "connection refused", false},
		"Texts fails": {"test.warned", func(c *notify.Catalog, _ *notify.Event) { c.Texts = failingTexts{} }, "disk full", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCatalog(t, spec(), toReseller, toProvider)
			e := warned(t, sample())
			e.Kind = tt.kind
			tt.change(c, &e)
			_, err := render(t, c, e)
			require.ErrorContains(t, err, tt.says)
			assert.Equal(t, tt.dead, isDead(t, err))
		})
	}
}

type failingTexts struct{ *notify.MemoryTexts }

func (failingTexts) Text(context.Context, uuid.UUID, notify.Kind, string) (notify.Text, error) {
	return notify.Text{}, errors.New("disk full")
}

func TestMailRecipients(t *testing.T) {
	t.Parallel()
	toReseller, toProvider := spec(), spec()
	toReseller.Kind, toReseller.Audience = "test.reseller", notify.ToReseller
	toProvider.Kind, toProvider.Audience = "test.provider", notify.ToProvider
	c := newCatalog(t, spec(), toReseller, toProvider, notify.Spec{Kind: "test.host", Audience: notify.ToHost, Sample: struct{}{}})
	n := notify.NotifierFunc(func(context.Context, notify.Message) error { return nil })
	assert.Equal(t, []notify.Kind{"test.warned"}, c.Mail("a", notify.ToClient, n).Kinds)
	assert.Equal(t, []notify.Kind{"test.reseller"}, c.Mail("b", notify.ToReseller, n).Kinds)
	assert.Equal(t, []notify.Kind{"test.provider"}, c.Mail("c", notify.ToProvider, n).Kinds)
	none := newCatalog(t).Mail("d", notify.ToProvider, n).Kinds
	assert.Empty(t, none)
	assert.NotNil(t, none, "nil would mean all kinds")
	for _, s := range []notify.Subscriber{c.Mail("e", notify.ToHost, n), c.Mail("f", notify.ToClient, nil)} {
		_, err := notify.New(notify.Config{Outbox: &notify.MemoryOutbox{}}, s)
		require.ErrorIs(t, err, notify.ErrInvalid)
	}
	e := warned(t, sample())
	e.Kind = "test.reseller"
	m, err := render(t, c, e)
	require.NoError(t, err)
	assert.Equal(t, notify.Recipient{Audience: notify.ToReseller, ID: e.ResellerID}, m.To)
	e.Kind, e.ClientID = "test.provider", uuid.Nil
	m, err = render(t, c, e)
	require.NoError(t, err)
	assert.Equal(t, notify.Recipient{Audience: notify.ToProvider, Name: "Upstream"}, m.To)
}

// TestMailFallsBack: an own text that fails is logged, and the mail is sent with the built-in text.
func TestMailFallsBack(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]string{
		"does not parse":   "{{",
		"unknown variable": "{{.gone}}",
		"long range":       "{{range 1000000000}}{{end}}",
		"fails this time":  "{{index .lines 1}}",
		"not a time":       "{{date .note}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			c, texts := newCatalog(t), &notify.MemoryTexts{}
			c.Texts, c.Logger = texts, slog.New(slog.NewTextHandler(&out, nil))
			p := sample()
			p.Lines = p.Lines[:1]
			e := warned(t, p)
			require.NoError(t, texts.Save(t.Context(), notify.Text{
				ResellerID: e.ResellerID, Kind: e.Kind, Locale: "en", Subject: "own", Text: own,
			}), "without the check of Catalog.Save")
			m, err := render(t, c, e)
			require.NoError(t, err)
			assert.Equal(t, "web1 ends in 3 days", m.Subject)
			assert.Equal(t, "On 2026-03-01: n", m.Text)
			assert.Contains(t, out.String(), "a reseller's own text failed")
			assert.Contains(t, out.String(), e.ResellerID.String())
		})
	}
}

func TestMailUnknownZone(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := newCatalog(t)
	c.Logger = slog.New(slog.NewTextHandler(&out, nil))
	c.Directory = directoryFunc(func(uuid.UUID, notify.Recipient) (notify.Person, error) { return notify.Person{Zone: "Mars/Base"}, nil })
	m, err := render(t, c, warned(t, sample()))
	require.NoError(t, err)
	assert.Equal(t, "On 2026-03-01: n", m.Text)
	assert.Contains(t, out.String(), "Mars/Base")
}

// TestMailKeepsNumbers: a number that is not whole is printed as the payload has it.
func TestMailKeepsNumbers(t *testing.T) {
	t.Parallel()
	c := newCatalog(t, notify.Spec{
		Kind: "test.warned", Audience: notify.ToClient, Sample: json.RawMessage(`{"x":1,"y":1.50,"z":123456789012345678901}`),
		Subject: map[string]string{"en": "{{.x}} {{.y}} {{.z}}"}, Text: map[string]string{"en": "t"},
	})
	e := warned(t, sample())
	e.Data = []byte(`{"x":9007199254740993,"y":0.10,"z":1e3}`)
	m, err := render(t, c, e)
	require.NoError(t, err)
	assert.Equal(t, "9007199254740993 0.10 1e3", m.Subject)
}
