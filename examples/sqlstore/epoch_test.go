package sqlstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
	"github.com/metalkeep/metalkeep/notify"
)

// beginEpoch begins an epoch, as an operator does after restoring a copy.
func beginEpoch(t *testing.T, dsn, epoch string) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), dsn)
	require.NoError(t, err)
	require.NoError(t, db.BeginEpoch(t.Context(), epoch))
	require.NoError(t, db.Close())
}

// TestEpoch: after BeginEpoch every write of a process that was started before fails, with an error that says so. It writes nothing.
func TestEpoch(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn, ctx := fresh(t), t.Context()
		old, s := open(t, dsn), server1(uuid.New())
		event := notify.Event{ID: uuid.New(), Kind: "a.b", At: day(1), SubjectID: uuid.New(), Data: []byte(`{}`)}
		require.NoError(t, old.Outbox().Register(ctx, "mail", nil))
		require.NoError(t, old.Servers().Commit(ctx, dedicated.Change{Servers: []dedicated.Server{s}, Events: []notify.Event{event}}))
		claimed, err := old.Outbox().ClaimDue(ctx, "mail", day(2), day(3), 1)
		require.NoError(t, err)
		require.Empty(t, old.Epoch())
		beginEpoch(t, dsn, "second")

		s.Version, s.Name = 1, "web-02"
		for name, write := range map[string]func() error{
			"Commit":           func() error { return old.Servers().Commit(ctx, dedicated.Change{Servers: []dedicated.Server{s}}) },
			"backups ClaimDue": func() error { _, err := old.Backups().ClaimDue(ctx, day(2), day(3), 1); return err },
			"tickets ClaimDue": func() error { _, err := old.Tickets().ClaimDue(ctx, day(2), day(3), 1); return err },
			"ClaimDue":         func() error { _, err := old.Cancellations().ClaimDue(ctx, day(2), day(3), 1); return err },
			"outbox ClaimDue":  func() error { _, err := old.Outbox().ClaimDue(ctx, "mail", day(4), day(5), 1); return err },
			"Settle":           func() error { return old.Outbox().Settle(ctx, claimed.Deliveries...) },
			"Register":         func() error { return old.Outbox().Register(ctx, "other", nil) },
			"Save": func() error {
				return old.Texts().Save(ctx, notify.Text{ResellerID: s.ResellerID, Kind: "a.b", Locale: "en"})
			},
			"Reset":              func() error { return old.Texts().Reset(ctx, s.ResellerID, "a.b", "en") },
			"another BeginEpoch": func() error { return old.BeginEpoch(ctx, "third") },
		} {
			err := write()
			var e *sqlstore.EpochError
			require.ErrorAs(t, err, &e, name)
			assert.Empty(t, e.Opened)
			assert.NotErrorIs(t, err, dedicated.ErrConflict, "a Tick would try again")
			assert.ErrorContains(t, err, `the database does not hold the epoch "" any more`)
			assert.ErrorContains(t, err, "restart the process")
		}
		m, err := dedicated.New(dedicated.Config{Store: old.Servers()})
		require.NoError(t, err)
		_, err = m.Rename(ctx, dedicated.Actor{Role: dedicated.System, ResellerID: s.ResellerID}, s.ID, "web-03")
		require.ErrorIs(t, err, dedicated.ErrHost)

		present := open(t, dsn)
		assert.Equal(t, "second", present.Epoch())
		got, err := present.Servers().Server(ctx, s.ID)
		require.NoError(t, err)
		assert.Equal(t, "web-01", got.Name)
		require.NoError(t, present.Servers().Commit(ctx, dedicated.Change{Servers: []dedicated.Server{s}}))
		require.NoError(t, present.Outbox().Settle(ctx, claimed.Deliveries...))
	})
}

func TestBeginEpochRefuses(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		beginEpoch(t, dsn, "second")
		db := open(t, dsn)
		for bad, says := range map[string]string{
			"":                      `the epoch "" began already`,
			"second":                `the epoch "second" began already`,
			"the third":             "the epoch has the byte 0x20 at 3",
			strings.Repeat("x", 65): "65 bytes",
		} {
			err := db.BeginEpoch(t.Context(), bad)
			require.ErrorIs(t, err, dedicated.ErrInvalid, bad)
			require.ErrorContains(t, err, says)
		}
		assert.Equal(t, "second", open(t, dsn).Epoch())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, db.BeginEpoch(ctx, "third"), context.Canceled)
		_, err := raw(t, dsn).Exec("DELETE FROM metalkeep_epoch")
		require.NoError(t, err)
		_, err = sqlstore.Open(t.Context(), dsn)
		require.ErrorContains(t, err, "metalkeep_epoch has no row with the id 1")
	})
}

// TestBeginEpochWaits: once BeginEpoch has returned, no transaction of the old epoch is committed any more, also none that had begun.
func TestBeginEpochWaits(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn, ctx := fresh(t), t.Context()
		reseller, sql := uuid.New(), raw(t, dsn)
		open(t, dsn)
		count := func() (n int) {
			require.NoError(t, sql.QueryRow("SELECT count(*) FROM servers").Scan(&n))
			return n
		}
		for round := range 10 {
			old, operator := open(t, dsn), open(t, dsn)
			var writers sync.WaitGroup
			begun, errs := make(chan struct{}, 1000), make(chan error, 4)
			for range cap(errs) {
				writers.Go(func() {
					for {
						var c dedicated.Change
						for range 20 {
							c.Servers = append(c.Servers, server1(reseller))
						}
						if err := old.Servers().Commit(ctx, c); err != nil {
							errs <- err
							return
						}
						select {
						case begun <- struct{}{}:
						default:
						}
					}
				})
			}
			<-begun
			require.NoError(t, operator.BeginEpoch(ctx, "epoch-"+string(rune('a'+round))))
			written := count()
			writers.Wait()
			close(errs)
			for err := range errs {
				var e *sqlstore.EpochError
				require.ErrorAs(t, err, &e)
			}
			require.Equal(t, written, count(), "round %d", round)
		}
	})
}

// TestBeginEpochByManyAtOnce: exactly one of several operators begins an epoch.
func TestBeginEpochByManyAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		start, results := make(chan struct{}), make(chan error, 3)
		for i := range cap(results) {
			db := open(t, dsn)
			go func() {
				<-start
				results <- db.BeginEpoch(t.Context(), "epoch-"+string(rune('a'+i)))
			}()
		}
		close(start)
		succeeded := 0
		for range cap(results) {
			var e *sqlstore.EpochError
			if err := <-results; err == nil {
				succeeded++
			} else {
				require.True(t, errors.As(err, &e), err)
			}
		}
		assert.Equal(t, 1, succeeded)
	})
}

// TestEpochUnderOtherIsolation: BeginEpoch and a commit of the old epoch at once, in a database whose default isolation is another one.
func TestEpochUnderOtherIsolation(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"read committed", "repeatable read", "serializable"} {
		t.Run(level, func(t *testing.T) {
			dsn := freshPostgres(t)
			sep := "?"
			if strings.Contains(dsn, "?") {
				sep = "&"
			}
			open(t, dsn)
			old := open(t, dsn+sep+"default_transaction_isolation="+strings.ReplaceAll(level, " ", "%20"))
			db := raw(t, dsn)
			for range 20 { // the connections of the pool have their prepared statements, and their plans
				require.NoError(t, old.Servers().Commit(t.Context(), dedicated.Change{Servers: []dedicated.Server{server1(uuid.New())}}))
			}
			tx, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			// What BeginEpoch does, in slow motion.
			_, err = tx.ExecContext(t.Context(), "LOCK TABLE metalkeep_epoch IN ACCESS EXCLUSIVE MODE")
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "UPDATE metalkeep_epoch SET epoch = 'second' WHERE id = 1")
			require.NoError(t, err)
			s, result := server1(uuid.New()), make(chan error, 1)
			go func() { result <- old.Servers().Commit(t.Context(), dedicated.Change{Servers: []dedicated.Server{s}}) }()
			require.Eventually(t, func() bool {
				n := 0
				err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'metalkeep_epoch'::regclass").Scan(&n)
				return err == nil && n > 0
			}, 20*time.Second, 20*time.Millisecond)
			require.NoError(t, tx.Commit())
			var e *sqlstore.EpochError
			assert.ErrorAs(t, <-result, &e, "a process of the old epoch has written after BeginEpoch")
		})
	}
}
