package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
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

func commitServers(ctx context.Context, db *sqlstore.DB, servers ...dedicated.Server) error {
	return db.Servers().Commit(ctx, dedicated.Change{Servers: servers})
}

// TestDeadlock makes a Commit and another transaction wait for each other. PostgreSQL aborts the transaction of the Commit, and the
// Commit repeats it.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	dsn := server.Schema(t)
	db, other := open(t, dsn), begin(t, raw(t, dsn))
	a, b := server1(uuid.New()), server1(uuid.New())
	require.NoError(t, commitServers(t.Context(), db, a, b))
	a.Version, b.Version = 1, 1

	execute(t, other, "SET LOCAL deadlock_timeout = '1h'") // PostgreSQL does not abort the other transaction
	execute(t, other, "SELECT FROM servers WHERE id = $1 FOR UPDATE", b.ID.String())
	result := make(chan error)
	go func() { result <- commitServers(context.Background(), db, a, b) }()
	awaitLock(t, raw(t, dsn))
	execute(t, other, "SELECT FROM servers WHERE id = $1 FOR UPDATE", a.ID.String())
	require.NoError(t, other.Rollback())
	require.NoError(t, <-result)
	got, err := db.Servers().Server(t.Context(), a.ID)
	require.NoError(t, err)
	assert.EqualValues(t, 2, got.Version)
}

func begin(t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(context.Background(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

func execute(t *testing.T, tx *sql.Tx, text string, args ...any) {
	t.Helper()
	_, err := tx.Exec(text, args...)
	require.NoError(t, err, text)
}

// awaitLock waits until a process waits for a row of the table servers, and returns the process.
func awaitLock(t *testing.T, db *sql.DB) (pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		err := db.QueryRow(`SELECT l.pid FROM pg_locks l WHERE NOT l.granted AND EXISTS (
			SELECT FROM pg_locks h WHERE h.pid = l.pid AND h.granted AND h.relation = 'servers'::regclass)`).Scan(&pid)
		return err == nil
	}, 20*time.Second, 5*time.Millisecond)
	return pid
}

// TestBusy holds the write lock of SQLite for longer than the busy timeout.
func TestBusy(t *testing.T) {
	t.Parallel()
	dsn := freshSQLite(t) + "&_pragma=busy_timeout(100)"
	db, other := open(t, dsn), begin(t, raw(t, dsn))
	execute(t, other, "INSERT INTO subscribers (name) VALUES ('other')")
	result := make(chan error)
	go func() { result <- commitServers(context.Background(), db, server1(uuid.New())) }()
	time.Sleep(300 * time.Millisecond)
	require.NoError(t, other.Commit())
	require.NoError(t, <-result)
}

// TestLostConnection closes the connection of a Commit before its end. Nothing is written, and the error says so.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	dsn := server.Schema(t)
	db, other := open(t, dsn), begin(t, raw(t, dsn))
	s := server1(uuid.New())
	require.NoError(t, commitServers(t.Context(), db, s))
	s.Version = 1

	execute(t, other, "SELECT FROM servers FOR UPDATE")
	result := make(chan error)
	go func() { result <- commitServers(context.Background(), db, s) }()
	_, err := raw(t, dsn).Exec("SELECT pg_terminate_backend($1)", awaitLock(t, raw(t, dsn)))
	require.NoError(t, err)
	var lost *sqlstore.LostError
	require.ErrorAs(t, <-result, &lost)
	assert.False(t, lost.Unknown)
	assert.Contains(t, lost.Error(), "nothing was written")
	require.NoError(t, other.Rollback())
	require.NoError(t, commitServers(t.Context(), db, s), "repeated on another connection")
}

// TestLostCommit closes the connection during the commit, before or after PostgreSQL commits.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	for name, committed := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Schema(t)
			open(t, dsn) // migrates the schema without the proxy
			p := &proxy{afterCommit: committed}
			db := open(t, p.start(t, dsn))
			s := server1(uuid.New())
			p.setCutting(true)
			err := commitServers(t.Context(), db, s)
			p.setCutting(false)
			var lost *sqlstore.LostError
			require.ErrorAs(t, err, &lost)
			assert.True(t, lost.Unknown)
			assert.Contains(t, lost.Error(), "may have been written")
			if again := commitServers(t.Context(), db, s); committed {
				require.ErrorIs(t, again, dedicated.ErrConflict)
			} else {
				require.NoError(t, again)
			}
		})
	}
}

// proxy is a proxy for PostgreSQL. While cutting is true, it closes a connection at its commit.
type proxy struct {
	afterCommit bool // PostgreSQL receives the commit, and only the answer is lost
	mu          sync.Mutex
	cutting     bool
}

func (p *proxy) setCutting(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutting = on
}

func (p *proxy) isCutting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cutting
}

// start starts the proxy and returns a DSN that uses it.
func (p *proxy) start(t *testing.T, dsn string) string {
	t.Helper()
	return startProxy(t, dsn, p.copyRequests, p.copyAnswers)
}

// startProxy starts a proxy before a database and returns a DSN that uses it. Each direction of each connection has a goroutine.
func startProxy(t *testing.T, dsn string, requests, answers func(from, to net.Conn)) string {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	target := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				return
			}
			go requests(client, server)
			go answers(server, client)
		}
	}()
	u.Host = listener.Addr().String()
	return u.String()
}

// copyRequests copies the data of the client. With afterCommit false it closes the connection instead of sending a commit.
func (p *proxy) copyRequests(client, server net.Conn) {
	defer func() { _ = client.Close() }()
	defer func() { _ = server.Close() }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if p.isCutting() && !p.afterCommit && bytes.Contains(buffer[:n], []byte("commit\x00")) {
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// copyAnswers copies the data of the server. With afterCommit true it closes the connection at the answer to a commit.
func (p *proxy) copyAnswers(server, client net.Conn) {
	defer func() { _ = client.Close() }()
	defer func() { _ = server.Close() }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		if p.isCutting() && p.afterCommit && bytes.Contains(buffer[:n], []byte("COMMIT")) {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestCancelledContexts ends contexts at random times during a Commit. Then all its servers and events are stored, or none.
func TestCancelledContexts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		db, counts := open(t, dsn), raw(t, dsn)
		require.NoError(t, db.Outbox().Register(t.Context(), "mail", nil))
		var usual time.Duration
		for range 10 {
			began := time.Now()
			require.NoError(t, db.Servers().Commit(t.Context(), twenty(uuid.New())))
			usual = time.Since(began)
		}
		written := 0
		for round := range 100 {
			reseller := uuid.New()
			ctx, cancel := context.WithTimeout(t.Context(), rand.N(2*usual))
			err := db.Servers().Commit(ctx, twenty(reseller))
			cancel()
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded, fmt.Sprint("round ", round))
				require.NotErrorAs(t, err, new(*sqlstore.LostError), fmt.Sprint("round ", round))
			}
			var servers, deliveries int // in one statement, because the database may still be committing
			require.NoError(t, counts.QueryRow(fmt.Sprintf(`SELECT (SELECT count(*) FROM servers WHERE reseller_id = '%[1]s'),
				(SELECT count(*) FROM deliveries WHERE reseller_id = '%[1]s')`, reseller)).Scan(&servers, &deliveries))
			require.Equal(t, servers, deliveries, "events are written with their change")
			if servers > 0 {
				require.Equal(t, 20, servers, "all servers of a call are written or none")
				written++
			} else {
				require.Error(t, err, "nothing was written, but the Commit returned nil")
			}
		}
		t.Log(written, "of 100 commits were written")
	})
}

// TestCancelledContextsLeaveNoTransaction shows that no transaction stays open after its context has ended, and that the next call
// succeeds.
func TestCancelledContextsLeaveNoTransaction(t *testing.T) {
	t.Parallel()
	dsn := server.Schema(t) + "&application_name=cancelled"
	db := open(t, dsn)
	require.NoError(t, db.Outbox().Register(t.Context(), "mail", nil))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), rand.N(6*time.Millisecond))
				err := db.Servers().Commit(ctx, twenty(uuid.New()))
				if err == nil {
					_, err = db.Outbox().ClaimDue(ctx, "mail", day(30), day(31), 5)
				}
				cancel()
				if err != nil {
					assert.ErrorIs(t, err, context.DeadlineExceeded)
				}
				assert.NoError(t, db.Servers().Commit(t.Context(), twenty(uuid.New())), "the next call")
			}
		})
	}
	all.Wait()
	const open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cancelled' AND state LIKE 'idle in transaction%'"
	observer := raw(t, server.Schema(t))
	require.Eventually(t, func() bool {
		var left int
		require.NoError(t, observer.QueryRow(open).Scan(&left))
		return left == 0
	}, 10*time.Second, 20*time.Millisecond, "transactions stay open")
}

// twenty returns a change of twenty servers with an event each.
func twenty(reseller uuid.UUID) (c dedicated.Change) {
	for n := range 20 {
		s := server1(reseller)
		c.Servers = append(c.Servers, s)
		c.Events = append(c.Events, notify.Event{
			ID: uuid.New(), Kind: "a.b", At: day(n), ResellerID: reseller, SubjectID: s.ID, Data: []byte(`{}`),
		})
	}
	return c
}
