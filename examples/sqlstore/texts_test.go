package sqlstore_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

func TestTexts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		ctx, texts, reseller := t.Context(), open(t, fresh(t)).Texts(), uuid.New()
		german := notify.Text{
			ResellerID: reseller, Kind: "backup.completed", Locale: "de", Subject: "Gesichert: {{.server}}", Text: "Grüße,\n{{.name}}",
			HTML: "<p>'ja' & \"nein\"</p>",
		}
		_, err := texts.Text(ctx, reseller, german.Kind, "de")
		require.ErrorIs(t, err, notify.ErrNotFound)
		require.NoError(t, texts.Reset(ctx, reseller, german.Kind, "de"), "of what is not stored")

		require.NoError(t, texts.Save(ctx, german))
		require.ErrorIs(t, texts.Save(ctx, german), notify.ErrConflict, "saved twice as the first")
		german.Version = 1
		got, err := texts.Text(ctx, reseller, german.Kind, "de")
		require.NoError(t, err)
		assert.Equal(t, german, got)
		stale := german
		german.Text = "anders"
		require.NoError(t, texts.Save(ctx, german))
		require.ErrorIs(t, texts.Save(ctx, stale), notify.ErrConflict)
		german.Version = 2

		others := []notify.Text{
			{ResellerID: reseller, Kind: "backup.completed", Locale: "pt-BR"},
			{ResellerID: reseller, Kind: "backup.Zuletzt", Locale: "de"},
			{ResellerID: uuid.New(), Kind: "backup.completed", Locale: "de"},
		}
		for _, o := range others {
			require.NoError(t, texts.Save(ctx, o))
		}
		others[0].Version, others[1].Version = 1, 1
		list, err := texts.Texts(ctx, reseller)
		require.NoError(t, err)
		assert.Equal(t, []notify.Text{others[1], german, others[0]}, list, "by kind and locale, in the order of bytes")

		require.NoError(t, texts.Reset(ctx, reseller, german.Kind, "de"))
		_, err = texts.Text(ctx, reseller, german.Kind, "de")
		require.ErrorIs(t, err, notify.ErrNotFound)
		german.Version = 0
		require.NoError(t, texts.Save(ctx, german), "after a reset it is new")
	})
}

func TestTextsOfTwoEditors(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		texts := open(t, fresh(t)).Texts()
		for range 50 {
			text := notify.Text{ResellerID: uuid.New(), Kind: "backup.completed", Locale: "de"}
			start, results := make(chan struct{}), make(chan error, 2)
			for range 2 {
				go func() {
					<-start
					results <- texts.Save(context.Background(), text)
				}()
			}
			close(start)
			a, b := <-results, <-results
			require.NotEqual(t, a == nil, b == nil, "one of two must win: %v, %v", a, b)
			for _, err := range []error{a, b} {
				if err != nil {
					require.ErrorIs(t, err, notify.ErrConflict)
				}
			}
		}
	})
}

func TestTextsHeedTheirContext(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		texts := open(t, fresh(t)).Texts()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		text := notify.Text{ResellerID: uuid.New(), Kind: "backup.completed", Locale: "de"}
		require.ErrorIs(t, texts.Save(ended, text), context.Canceled)
		require.ErrorIs(t, texts.Reset(ended, text.ResellerID, text.Kind, text.Locale), context.Canceled)
		_, err := texts.Text(ended, text.ResellerID, text.Kind, text.Locale)
		require.ErrorIs(t, err, context.Canceled)
		_, err = texts.Texts(ended, text.ResellerID)
		require.ErrorIs(t, err, context.Canceled)
		list, err := texts.Texts(t.Context(), text.ResellerID)
		require.NoError(t, err)
		assert.Empty(t, list)
	})
}
