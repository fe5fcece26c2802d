package sqlstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// benchNow is the time at which everything is due that the benchmarks prepare.
func benchNow() time.Time { return day(40) }

// benchCase is a type of due records.
type benchCase struct {
	name    string
	n       int // the number of due records in a round
	prepare func(b *testing.B, into stores, n int)
	ticker  func(p *panel) dedicated.Ticker
	floor   func(ctx context.Context, h *byHand) error
	each    effect // of one record
	done    string // the query that counts the processed records
}

// effect counts the changes in a database. records and deliveries are sums of versions: they count how often a row was written.
type effect struct{ done, records, events, deliveries int }

func (e effect) times(n int) effect {
	return effect{n * e.done, n * e.records, n * e.events, n * e.deliveries}
}

func (e effect) minus(o effect) effect {
	return effect{e.done - o.done, e.records - o.records, e.events - o.events, e.deliveries - o.deliveries}
}

func benchCases() []benchCase {
	cancellations := func(p *panel) dedicated.Ticker { return p.cancellations }
	return []benchCase{
		{
			"warnings", 4000, prepareWarnings, cancellations, floorWarnings, effect{done: 1, records: 2, events: 1, deliveries: 1},
			"SELECT count(DISTINCT subject_id) FROM events WHERE kind = 'cancellation.warning'",
		},
		{ // eight commits: the start, four completed steps and the end of the cancellation; the release and the unlock of the server
			"executions", 1000, prepareExecutions, cancellations, floorExecutions, effect{done: 1, records: 9, events: 4, deliveries: 7},
			"SELECT count(*) FROM cancellations WHERE state = 'executed'",
		},
		{
			"plans", 4000, preparePlans, func(p *panel) dedicated.Ticker { return p.backups }, floorPlans,
			effect{done: 1, records: 4, events: 1, deliveries: 1},
			"SELECT count(DISTINCT request_id) FROM backup_tasks WHERE state = 'skipped'",
		},
		{
			"deliveries", 4000, prepareDeliveries, func(p *panel) dedicated.Ticker { return p.dispatcher }, floorDeliveries,
			effect{done: 1, deliveries: 2},
			"SELECT count(*) FROM deliveries WHERE delivered",
		},
	}
}

// benchPanel makes a panel at an instant. Its host does nothing.
func benchPanel(s stores, now time.Time) (*panel, error) {
	c := clock.NewMock()
	c.Set(now)
	return newPanel(s, host{
		clock: c, biller: monthlyBiller{func(context.Context, cancellation.Refund) error { return nil }},
		mail: func(context.Context, notify.Event) error { return nil },
	})
}

// assignServers makes assigned servers in memory, some days before benchNow. It calls do for each server, and copies the servers to the
// stores.
func assignServers(b *testing.B, into stores, n, days int, do func(p *panel, s dedicated.Server)) {
	b.Helper()
	p, err := benchPanel(storesInMemory(), benchNow().AddDate(0, 0, -days))
	require.NoError(b, err)
	warnAWeekAhead(b, p)
	var changes []dedicated.Change
	for i := range n {
		id := uuid.New()
		_, err := p.servers.Add(b.Context(), p.reseller, dedicated.NewServer{ID: id, Name: fmt.Sprint("web-", i)})
		require.NoError(b, err)
		s, err := p.servers.Assign(b.Context(), p.reseller, id, dedicated.NewAssignment{ClientID: named("client"), Billing: monthly()})
		require.NoError(b, err)
		do(p, s)
		s.Version = 0
		changes = append(changes, dedicated.Change{Servers: []dedicated.Server{s}})
	}
	require.NoError(b, into.servers.Commit(b.Context(), changes...))
}

// warnAWeekAhead saves settings with a warning 7 days ahead. Nothing may be scheduled yet.
func warnAWeekAhead(b *testing.B, p *panel) {
	b.Helper()
	_, err := p.cancellations.SaveSettings(b.Context(), p.reseller, cancellation.Settings{Warn: true, DaysAhead: []int{7}})
	require.NoError(b, err)
	_, err = p.cancellations.Tick(b.Context())
	require.NoError(b, err)
}

func prepareWarnings(b *testing.B, into stores, n int) {
	b.Helper()
	prepareCancellations(b, into, n, benchNow().AddDate(0, 0, 6))
}

func prepareExecutions(b *testing.B, into stores, n int) {
	b.Helper()
	prepareCancellations(b, into, n, benchNow())
}

func prepareCancellations(b *testing.B, into stores, n int, at time.Time) {
	b.Helper()
	var changes []cancellation.Change
	assignServers(b, into, n, 10, func(p *panel, s dedicated.Server) {
		order := cancellation.Order{ServerID: s.ID, When: cancellation.When{At: at}}
		c, err := p.cancellations.Schedule(b.Context(), p.reseller, order)
		require.NoError(b, err)
		c.Version = 0
		changes = append(changes, cancellation.Change{Cancellations: []cancellation.Cancellation{c}})
	})
	require.NoError(b, into.cancellations.Commit(b.Context(), changes...))
}

// preparePlans makes pending tasks that are overdue. Two more occurrences have passed, which must become a skipped task.
func preparePlans(b *testing.B, into stores, n int) {
	b.Helper()
	var changes []backup.Change
	weekly := backup.Schedule{Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Monday}}
	assignServers(b, into, n, 16, func(p *panel, s dedicated.Server) {
		r, err := p.backups.Submit(b.Context(), p.reseller, backup.Form{ServerID: s.ID, Schedule: weekly})
		require.NoError(b, err)
		tasks, _, err := p.stores.backups.Tasks(b.Context(), r.ResellerID, backup.TaskQuery{RequestID: r.ID})
		require.NoError(b, err)
		r.Version, tasks[0].Version = 0, 0
		changes = append(changes, backup.Change{Requests: []backup.Request{r}, Tasks: tasks})
	})
	require.NoError(b, into.backups.Commit(b.Context(), changes...))
}

func prepareDeliveries(b *testing.B, into stores, n int) {
	b.Helper()
	var changes []dedicated.Change
	for range n {
		s := server1(named("reseller"))
		changes = append(changes, dedicated.Change{Servers: []dedicated.Server{s}, Events: []notify.Event{{
			ID: uuid.New(), Kind: "dedicated.assigned", At: benchNow(), ResellerID: s.ResellerID, ServerID: s.ID, SubjectID: s.ID,
			Data: []byte(`{"server_name":"web-01"}`),
		}}})
	}
	require.NoError(b, into.servers.Commit(b.Context(), changes...))
}
