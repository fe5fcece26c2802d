package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // for the tests' own connections
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/examples/sqlstore"
)

// server is the PostgreSQL that the tests use: the one that $METALKEEP_POSTGRES names, or else one that is started for
// them from the installed programs and stopped at the end.
var server postgresServer

func TestMain(m *testing.M) {
	if dsn := os.Getenv(workerEnv); dsn != "" {
		os.Exit(work(dsn))
	}
	if job := os.Getenv(benchWorkerEnv); job != "" {
		os.Exit(benchMain(job))
	}
	err := server.start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting PostgreSQL:", err)
		os.Exit(1)
	}
	code := m.Run()
	server.stop()
	os.Exit(code)
}

// onEach runs a test on both databases.
func onEach(t *testing.T, test func(t *testing.T, fresh func(*testing.T) string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, freshSQLite)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func(*testing.T) string { return server.fresh(t) })
	})
}

// reused returns what opens a fresh database, or one that was emptied where making one takes long. Only for tests that run
// one after another.
func reused(fresh func(*testing.T) string) func(*testing.T) *sqlstore.DB {
	dsn := ""
	return func(t *testing.T) *sqlstore.DB {
		t.Helper()
		if dsn == "" || isSQLite(dsn) {
			dsn = fresh(t)
		} else {
			empty(t, dsn)
		}
		return open(t, dsn)
	}
}

// empty deletes everything.
func empty(t *testing.T, dsn string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), `DELETE FROM servers; DELETE FROM backup_requests; DELETE FROM backup_tasks; DELETE FROM tickets;
		DELETE FROM cancellations; DELETE FROM cancellation_settings; DELETE FROM texts; DELETE FROM deliveries; DELETE FROM events;
		DELETE FROM subscriptions; DELETE FROM subscribers`)
	require.NoError(t, err)
}

func open(t *testing.T, dsn string) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.Open(context.Background(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// freshSQLite names a file that does not exist yet. The tests do not wait for the disk.
func freshSQLite(t *testing.T) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "panel.db") + "?_pragma=synchronous(off)"
}

type postgresServer struct {
	dsn     string // "": there is none
	missing string // why there is none
	folder  string
	process *exec.Cmd
	schemas atomic.Int64
}

// fresh names a new, empty schema.
func (s *postgresServer) fresh(t *testing.T) string { return s.schema(t) }

func (s *postgresServer) schema(t testing.TB) string {
	t.Helper()
	if s.dsn == "" {
		t.Skip("no PostgreSQL: " + s.missing + "; set METALKEEP_POSTGRES to the URL of an empty database")
	}
	db, err := sql.Open("pgx", s.dsn)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	name := fmt.Sprintf("metalkeep_%d_%d", os.Getpid(), s.schemas.Add(1))
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		db, err := sql.Open("pgx", s.dsn)
		require.NoError(t, err)
		defer func() { _ = db.Close() }()
		_, err = db.Exec("SET client_min_messages = warning; DROP SCHEMA " + name + " CASCADE")
		require.NoError(t, err)
	})
	u, err := url.Parse(s.dsn)
	require.NoError(t, err)
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

func (s *postgresServer) start() error {
	if s.dsn = os.Getenv("METALKEEP_POSTGRES"); s.dsn != "" {
		return nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		s.missing = "no initdb in /usr/lib/postgresql/*/bin"
		return err
	}
	bin := filepath.Dir(found[len(found)-1])
	if s.folder, err = os.MkdirTemp("", "metalkeep-postgres-"); err != nil {
		return err
	}
	owner, err := s.give()
	if err != nil {
		return err
	}
	data := filepath.Join(s.folder, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--pgdata", data, "--username", "metalkeep", "--auth", "trust", "--encoding", "UTF8",
		"--locale", "C", "--no-sync")
	initdb.SysProcAttr = owner
	initdb.Dir = s.folder
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	s.process = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", port, "-k", s.folder,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "log_min_messages=fatal")
	s.process.SysProcAttr = owner
	s.process.Dir = s.folder
	if err := s.process.Start(); err != nil {
		return err
	}
	s.dsn = "postgres://metalkeep@127.0.0.1:" + port + "/postgres?sslmode=disable"
	return s.await()
}

// give hands the folder to somebody else where the tests run as root, whom PostgreSQL refuses.
func (s *postgresServer) give() (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	other, err := user.Lookup("postgres")
	if err != nil {
		if other, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(other.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(other.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return &syscall.SysProcAttr{Credential: credential, Pdeathsig: syscall.SIGTERM}, os.Chown(s.folder, int(uid), int(gid))
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// await returns when the server answers.
func (s *postgresServer) await() error {
	db, err := sql.Open("pgx", s.dsn)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for range 300 {
		if err = db.Ping(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// stop ends the server as quickly as it can be (SIGQUIT): nothing of it is kept.
func (s *postgresServer) stop() {
	if s.process == nil {
		return
	}
	err := errors.Join(s.process.Process.Signal(syscall.SIGQUIT), exitOf(s.process), os.RemoveAll(s.folder))
	if err != nil {
		fmt.Fprintln(os.Stderr, "stopping PostgreSQL:", err)
	}
}

func exitOf(c *exec.Cmd) error {
	err := c.Wait()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil
	}
	return err
}

func isSQLite(dsn string) bool { return strings.HasPrefix(dsn, "sqlite:") }
