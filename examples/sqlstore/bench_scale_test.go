package sqlstore_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
)

// BenchmarkScale warns of 100 cancellations in a Tick, claims as many, and reads pages of servers, among few servers and
// cancellations and among many. The largest number is measured with METALKEEP_LONG=1.
func BenchmarkScale(b *testing.B) {
	sizes := []int{10_000, 100_000}
	if long() {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("stored=%d", n), func(b *testing.B) {
			onBoth(b, func(b *testing.B, dsn string) { benchScale(b, dsn, n) })
		})
	}
}

func benchScale(b *testing.B, dsn string, n int) {
	db := opened(b, dsn)
	p, err := benchPanel(storesOf(db), benchNow())
	require.NoError(b, err)
	own, err := sql.Open(driverOf(dsn))
	require.NoError(b, err)
	defer func() { require.NoError(b, own.Close()) }()
	fillForScale(b, db, own, isSQLite(dsn), n)
	warnAWeekAhead(b, p)

	const due = 100
	renew := func(b *testing.B) {
		b.StopTimer()
		forget(b, own)
		prepareWarnings(b, p.stores, due)
		b.StartTimer()
	}
	b.Run("tick", func(b *testing.B) {
		for b.Loop() {
			renew(b)
			_, err := p.cancellations.Tick(b.Context())
			require.NoError(b, err)
		}
	})
	b.Run("claim", func(b *testing.B) {
		for b.Loop() {
			renew(b)
			claimed, err := db.Cancellations().ClaimDue(b.Context(), benchNow(), benchNow().Add(time.Hour), due)
			require.NoError(b, err)
			require.Len(b, claimed.Cancellations, due)
		}
	})
	for _, page := range []int{1, 1000} {
		b.Run(fmt.Sprintf("page=%d", page), func(b *testing.B) { benchPage(b, p, page, min(10, n/1000-1)) })
	}
}

// fillForScale stores servers of the panel's reseller, and a cancellation for each, which is not due before day 400.
func fillForScale(b *testing.B, db *sqlstore.DB, own *sql.DB, sqlite bool, n int) {
	b.Helper()
	fill(b, db, own, sqlite, n, "servers", "cancellations")
	_, err := own.Exec("UPDATE servers SET reseller_id = $1", named("reseller").String())
	require.NoError(b, err)
	if !sqlite {
		_, err = own.Exec("VACUUM ANALYZE")
		require.NoError(b, err)
	}
}

// forget removes what was due, so that no more is stored in the last round than in the first.
func forget(b *testing.B, own *sql.DB) {
	b.Helper()
	prepared := fmt.Sprintf("FROM cancellations WHERE due > %s AND due < %d", forEver, day(400).UnixMicro())
	for _, remove := range []string{
		"DELETE FROM servers WHERE id IN (SELECT server_id " + prepared + ")", "DELETE " + prepared,
		"DELETE FROM deliveries", "DELETE FROM events",
	} {
		_, err := own.Exec(remove)
		require.NoError(b, err)
	}
}

func benchPage(b *testing.B, p *panel, page, limit int) {
	q := dedicated.Query{Limit: limit}
	for range page - 1 {
		_, next, err := p.stores.servers.Servers(b.Context(), p.reseller.ResellerID, q)
		require.NoError(b, err)
		q.After = next
	}
	for b.Loop() {
		items, _, err := p.stores.servers.Servers(b.Context(), p.reseller.ResellerID, q)
		require.NoError(b, err)
		require.Len(b, items, q.Limit)
	}
}
