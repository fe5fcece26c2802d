package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
)

// TestClockOfTheDatabase: a claim by a clock that is nine years ahead is refused, where the host wants that.
func TestClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn, ctx, id := fresh(t), t.Context(), uuid.New()
		db, err := sqlstore.OpenWith(ctx, dsn, sqlstore.Options{MaxClockDifference: time.Hour})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		require.NoError(t, db.Outbox().Register(ctx, "mail", nil))
		now := time.Now()
		require.NoError(t, cancellationRecords().put(ctx, db, id, uuid.New(), now.Add(-time.Minute).UTC().Truncate(time.Microsecond)))
		claims := map[string]func(ctx context.Context, now time.Time) error{
			"cancellations": func(ctx context.Context, now time.Time) error {
				return second(db.Cancellations().ClaimDue(ctx, now, now.Add(time.Minute), 1))
			},
			"backups": func(ctx context.Context, now time.Time) error {
				return second(db.Backups().ClaimDue(ctx, now, now.Add(time.Minute), 1))
			},
			"tickets": func(ctx context.Context, now time.Time) error {
				return second(db.Tickets().ClaimDue(ctx, now, now.Add(time.Minute), 1))
			},
			"deliveries": func(ctx context.Context, now time.Time) error {
				return second(db.Outbox().ClaimDue(ctx, "mail", now, now.Add(time.Minute), 1))
			},
		}
		for name, claim := range claims {
			for _, wrong := range []time.Time{now.AddDate(9, 0, 0), now.AddDate(-9, 0, 0), now.Add(2 * time.Hour), now.Add(-2 * time.Hour)} {
				err := claim(ctx, wrong)
				var e *sqlstore.ClockError
				require.ErrorAs(t, err, &e, name)
				assert.Contains(t, err.Error(), wrong.UTC().Format(time.RFC3339))
				assert.WithinDuration(t, now, e.Database, time.Minute)
			}
			require.NoError(t, claim(ctx, now.Add(30*time.Minute)), name)
		}
		c, err := db.Cancellations().Cancellation(ctx, id)
		require.NoError(t, err)
		assert.EqualValues(t, 2, c.Version, "one claim, by the clock that is half an hour ahead")
	})
}

func TestNegativeClockDifference(t *testing.T) {
	t.Parallel()
	_, err := sqlstore.OpenWith(t.Context(), freshSQLite(t), sqlstore.Options{MaxClockDifference: -1})
	require.ErrorIs(t, err, dedicated.ErrInvalid)
}
