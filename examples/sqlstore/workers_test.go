package sqlstore_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
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

// workerEnv makes the test program run as a worker. Its value is a job in JSON.
const workerEnv = "METALKEEP_WORKER"

// long reports whether the tests with processes run at full length, by METALKEEP_LONG=1.
func long() bool { return os.Getenv("METALKEEP_LONG") != "" }

// job configures a worker.
type job struct {
	DSN   string
	Began time.Time // the real time at which the worker's clock shows dueDay
	Write bool      // the worker writes servers, and prints the ID of each stored one; otherwise it calls Tick
}

// runWorker is the main function of a worker. The worker ends when its standard input is closed.
func runWorker(config string) int {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	var j job
	err := json.Unmarshal([]byte(config), &j)
	if err == nil {
		var db *sqlstore.DB
		if db, err = sqlstore.Open(context.Background(), j.DSN); err == nil {
			err = j.run(db)
		}
	}
	fmt.Fprintln(os.Stderr, "worker:", err)
	return 1
}

func (j job) run(db *sqlstore.DB) error {
	if j.Write {
		return writeServers(db)
	}
	p, err := workerPanel(db, j)
	if err != nil {
		return err
	}
	for {
		for _, ticker := range p.tickers() {
			if _, err := ticker.Tick(context.Background()); err != nil {
				fmt.Fprintln(os.Stderr, "tick:", err)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// fastClock is a clock that is 60 times as fast as real time, so that leases end soon.
type fastClock struct {
	clock.Clock
	began time.Time
}

const speed = 60

func (f fastClock) Now() time.Time { return dueDay().Add(speed * time.Since(f.began)) }

func dueDay() time.Time { return day(40) }

// workerPanel makes a panel whose host records refunds and mails in tables of its own.
func workerPanel(db *sqlstore.DB, j job) (*panel, error) {
	driver, name := driverOf(j.DSN)
	own, err := sql.Open(driver, name)
	if err != nil {
		return nil, err
	}
	return newPanel(storesOf(db), host{
		clock: fastClock{clock.New(), j.Began},
		biller: monthlyBiller{func(ctx context.Context, r cancellation.Refund) error {
			_, err := own.ExecContext(ctx, "INSERT INTO host_refunds (refund, cancellation, amount) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
				r.Key.String(), r.CancellationID.String(), r.Amount.String())
			return err
		}},
		performer: backup.PerformerFunc(func(context.Context, backup.Task) (backup.Result, error) { return backup.Result{Bytes: 1}, nil }),
		deadline:  2 * time.Minute,
		mail: func(ctx context.Context, e notify.Event) error {
			_, err := own.ExecContext(ctx, "INSERT INTO host_mails (event) VALUES ($1)", e.ID.String())
			return err
		},
	})
}

const hostTables = `CREATE TABLE host_refunds (refund TEXT PRIMARY KEY, cancellation TEXT, amount TEXT);
	CREATE TABLE host_mails (event TEXT)`

// worker is a worker process.
type worker struct {
	*exec.Cmd
	stdin io.Closer
}

func startWorker(t *testing.T, j job, out io.Writer) *worker {
	t.Helper()
	config, err := json.Marshal(j)
	require.NoError(t, err)
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), workerEnv+"="+string(config))
	c.Stdout, c.Stderr = out, os.Stderr
	stdin, err := c.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	return &worker{c, stdin}
}

func (w *worker) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, w.Process.Signal(syscall.SIGKILL))
	require.NoError(t, exitOf(w.Cmd))
	_ = w.stdin.Close()
}

// TestKilledWorkers runs worker processes on cancellations and backups that are all due. It repeatedly kills a worker and starts a new
// one. At the end each refund is paid once, each server is released once, each mail is sent, and nothing is due.
func TestKilledWorkers(t *testing.T) {
	for name, tt := range map[string]struct {
		fresh         func(*testing.T) string
		workers       int
		every         time.Duration // between two kills
		usual, atMost int           // number of cancellations, and of backups
	}{
		"postgres": {freshPostgres, 6, time.Second, 300, 3000},
		"sqlite":   {freshSQLite, 1, 2 * time.Second, 200, 3000},
	} {
		t.Run(name, func(t *testing.T) {
			dsn, n := tt.fresh(t), tt.usual
			if long() {
				n = tt.atMost
			}
			if raceDetector && isSQLite(dsn) {
				n, tt.every = n/3, 2*tt.every // the race detector slows SQLite down
			}
			own := raw(t, dsn)
			db := open(t, dsn)
			_, err := own.Exec(hostTables)
			require.NoError(t, err)
			makeDue(t, db, n)

			j := job{DSN: dsn, Began: time.Now()}
			workers := make([]*worker, tt.workers)
			for i := range workers {
				workers[i] = startWorker(t, j, nil)
			}
			kills := 0
			for deadline := time.Now().Add(10 * time.Minute); !allDone(t, own, n) && time.Now().Before(deadline); kills++ {
				time.Sleep(tt.every)
				victim := rand.IntN(len(workers))
				workers[victim].kill(t)
				workers[victim] = startWorker(t, j, nil)
			}
			for _, w := range workers {
				w.kill(t)
			}
			t.Logf("%d cancellations and %d backups took %s, %d workers were killed", n, n, time.Since(j.Began).Round(time.Second), kills)
			checkResults(t, own, n)
		})
	}
}

// makeDue schedules n cancellations and n backups for dueDay.
func makeDue(t *testing.T, db *sqlstore.DB, n int) {
	t.Helper()
	before := clock.NewMock()
	before.Set(dueDay().Add(-24 * time.Hour))
	p, err := newPanel(storesOf(db), host{clock: before, mail: func(context.Context, notify.Event) error { return nil }})
	require.NoError(t, err)
	ctx := t.Context()
	for i := range 2 * n {
		s, client := named(fmt.Sprint("server ", i)), p.client(fmt.Sprint("client ", i))
		_, err1 := p.servers.Add(ctx, p.reseller, dedicated.NewServer{ID: s, Name: fmt.Sprint("web-", i)})
		_, err2 := p.servers.Assign(ctx, p.reseller, s, dedicated.NewAssignment{ClientID: client.ID, Billing: monthly()})
		require.NoError(t, errors.Join(err1, err2))
		if i%2 == 0 {
			_, err = p.cancellations.Schedule(ctx, p.reseller, cancellation.Order{
				ID: named(fmt.Sprint("cancellation ", i)), ServerID: s, When: cancellation.When{At: dueDay()},
			})
		} else {
			once := backup.Schedule{Frequency: backup.Once, Start: dueDay(), Hour: dueDay().Hour()}
			_, err = p.backups.Submit(ctx, client, backup.Form{ID: named(fmt.Sprint("backup ", i)), ServerID: s, Schedule: once})
		}
		require.NoError(t, err)
	}
}

// allDone reports whether nothing is due any more.
func allDone(t *testing.T, db *sql.DB, n int) bool {
	t.Helper()
	return number(t, db, "SELECT count(*) FROM cancellations WHERE state = 'executed'") == n &&
		number(t, db, "SELECT count(*) FROM backup_tasks WHERE state = 'completed'") == n &&
		number(t, db, "SELECT count(*) FROM deliveries WHERE NOT delivered") == 0
}

func checkResults(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	for _, want := range []struct {
		n           int
		what, query string
	}{
		{n, "cancellations are executed", "SELECT count(*) FROM cancellations WHERE state = 'executed'"},
		{n, "backups are completed", "SELECT count(*) FROM backup_tasks WHERE state = 'completed'"},
		{2 * n, "cancellations and tasks exist", "SELECT (SELECT count(*) FROM cancellations) + (SELECT count(*) FROM backup_tasks)"},
		{n, "cancellations were refunded", "SELECT count(DISTINCT cancellation) FROM host_refunds"},
		{n, "refunds were paid", "SELECT count(*) FROM host_refunds"},
		{n, "servers are released and not locked", "SELECT count(*) FROM servers WHERE state = 'clean_up' AND locked_by IS NULL"},
		{n, "servers were released", "SELECT count(DISTINCT server_id) FROM events WHERE kind = 'dedicated.released'"},
		{n, "release events exist", "SELECT count(*) FROM events WHERE kind = 'dedicated.released'"},
		{0, "events were not mailed", "SELECT count(*) FROM events WHERE CAST(id AS TEXT) NOT IN (SELECT event FROM host_mails)"},
		{0, "mails are about no event", "SELECT count(*) FROM host_mails WHERE event NOT IN (SELECT CAST(id AS TEXT) FROM events)"},
		{0, "cancellations are still due", "SELECT count(*) FROM cancellations WHERE due > -62135596800000000"},
		{0, "requests are still due", "SELECT count(*) FROM backup_requests WHERE due > -62135596800000000"},
		{0, "deliveries are waiting or dead", "SELECT count(*) FROM deliveries WHERE NOT delivered OR dead"},
	} {
		assert.Equal(t, want.n, number(t, db, want.query), want.what)
	}
}

// number returns the result of a query for one number.
func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(query).Scan(&n), query)
	return n
}

// writeServers stores servers with an event each, one after the other, and prints the ID of each stored one. It never returns nil.
func writeServers(db *sqlstore.DB) error {
	ctx, reseller := context.Background(), named("reseller")
	if err := db.Outbox().Register(ctx, "mail", nil); err != nil {
		return err
	}
	for {
		s := dedicated.Server{ID: uuid.New(), ResellerID: reseller, Name: "web-01", State: dedicated.InStock}
		event := notify.Event{ID: s.ID, Kind: "a.b", At: dueDay(), ResellerID: reseller, SubjectID: s.ID, Data: []byte(`{}`)}
		if err := db.Servers().Commit(ctx, dedicated.Change{Servers: []dedicated.Server{s}, Events: []notify.Event{event}}); err != nil {
			return err
		}
		fmt.Println(s.ID)
	}
}

// TestKilledWriter kills a process that writes to SQLite at a random time. Afterwards the file is intact, and every server whose ID was
// printed is stored.
func TestKilledWriter(t *testing.T) {
	const rounds = 200
	var dsn string
	all := 0
	for round := range rounds {
		if round%20 == 0 {
			dsn = "sqlite:" + t.TempDir() + "/panel.db?" // the default: commits wait for the disk
		}
		read, write := io.Pipe()
		w := startWorker(t, job{DSN: dsn, Write: true}, write)
		printed := make(chan []uuid.UUID)
		first := make(chan struct{})
		go func() { printed <- readIDs(read, first) }()
		<-first
		time.Sleep(rand.N(30 * time.Millisecond))
		w.kill(t)
		require.NoError(t, write.Close())
		stored := <-printed
		all += len(stored)

		db := raw(t, dsn)
		var integrity string
		require.NoError(t, db.QueryRow("PRAGMA integrity_check").Scan(&integrity))
		require.Equal(t, "ok", integrity)
		require.Zero(t, number(t, db, "SELECT count(*) FROM servers WHERE id NOT IN (SELECT event_id FROM deliveries)"), "servers without their event")
		require.Zero(t, number(t, db, "SELECT count(*) FROM events WHERE id NOT IN (SELECT id FROM servers)"), "events without their server")
		servers := open(t, dsn).Servers()
		for _, id := range stored {
			_, err := servers.Server(t.Context(), id)
			require.NoError(t, err, "round %d: a stored server is missing", round)
		}
	}
	t.Logf("%d kills, %d commits", rounds, all)
}

// readIDs reads the IDs that a worker prints, until the worker ends. It closes first after the first ID. It ignores an incomplete last
// line.
func readIDs(out io.Reader, first chan<- struct{}) []uuid.UUID {
	var ids []uuid.UUID
	for {
		var line string
		if _, err := fmt.Fscanln(out, &line); err != nil {
			if len(ids) == 0 {
				close(first)
			}
			return ids
		}
		id, err := uuid.Parse(line)
		if err == nil {
			ids = append(ids, id)
		}
		if len(ids) == 1 {
			close(first)
		}
	}
}

// exitOf waits until a process ends. The exit code is no error.
func exitOf(c *exec.Cmd) error {
	err := c.Wait()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil
	}
	return err
}
