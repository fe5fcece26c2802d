package notify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

func TestMemoryTexts(t *testing.T) {
	t.Parallel()
	var texts notify.MemoryTexts
	ctx, reseller, other := t.Context(), uuid.New(), uuid.New()
	text := func(reseller uuid.UUID, k notify.Kind, locale string) notify.Text {
		return notify.Text{ResellerID: reseller, Kind: k, Locale: locale, Subject: "s", Text: "t"}
	}
	_, err := texts.Text(ctx, reseller, "k", "en")
	require.ErrorIs(t, err, notify.ErrNotFound)
	for _, x := range []notify.Text{text(reseller, "k", "en"), text(reseller, "j", "en"), text(reseller, "k", "de"), text(other, "k", "en")} {
		require.NoError(t, texts.Save(ctx, x))
	}
	require.ErrorIs(t, texts.Save(ctx, text(reseller, "k", "en")), notify.ErrConflict, "created twice")
	x, err := texts.Text(ctx, reseller, "k", "en")
	require.NoError(t, err)
	assert.EqualValues(t, 1, x.Version)
	x.Subject = "new"
	require.NoError(t, texts.Save(ctx, x))
	require.ErrorIs(t, texts.Save(ctx, x), notify.ErrConflict, "stale")
	list, err := texts.Texts(ctx, reseller)
	require.NoError(t, err)
	var listed []string
	for _, x := range list {
		listed = append(listed, string(x.Kind)+x.Locale+x.Subject)
	}
	assert.Equal(t, []string{"jens", "kdes", "kennew"}, listed)
	require.NoError(t, texts.Reset(ctx, reseller, "k", "en"))
	require.NoError(t, texts.Reset(ctx, reseller, "k", "en"), "again")
	_, err = texts.Text(ctx, reseller, "k", "en")
	require.ErrorIs(t, err, notify.ErrNotFound)
	_, err = texts.Text(ctx, other, "k", "en")
	require.NoError(t, err)
	require.ErrorIs(t, texts.Save(ctx, x), notify.ErrConflict, "the text was reset")

	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = texts.Text(ended, other, "k", "en")
	require.ErrorIs(t, err, context.Canceled)
	_, err = texts.Texts(ended, other)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, texts.Save(ended, text(other, "z", "en")), context.Canceled)
	require.ErrorIs(t, texts.Reset(ended, other, "k", "en"), context.Canceled)
}

// TestEventWithoutTimeIsDelivered: an event with a zero time is due at once.
func TestEventWithoutTimeIsDelivered(t *testing.T) {
	t.Parallel()
	var l log
	outbox := &notify.MemoryOutbox{}
	d := newDispatcher(t, notify.Config{Outbox: outbox}, l.subscriber("log"))
	e := event()
	e.At = time.Time{}
	outbox.Append(e)
	tick(t, d)
	assert.Equal(t, []uuid.UUID{e.ID}, l.ids())
}

// BenchmarkClaimDue claims 100 due deliveries among many that are due later.
func BenchmarkClaimDue(b *testing.B) {
	for _, waiting := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			var outbox notify.MemoryOutbox
			ctx, now := context.Background(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			require.NoError(b, outbox.Register(ctx, "mail", nil))
			for i := range waiting {
				e := event()
				e.At = now.Add(24 * time.Hour).Add(time.Duration(i))
				outbox.Append(e)
			}
			for range 100 {
				e := event()
				e.At = now
				outbox.Append(e)
			}
			b.ReportAllocs()
			for b.Loop() {
				due, err := outbox.ClaimDue(ctx, "mail", now, now.Add(time.Minute), 1000)
				if err != nil || len(due.Deliveries) != 100 {
					b.Fatal(len(due.Deliveries), err)
				}
				b.StopTimer()
				for i := range due.Deliveries {
					due.Deliveries[i].LeaseUntil = time.Time{}
				}
				if err := outbox.Settle(ctx, due.Deliveries...); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
