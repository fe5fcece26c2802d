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

// BenchmarkScale measures how the number of stored records affects a Tick with 100 due warnings, a claim of 100 cancellations, and
// pages of servers. It measures the largest number with METALKEEP_LONG=1.
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
	reset := func(b *testing.B) {
		b.StopTimer()
		deleteDue(b, own)
		prepareWarnings(b, p.stores, due)
		b.StartTimer()
	}
	b.Run("tick", func(b *testing.B) {
		for b.Loop() {
			reset(b)
			_, err := p.cancellations.Tick(b.Context())
			require.NoError(b, err)
		}
	})
	b.Run("claim", func(b *testing.B) {
		for b.Loop() {
			reset(b)
			claimed, err := db.Cancellations().ClaimDue(b.Context(), benchNow(), benchNow().Add(time.Hour), due)
			require.NoError(b, err)
			require.Len(b, claimed.Cancellations, due)
		}
	})
	for _, page := range []int{1, 1000} {
		b.Run(fmt.Sprintf("page=%d", page), func(b *testing.B) { benchPage(b, p, page, min(10, n/1000-1)) })
	}
}

// fillForScale stores servers of the panel's reseller, and as many cancellations, which are not due before day 400.
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

// deleteDue deletes the records of the previous round, so that the number of records stays the same.
func deleteDue(b *testing.B, own *sql.DB) {
	b.Helper()
	prepared := fmt.Sprintf("FROM cancellations WHERE due > %s AND due < %d", zeroTime, day(400).UnixMicro())
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
