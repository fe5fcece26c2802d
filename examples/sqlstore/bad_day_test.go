package sqlstore_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
	"github.com/metalkeep/metalkeep/notify"
)

// cancelling returns a panel with three cancellations, of which each is due on day 3.
func cancelling(t *testing.T, db *sqlstore.DB) (*panel, *clock.Mock, []uuid.UUID) {
	t.Helper()
	now := clock.NewMock()
	now.Set(day(1))
	p, err := newPanel(storesOf(db), host{
		clock: now, biller: monthlyBiller{func(context.Context, cancellation.Refund) error { return nil }}, parallel: 1,
		mail: func(context.Context, notify.Event) error { return nil },
	})
	require.NoError(t, err)
	var ids []uuid.UUID
	for n := range 3 {
		s, err := p.servers.Add(t.Context(), p.reseller, dedicated.NewServer{Name: fmt.Sprint("web-", n)})
		require.NoError(t, err)
		_, err = p.servers.Assign(t.Context(), p.reseller, s.ID, dedicated.NewAssignment{ClientID: named("client"), Billing: monthly()})
		require.NoError(t, err)
		c, err := p.cancellations.Schedule(t.Context(), p.reseller, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: day(3)}})
		require.NoError(t, err)
		ids = append(ids, c.ID)
	}
	return p, now, ids
}

func (p *panel) cancellationStates(t *testing.T, db *sqlstore.DB, ids ...uuid.UUID) (states []cancellation.State) {
	t.Helper()
	for _, id := range ids {
		c, err := db.Cancellations().Cancellation(t.Context(), id)
		require.NoError(t, err)
		states = append(states, c.State)
	}
	return states
}

// TestSpoiltCancellationHoldsUpNobody: the others are executed in time. Tick reports the spoilt one, which is executed once it is
// repaired by the statement of the package comment.
func TestSpoiltCancellationHoldsUpNobody(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		db := open(t, dsn)
		p, now, ids := cancelling(t, db)
		executeAll(t, raw(t, dsn), fmt.Sprintf(`UPDATE cancellations SET history = '7' WHERE id = '%s'`, ids[0]))
		now.Set(day(3))
		_, err := p.cancellations.Tick(t.Context())
		var e *cancellation.Error
		require.ErrorAs(t, err, &e)
		require.ErrorIs(t, err, cancellation.ErrHost)
		assert.Equal(t, ids[0], e.CancellationID)
		assert.Contains(t, e.Error(), "history")
		executed := cancellation.Executed
		assert.Equal(t, []cancellation.State{executed, executed}, p.cancellationStates(t, db, ids[1:]...))

		_, err = p.cancellations.Tick(t.Context())
		require.NoError(t, err, "it is put aside")
		now.Set(day(7))
		_, err = p.cancellations.Tick(t.Context())
		require.ErrorIs(t, err, cancellation.ErrHost)
		executeAll(t, raw(t, dsn), fmt.Sprintf(
			`UPDATE cancellations SET history = '[]', unreadable = 0, aside_until = 0 WHERE id = '%s'`, ids[0]))
		now.Set(day(7).Add(time.Hour))
		_, err = p.cancellations.Tick(t.Context())
		require.NoError(t, err)
		c, err := db.Cancellations().Cancellation(t.Context(), ids[0])
		require.NoError(t, err)
		assert.Equal(t, executed, c.State)
		assert.True(t, day(3).Equal(c.At), "as of the planned date")
	})
}

// TestUnreadableRowInALongBacklog: more records than a batch holds cannot be read. The readable ones behind them are executed by the same Tick.
func TestUnreadableRowInALongBacklog(t *testing.T) {
	t.Parallel()
	dsn := freshSQLite(t)
	db := open(t, dsn)
	p, now, ids := cancelling(t, db)
	for range 150 {
		require.NoError(t, cancellationRecords().put(t.Context(), db, uuid.New(), uuid.New(), day(2)))
	}
	executeAll(t, raw(t, dsn), `UPDATE cancellations SET steps = '7' WHERE server_name = ''`)
	now.Set(day(3))
	_, err := p.cancellations.Tick(t.Context())
	require.ErrorIs(t, err, cancellation.ErrHost)
	executed := cancellation.Executed
	assert.Equal(t, []cancellation.State{executed, executed, executed}, p.cancellationStates(t, db, ids...))
}

// TestProcessWithAWrongClock: a process whose clock is nine years ahead claims everything and dies. The others go on at once.
func TestProcessWithAWrongClock(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		db := open(t, fresh(t))
		p, now, ids := cancelling(t, db)
		wrong := day(9 * 365)
		due, err := db.Cancellations().ClaimDue(t.Context(), wrong, wrong.Add(15*time.Minute), 10)
		require.NoError(t, err)
		require.Len(t, due.Cancellations, 3)
		mails, err := db.Outbox().ClaimDue(t.Context(), "mail", wrong, wrong.Add(time.Minute), 10)
		require.NoError(t, err)
		require.NotEmpty(t, mails.Deliveries)

		now.Set(day(3))
		_, err = p.cancellations.Tick(t.Context())
		require.NoError(t, err)
		executed := cancellation.Executed
		assert.Equal(t, []cancellation.State{executed, executed, executed}, p.cancellationStates(t, db, ids...))
		_, err = p.dispatcher.Tick(t.Context())
		require.NoError(t, err)
		waiting, _, _, err := db.Outbox().Depth(t.Context())
		require.NoError(t, err)
		assert.Zero(t, waiting)
	})
}

// TestSpoiltTaskHoldsUpItsRequestOnly: the Manager plans nothing for a request whose pending task cannot be read. It goes on with the others.
func TestSpoiltTaskHoldsUpItsRequestOnly(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		db := open(t, dsn)
		p, now, _ := cancelling(t, db)
		servers, _, err := p.servers.Servers(t.Context(), p.reseller, dedicated.Query{})
		require.NoError(t, err)
		var requests []uuid.UUID
		for _, s := range servers[:2] {
			r, err := p.backups.Submit(t.Context(), p.reseller, backup.Form{
				ServerID: s.ID, What: "/var", Schedule: backup.Schedule{Frequency: backup.Daily, Hour: 12},
			})
			require.NoError(t, err)
			requests = append(requests, r.ID)
		}
		executeAll(t, raw(t, dsn), fmt.Sprintf(`UPDATE backup_tasks SET result = '7' WHERE request_id = '%s'`, requests[0]))
		now.Set(day(2).Add(20 * time.Hour))
		_, err = p.backups.Tick(t.Context())
		var e *backup.Error
		require.ErrorAs(t, err, &e)
		require.ErrorIs(t, err, backup.ErrHost)
		assert.Equal(t, requests[0], e.RequestID)
		assert.Contains(t, e.Error(), "result")
		spoilt, err := db.Backups().Request(t.Context(), requests[0])
		require.NoError(t, err)
		assert.Equal(t, 1, spoilt.Failures)
		other, err := db.Backups().Request(t.Context(), requests[1])
		require.NoError(t, err)
		assert.Zero(t, other.Failures)

		listed, _, err := p.backups.Tasks(t.Context(), p.reseller, backup.TaskQuery{})
		require.NoError(t, err)
		for _, task := range listed {
			assert.Equal(t, requests[1], task.RequestID, "a list leaves the spoilt task out")
		}
		assert.NotEmpty(t, listed)
		executeAll(t, raw(t, dsn), fmt.Sprintf(`UPDATE backup_tasks SET result = '{}' WHERE request_id = '%s'`, requests[0]))
		now.Set(now.Now().Add(3 * time.Hour))
		_, err = p.backups.Tick(t.Context())
		require.NoError(t, err)
	})
}

// TestEditedCountOfClaims: somebody has edited how often a record could not be read. It is put aside as any other.
func TestEditedCountOfClaims(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		for _, count := range []int64{-1, math.MinInt64, math.MaxInt64} {
			dsn, of := fresh(t), requests()
			db := open(t, dsn)
			bad, good := uuid.New(), uuid.New()
			require.NoError(t, of.put(t.Context(), db, bad, uuid.New(), day(1)))
			require.NoError(t, of.put(t.Context(), db, good, uuid.New(), day(2)))
			executeAll(t, raw(t, dsn), fmt.Sprintf(`UPDATE backup_requests SET unreadable = %d, form = '7' WHERE id = '%s'`, count, bad))
			ids, unreadable, _, err := of.claim(t.Context(), db, day(3), day(3).Add(5*time.Minute))
			require.NoError(t, err)
			assert.Equal(t, []uuid.UUID{good}, ids)
			assert.Len(t, unreadable, 1)
		}
	})
}
