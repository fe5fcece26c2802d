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

// mailpit is the SMTP server of these tests. It says over HTTP what arrived.
const mailpit = "github.com/axllent/mailpit@v1.27.11"

// tools is where the server is built, once.
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

// server is a mailpit process on loopback. What arrived outlives it, in a file.
type server struct {
	t          *testing.T
	args       []string
	smtp, http int
	process    *exec.Cmd
}

// start runs a server. Extra arguments are its own.
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

// freePort is one of loopback that nobody listens on.
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
		_ = conn.Close() // that it opened is enough
		answer, err := http.Get(s.url("/readyz"))
		if err != nil {
			return false
		}
		_ = answer.Body.Close() // nothing is read of it
		return answer.StatusCode == http.StatusOK
	}, 20*time.Second, 20*time.Millisecond, "the SMTP server does not answer")
}

// kill ends the process without a warning.
func (s *server) kill() {
	_ = s.process.Process.Kill() // it may have ended
	_ = s.process.Wait()         // says that it was killed
}

func (s *server) url(path string) string { return "http://127.0.0.1:" + strconv.Itoa(s.http) + path }

// summary is what the server lists of a mail.
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

// raw is a mail as it travelled.
func (s *server) raw(id string) []byte { return s.get("/api/v1/message/" + id + "/raw") }

// refuse makes the server refuse recipients with a code, with a probability in percent.
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

// sender sends to the server, in the clear unless the configuration says otherwise.
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
	s.t.Cleanup(func() { _ = sender.Close() }) // the server may be gone
	return sender
}

// within is a context for what must end soon.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
