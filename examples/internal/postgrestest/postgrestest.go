// Package postgrestest provides a PostgreSQL server for tests. $METALKEEP_POSTGRES is the URL of a server. If it is not set, the
// package starts the installed PostgreSQL with a temporary folder and a free port.
package postgrestest

import (
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
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/stretchr/testify/require"
)

// Server is a PostgreSQL server for tests. The zero value starts it at the first call of Schema, and Main stops it. Many
// goroutines may use it at once.
type Server struct {
	start   sync.Once
	failed  error  // the error of the start
	dsn     string // "" if there is no server
	missing string // why there is no server
	folder  string
	process *exec.Cmd // nil if we started no server
	schemas atomic.Int64
}

// Main runs the tests of a package and stops the server. It returns the exit code for TestMain.
func (s *Server) Main(m *testing.M) int {
	code := m.Run()
	if err := s.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping PostgreSQL:", err)
		return 1
	}
	return code
}

// Schema creates an empty schema and returns a URL for it. The schema is dropped when the test ends. Schema skips the test if
// PostgreSQL is not installed.
func (s *Server) Schema(t testing.TB) string {
	t.Helper()
	s.start.Do(func() { s.failed = s.run() })
	require.NoError(t, s.failed, "starting PostgreSQL")
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

// run starts the server, unless the environment names one. It is no error if PostgreSQL is not installed.
func (s *Server) run() error {
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
	owner, err := s.changeOwner()
	if err != nil {
		return err
	}
	data := filepath.Join(s.folder, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), append(collation(bin), "--pgdata", data, "--username", "metalkeep",
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")...)
	initdb.SysProcAttr = owner
	initdb.Dir = s.folder
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	postgres := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", port, "-k", s.folder,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "log_min_messages=fatal")
	postgres.SysProcAttr = owner
	postgres.Dir = s.folder
	if err := postgres.Start(); err != nil {
		return err
	}
	s.process = postgres
	s.dsn = "postgres://metalkeep@127.0.0.1:" + port + "/postgres?sslmode=disable"
	return s.await()
}

// changeOwner gives the folder to another user if the tests run as root, because PostgreSQL refuses to run as root.
func (s *Server) changeOwner() (*syscall.SysProcAttr, error) {
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

// collation returns the options for a linguistic collation, if the server supports it (from version 15 on). So a test fails if code
// relies on the order of bytes without asking for it.
func collation(bin string) []string {
	version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	if err != nil || version < 15 {
		return nil
	}
	return []string{"--locale-provider", "icu", "--icu-locale", "de-DE"}
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

// await waits until the server answers.
func (s *Server) await() error {
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

// stop ends the server immediately (SIGQUIT) and removes its folder.
func (s *Server) stop() error {
	var err error
	if s.process != nil {
		err = s.process.Process.Signal(syscall.SIGQUIT)
		_ = s.process.Wait() // returns an error, because the process was stopped
	}
	if s.folder == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}
