package smtpnotify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"

	"github.com/metalkeep/metalkeep/examples/smtpnotify"
)

// mailpit is the SMTP server of these tests. It lists the received mails over HTTP.
const mailpit = "github.com/axllent/mailpit@v1.27.11"

// tools is the folder with the program of the server, which is built once.
var tools string

var build = sync.OnceValues(func() (string, error) {
	command := exec.Command("go", "install", mailpit)
	command.Env = append(os.Environ(), "GOBIN="+tools, "GOFLAGS=", "CGO_ENABLED=0")
	out, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go install %s: %w\n%s", mailpit, err, out)
	}
	return filepath.Join(tools, "mailpit"), err
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "smtpnotify")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	tools = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// server is a mailpit process on the loopback address. It keeps the received mails in a file, so they survive a restart.
type server struct {
	t          *testing.T
	args       []string
	smtp, http int
	process    *exec.Cmd
}

// start runs a server with additional arguments.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, smtp: freePort(t), http: freePort(t)}
	s.args = append([]string{
		"--smtp", "127.0.0.1:" + strconv.Itoa(s.smtp), "--listen", "127.0.0.1:" + strconv.Itoa(s.http),
		"--database", filepath.Join(t.TempDir(), "mail.db"), "--max", "0", "--quiet", "--disable-version-check",
		"--smtp-disable-rdns", "--enable-chaos",
	}, args...)
	s.restart()
	t.Cleanup(s.kill)
	return s
}

// freePort returns a free port of the loopback address.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	return port
}

func (s *server) restart() {
	s.t.Helper()
	program, err := build()
	require.NoError(s.t, err)
	s.process = exec.Command(program, s.args...)
	s.process.Stdout, s.process.Stderr = io.Discard, os.Stderr
	require.NoError(s.t, s.process.Start())
	require.Eventually(s.t, func() bool {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.smtp)))
		if err != nil {
			return false
		}
		_ = conn.Close() // a successful connection is enough
		answer, err := http.Get(s.url("/readyz"))
		if err != nil {
			return false
		}
		_ = answer.Body.Close() // only the status matters
		return answer.StatusCode == http.StatusOK
	}, 20*time.Second, 20*time.Millisecond, "the SMTP server does not answer")
}

// kill ends the process at once.
func (s *server) kill() {
	_ = s.process.Process.Kill() // the process may have ended already
	_ = s.process.Wait()         // returns an error, because the process was killed
}

func (s *server) url(path string) string { return "http://127.0.0.1:" + strconv.Itoa(s.http) + path }

// summary is a mail in the list of the server.
type summary struct {
	ID        string
	MessageID string
	Subject   string
	Created   time.Time
	To        []*mail.Address
}

func (s *server) get(path string) []byte {
	s.t.Helper()
	answer, err := http.Get(s.url(path))
	require.NoError(s.t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(s.t, errors.Join(err, answer.Body.Close()))
	require.Equal(s.t, http.StatusOK, answer.StatusCode, "%s: %s", path, body)
	return body
}

// arrived lists all mails, the newest first.
func (s *server) arrived() []summary {
	s.t.Helper()
	var page struct{ Messages []summary }
	require.NoError(s.t, json.Unmarshal(s.get("/api/v1/messages?limit=100000"), &page))
	return page.Messages
}

// raw returns the source of a mail.
func (s *server) raw(id string) []byte { return s.get("/api/v1/message/" + id + "/raw") }

// refuse makes the server refuse a percentage of the recipients with a code.
func (s *server) refuse(code, percent int) {
	s.t.Helper()
	body := fmt.Sprintf(`{"Recipient":{"ErrorCode":%d,"Probability":%d}}`, code, percent)
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPut, s.url("/api/v1/chaos"), bytes.NewBufferString(body))
	require.NoError(s.t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	require.NoError(s.t, answer.Body.Close())
	require.Equal(s.t, http.StatusOK, answer.StatusCode)
}

// sender makes a Sender for the server. It does not encrypt unless change sets TLS.
func (s *server) sender(change func(*smtpnotify.Config)) *smtpnotify.Sender {
	s.t.Helper()
	c := smtpnotify.Config{
		Host: "127.0.0.1", Port: s.smtp, TLS: smtpnotify.Plaintext, Timeout: 5 * time.Second,
		From: func(notify.Message) mail.Address {
			return mail.Address{Name: "Müller Hosting", Address: "panel@hosting.example"}
		},
	}
	if change != nil {
		change(&c)
	}
	sender, err := smtpnotify.New(c)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = sender.Close() }) // fails if the server has ended
	return sender
}

// within returns a context with a timeout.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
