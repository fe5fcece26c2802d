package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// TestAlarm: the reseller is told once for each version of the text, however many mails it affects.
func TestAlarm(t *testing.T) {
	t.Parallel()
	var toClient, toReseller []notify.Message
	record := func(list *[]notify.Message) notify.Notifier {
		return notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
			*list = append(*list, m)
			return nil
		})
	}
	outbox, texts := &notify.MemoryOutbox{}, &notify.MemoryTexts{}
	c := newCatalog(t, append(notify.Kinds(), spec())...)
	c.Texts, c.Directory = texts, directoryIn("de")
	c.Alarm = notify.AlarmFunc(func(_ context.Context, e notify.Event) error {
		outbox.Append(e)
		return nil
	})
	d := newDispatcher(t, notify.Config{Outbox: outbox, Parallel: 1},
		c.Mail("mail to clients", notify.ToClient, record(&toClient)), c.Mail("mail to resellers", notify.ToReseller, record(&toReseller)))
	own := notify.Text{ResellerID: subject().ResellerID, Kind: "test.warned", Locale: "de", Subject: "own", Text: "a\n {{.servr}}"}
	require.NoError(t, texts.Save(t.Context(), own), "without the check of Catalog.Save")
	send := func(n int) {
		for range n {
			e := warned(t, sample())
			e.ResellerID = own.ResellerID
			outbox.Append(e)
		}
		tick(t, d)
		tick(t, d)
	}
	send(3)
	assert.Len(t, toClient, 3, "the mail is sent with the built-in text")
	require.Len(t, toReseller, 1)
	assert.Equal(t, notify.Recipient{Audience: notify.ToReseller, ID: own.ResellerID}, toReseller[0].To)
	assert.Equal(t, "Ihr Text für test.warned in der Sprache de funktioniert nicht", toReseller[0].Subject)
	assert.Contains(t, toReseller[0].Text, "Teil: text\nZeile: 2\nSpalte: 4\nFehler: there is no .servr (did you mean .server?); there are: ")
	own.Version = 1
	require.NoError(t, texts.Save(t.Context(), own))
	send(2)
	assert.Len(t, toReseller, 2, "each saved version is reported")
	require.NoError(t, c.Reset(t.Context(), own.ResellerID, own.Kind, "de"))
	send(1)
	assert.Len(t, toReseller, 2)
	assert.Len(t, toClient, 6)
	own.Version, own.Text = 0, "{{.otherwise_wrong}}"
	require.NoError(t, texts.Save(t.Context(), own))
	send(1)
	assert.Len(t, toReseller, 3, "after a reset the versions begin again at 1")
}

// TestAlarmWithInvalidOwnText: the mail about an invalid text may itself have an invalid own text. It is sent with the built-in
// text, and reported once.
func TestAlarmWithInvalidOwnText(t *testing.T) {
	t.Parallel()
	outbox, texts := &notify.MemoryOutbox{}, &notify.MemoryTexts{}
	c := newCatalog(t, append(notify.Kinds(), spec())...)
	c.Texts = texts
	c.Alarm = notify.AlarmFunc(func(_ context.Context, e notify.Event) error {
		outbox.Append(e)
		return nil
	})
	var subjects []string
	d := newDispatcher(t, notify.Config{Outbox: outbox}, c.Mail("resellers", notify.ToReseller, notify.NotifierFunc(
		func(_ context.Context, m notify.Message) error {
			subjects = append(subjects, m.Subject)
			return nil
		})))
	e := warned(t, sample())
	for _, k := range []notify.Kind{e.Kind, notify.KindTextBroken} {
		require.NoError(t, texts.Save(t.Context(), notify.Text{ResellerID: e.ResellerID, Kind: k, Locale: "en", Subject: "{{", Text: "t"}))
	}
	_, err := render(t, c, e)
	require.NoError(t, err)
	for range 5 {
		tick(t, d)
	}
	assert.Equal(t, []string{
		"Your text for test.warned in the language en does not work", "Your text for notify.text_broken in the language en does not work",
	}, subjects)
}

func TestAlarmThatFails(t *testing.T) {
	t.Parallel()
	for name, alarm := range map[string]notify.AlarmFunc{
		"error": func(context.Context, notify.Event) error { return errors.New("disk full") },
		"panic": func(context.Context, notify.Event) error { panic("disk full") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			c, texts := newCatalog(t), &notify.MemoryTexts{}
			c.Texts, c.Alarm, c.Logger = texts, alarm, slog.New(slog.NewTextHandler(&out, nil))
			e := warned(t, sample())
			require.NoError(t, texts.Save(t.Context(), notify.Text{
				ResellerID: e.ResellerID, Kind: e.Kind, Locale: "en", Subject: "{{", Text: "t",
			}))
			m, err := render(t, c, e)
			require.NoError(t, err)
			assert.Equal(t, "web1 ends in 3 days", m.Subject)
			assert.Contains(t, out.String(), "the reseller was not told")
			assert.Contains(t, out.String(), "disk full")
		})
	}
}
