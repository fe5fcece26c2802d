package sqlstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// copyOf returns the DSN of a copy of a database.
func copyOf(t *testing.T, dsn string) string {
	t.Helper()
	if isSQLite(dsn) {
		path := filepath.Join(t.TempDir(), "copy.db")
		_, err := raw(t, dsn).Exec("VACUUM INTO ?", path)
		require.NoError(t, err)
		return "sqlite:" + path + "?_pragma=synchronous(off)"
	}
	made := server.Schema(t)
	open(t, made)
	var from string
	require.NoError(t, raw(t, dsn).QueryRow("SELECT current_schema()").Scan(&from))
	to := raw(t, made)
	for _, table := range []string{
		"servers", "backup_requests", "backup_tasks", "tickets", "cancellations", "cancellation_settings", "texts",
		"subscribers", "subscriptions", "events", "deliveries",
	} {
		_, err := to.Exec(fmt.Sprintf("INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT * FROM %s.%s", table, from, table))
		require.NoError(t, err, table)
	}
	_, err := to.Exec(fmt.Sprintf(`UPDATE metalkeep_epoch SET epoch = (SELECT epoch FROM %s.metalkeep_epoch);
		SELECT setval(pg_get_serial_sequence('events', 'seq'), (SELECT max(seq) FROM events))`, from))
	require.NoError(t, err)
	return made
}

// outside is what a restored database does not bring back: machines, money and mailboxes.
type outside struct {
	clock *clock.Mock

	mu        sync.Mutex
	wiped     map[uuid.UUID]int                 // by server
	booked    map[uuid.UUID]cancellation.Refund // by key
	performed map[uuid.UUID]int                 // by request
	mails     []notify.Event                    // in the order in which they came, without repeats
	taken     int                               // how many of mails
	repeats   []notify.Event                    // dropped, because a mail with this ID had come before
}

func (o *outside) Paid(_ context.Context, s dedicated.Server, p dedicated.Period) ([]refund.Charge, error) {
	return monthlyBiller{}.Paid(context.Background(), s, p)
}

func (o *outside) Refund(_ context.Context, r cancellation.Refund) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, repeat := o.booked[r.Key]; !repeat {
		o.booked[r.Key] = r
	}
	return nil
}

func (o *outside) Booked(_ context.Context, key uuid.UUID) (cancellation.Refund, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r, found := o.booked[key]
	return r, found, nil
}

var _ cancellation.BookedRefunds = (*outside)(nil)

func (o *outside) wipe(_ context.Context, _ cancellation.Cancellation, s dedicated.Server) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wiped[s.ID]++
	return nil
}

func (o *outside) Perform(_ context.Context, t backup.Task) (backup.Result, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.performed[t.RequestID]++
	return backup.Result{}, nil
}

func (o *outside) mail(_ context.Context, e notify.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.ContainsFunc(o.mails, func(m notify.Event) bool { return m.ID == e.ID }) {
		o.repeats = append(o.repeats, e)
		return nil
	}
	o.mails = append(o.mails, e)
	return nil
}

// take returns the mails since the last call.
func (o *outside) take() (mails, repeats []notify.Kind) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.mails[o.taken:] {
		mails = append(mails, e.Kind)
	}
	for _, e := range o.repeats {
		repeats = append(repeats, e.Kind)
	}
	o.taken, o.repeats = len(o.mails), nil
	return mails, repeats
}

// start starts a process on a database.
func (o *outside) start(t *testing.T, dsn string) *panel {
	t.Helper()
	p, err := newPanel(storesOf(open(t, dsn)), host{
		clock: o.clock, biller: o, performer: o, mail: o.mail, parallel: 1,
		wipe: []func(context.Context, cancellation.Cancellation, dedicated.Server) error{o.wipe},
	})
	require.NoError(t, err)
	return p
}

// tickAt does everything that is due at an instant.
func (o *outside) tickAt(t *testing.T, p *panel, now time.Time) {
	t.Helper()
	o.clock.Set(now)
	for range 3 { // what one part records another may follow
		for _, part := range p.tickers() {
			_, err := part.Tick(t.Context())
			require.NoError(t, err)
		}
	}
}

// rented is a server that client A uses, with a cancellation at the end of January and a daily backup.
type rented struct {
	id           uuid.UUID
	cancellation uuid.UUID
	backup       uuid.UUID
}

func (p *panel) rent(t *testing.T, name string, cancelled bool) (r rented) {
	t.Helper()
	ctx, a := t.Context(), p.client("A")
	s, err := p.servers.Add(ctx, p.reseller, dedicated.NewServer{ID: named(name), Name: name})
	require.NoError(t, err)
	s, err = p.servers.Assign(ctx, p.reseller, s.ID, dedicated.NewAssignment{ClientID: a.ID, Billing: monthly()})
	require.NoError(t, err)
	b, err := p.backups.Submit(ctx, a, backup.Form{ServerID: s.ID, Schedule: backup.Schedule{Frequency: backup.Daily, Hour: 2}})
	require.NoError(t, err)
	r = rented{id: s.ID, backup: b.ID}
	if cancelled {
		c, err := p.cancellations.Schedule(ctx, a, cancellation.Order{ServerID: s.ID, When: cancellation.When{EndOfPeriod: true}})
		require.NoError(t, err)
		require.Equal(t, day(31), c.At)
		r.cancellation = c.ID
	}
	return r
}

// giveTo takes a server from its client, and gives it to another.
func (p *panel) giveTo(t *testing.T, server uuid.UUID, client string) {
	t.Helper()
	s, err := p.servers.Server(t.Context(), p.reseller, server)
	require.NoError(t, err)
	if s.Used() {
		_, err = p.servers.Release(t.Context(), p.reseller, server, s.Assignment, uuid.Nil, "")
		require.NoError(t, err)
	}
	_, err = p.servers.Restock(t.Context(), p.reseller, server)
	require.NoError(t, err)
	_, err = p.servers.Assign(t.Context(), p.reseller, server, dedicated.NewAssignment{ClientID: p.client(client).ID, Billing: monthly()})
	require.NoError(t, err)
}

// unconfirmed returns what waits for a person.
func (p *panel) unconfirmed(t *testing.T) (cancellations, backups []uuid.UUID) {
	t.Helper()
	c, _, err := p.cancellations.Cancellations(t.Context(), p.reseller, cancellation.Query{Unconfirmed: true})
	require.NoError(t, err)
	for _, c := range c {
		cancellations = append(cancellations, c.ID)
	}
	b, _, err := p.backups.Requests(t.Context(), p.reseller, backup.RequestQuery{Unconfirmed: true})
	require.NoError(t, err)
	for _, b := range b {
		backups = append(backups, b.ID)
	}
	return cancellations, backups
}

// TestRestore: a copy of the database is made. Then two cancellations are moved and executed, and one of the servers goes to client B.
// The copy is restored under a new epoch. Nothing happens to B's machine, and nobody reads what is not true.
func TestRestore(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		o := &outside{
			clock: clock.NewMock(), wiped: map[uuid.UUID]int{}, booked: map[uuid.UUID]cancellation.Refund{}, performed: map[uuid.UUID]int{},
		}
		dsn, ctx := fresh(t), t.Context()
		o.clock.Set(day(10))
		p := o.start(t, dsn)
		_, err := p.cancellations.SaveSettings(ctx, p.reseller, cancellation.Settings{Warn: true, DaysAhead: []int{7}})
		require.NoError(t, err)
		first, second, third := p.rent(t, "web-01", true), p.rent(t, "web-02", true), p.rent(t, "web-03", false)
		o.tickAt(t, p, day(10))
		_, err = p.servers.Suspend(ctx, p.reseller, third.id, "not paid") // the mail waits in the copy
		require.NoError(t, err)
		restored := copyOf(t, dsn)

		for _, r := range []rented{first, second} {
			_, err = p.cancellations.Reschedule(ctx, p.reseller, r.cancellation, cancellation.When{At: day(12)})
			require.NoError(t, err)
		}
		_, err = p.servers.Resume(ctx, p.reseller, third.id)
		require.NoError(t, err)
		o.tickAt(t, p, day(12))
		p.giveTo(t, first.id, "B")
		o.tickAt(t, p, day(13))
		require.Equal(t, map[uuid.UUID]int{first.id: 1, second.id: 1}, o.wiped)
		require.Len(t, o.booked, 2)
		mails, repeats := o.take()
		require.Contains(t, mails, cancellation.KindExecuted)
		require.Empty(t, repeats)
		performed := o.performed[third.backup]

		beginEpoch(t, restored, "2026-02-03")
		p = o.start(t, restored)
		waiting, backups := p.unconfirmed(t)
		assert.ElementsMatch(t, []uuid.UUID{first.cancellation, second.cancellation}, waiting, "before any Tick")
		assert.ElementsMatch(t, []uuid.UUID{first.backup, second.backup, third.backup}, backups)
		for _, now := range []time.Time{day(24), day(33)} {
			o.tickAt(t, p, now)
		}
		assert.Equal(t, map[uuid.UUID]int{first.id: 1, second.id: 1}, o.wiped)
		assert.Equal(t, performed, o.performed[third.backup])
		mails, repeats = o.take()
		assert.Equal(t, []notify.Kind{backup.KindOverdue, backup.KindOverdue, backup.KindOverdue}, mails, "only the reseller hears of backups")
		assert.Equal(t, []notify.Kind{dedicated.KindSuspended}, repeats, "what waited in the copy has its old ID")

		o.decide(t, p, first, second, third)
	})
}

// decide is what the reseller does after the restore.
func (o *outside) decide(t *testing.T, p *panel, first, second, third rented) {
	t.Helper()
	ctx := t.Context()
	_, err := p.cancellations.Discard(ctx, p.reseller, first.cancellation, "executed on 13 January")
	require.NoError(t, err)
	p.giveTo(t, first.id, "B")
	_, err = p.servers.Resume(ctx, p.reseller, third.id) // as before the restore
	require.NoError(t, err)
	require.NoError(t, p.backups.Confirm(ctx, p.reseller, third.backup))
	require.NoError(t, p.cancellations.Confirm(ctx, p.reseller, second.cancellation))
	performed := o.performed[third.backup]
	o.tickAt(t, p, day(34))
	waiting, backups := p.unconfirmed(t)
	assert.Empty(t, waiting)
	assert.Empty(t, backups)
	assert.Equal(t, map[uuid.UUID]int{first.id: 1, second.id: 2}, o.wiped, "only what was confirmed")
	assert.Greater(t, o.performed[third.backup], performed)

	resumed := 0
	for _, e := range o.mails {
		if e.Kind == dedicated.KindResumed {
			resumed++
			want, err := notify.Subject{ID: third.id, Version: 4, Epoch: []string{"", "2026-02-03"}[resumed-1]}.Event(e.Kind, e.At, struct{}{})
			require.NoError(t, err)
			assert.Equal(t, want.ID, e.ID)
		}
	}
	assert.Equal(t, 2, resumed, "the same change before and after the restore")
	mails, repeats := o.take()
	assert.Contains(t, mails, cancellation.KindDiscarded)
	assert.Empty(t, repeats, "a new event has a new ID")
	last := o.mails[slices.IndexFunc(o.mails, func(e notify.Event) bool {
		return e.Kind == cancellation.KindExecuted && e.SubjectID == second.cancellation && !e.At.Before(day(33))
	})]
	var s cancellation.Statement
	require.NoError(t, json.Unmarshal(last.Data, &s))
	assert.Equal(t, "45.93", s.Total, "79.10 for January, 18 of 31 days: what was paid on 13 January")
	for _, r := range o.booked {
		assert.True(t, r.Amount.Equal(decimal.RequireFromString("45.93")), r.Amount)
	}
}
