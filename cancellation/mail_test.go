package cancellation_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// mails returns the messages of the events so far, in order.
func (f *fixture) mails(t *testing.T, to notify.Audience) []notify.Message {
	t.Helper()
	catalog, err := notify.NewCatalog(cancellation.Kinds())
	require.NoError(t, err)
	var sent []notify.Message
	mail := catalog.Mail("mail", to, notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
		sent = append(sent, m)
		return nil
	}))
	for _, e := range f.events(t) {
		if e.Kind == cancellation.KindClosed {
			continue
		}
		for _, k := range mail.Kinds {
			if k == e.Kind {
				require.NoError(t, mail.Handle(t.Context(), e))
			}
		}
	}
	return sent
}

func TestKindsMakeACatalog(t *testing.T) {
	t.Parallel()
	catalog, err := notify.NewCatalog(cancellation.Kinds())
	require.NoError(t, err)
	for _, spec := range cancellation.Kinds() {
		if spec.Audience == notify.ToHost {
			continue
		}
		m, err := catalog.Preview(notify.Text{Kind: spec.Kind, Subject: spec.Subject["en"], Text: spec.Text["en"], ResellerID: uuid.New()})
		require.NoError(t, err, spec.Kind)
		assert.Contains(t, m.Text, "2026-12-01 00:00 CET", spec.Kind)
		assert.NotContains(t, m.Text+m.Subject, "no value", spec.Kind)
	}
}

func TestMailsFromOrderToRefund(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.biller.charges = []refund.Charge{
		november(),
		{Label: "set-up", Kind: refund.Setup, Paid: decimal.New(500, -2)},
	}
	f.saveSettings(t, cancellation.Settings{Warn: true, DaysAhead: []int{7, 1}})
	s := f.server(t)
	c := f.scheduleAsClient(t, s.ID)
	f.tickAt(t, at("2026-11-26 08:00"))
	f.clock.Set(at("2026-11-26 09:00"))
	_, err := f.Reschedule(t.Context(), f.reseller, c.ID, cancellation.When{At: at("2026-11-28 11:00")})
	require.NoError(t, err)
	f.tickAt(t, at("2026-11-27 11:00"))
	f.tickAt(t, at("2026-11-28 11:00"))
	id := s.ID.String()
	var got []string
	for _, m := range f.mails(t, notify.ToClient) {
		got = append(got, m.Subject+"\n\n"+m.Text)
	}
	assert.Equal(t, []string{
		"Your server web-01 will be cancelled on 2026-12-01 00:00 CET\n\n" +
			"As you ordered:\n\nYour dedicated server web-01 (" + id + ") will be cancelled on 2026-12-01 00:00 CET, in 21 days.\n",
		"Your server web-01 will be cancelled in 5 days\n\n" +
			"Your dedicated server web-01 (" + id + ") will be cancelled on 2026-12-01 00:00 CET, in 5 days.\n\n" +
			"Please save what you need before that.\n",
		"Your server web-01 will be cancelled on 2026-11-28 12:00 CET instead of 2026-12-01 00:00 CET\n\n" +
			"Your dedicated server web-01 (" + id + ") will be cancelled on 2026-11-28 12:00 CET instead of 2026-12-01 00:00 CET, in 2 days.\n",
		"Your server web-01 will be cancelled in 1 day\n\n" +
			"Your dedicated server web-01 (" + id + ") will be cancelled on 2026-11-28 12:00 CET, in 1 day.\n\n" +
			"Please save what you need before that.\n",
		"Your server web-01 was cancelled\n\n" +
			"Your dedicated server web-01 (" + id + ") was cancelled as of 2026-11-28 12:00 CET.\n\n" +
			"Refund: 2.00 EUR\n  web-01, November: 2.00 of 30.00\n  set-up: 0.00 of 5.00 (set-up is not given back)\n",
	}, got)
	toReseller := f.mails(t, notify.ToReseller)
	require.Len(t, toReseller, 2)
	assert.Equal(t, "The client cancels web-01 on 2026-12-01 00:00 CET", toReseller[0].Subject)
	assert.Equal(t, "web-01 was cancelled and waits in clean-up", toReseller[1].Subject)
	assert.Equal(t, time.UTC, f.get(t, c.ID).At.Location())
}
