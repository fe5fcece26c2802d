package smtpnotify_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/notify/notifytest"

	"github.com/metalkeep/metalkeep/examples/smtpnotify"
)

// TestNotifier runs the conformance suite.
func TestNotifier(t *testing.T) {
	t.Parallel()
	s := start(t)
	notifytest.TestNotifier(t, func(t *testing.T) (notify.Notifier, func() []string) {
		before := len(s.arrived())
		return s.sender(nil), func() []string {
			list := s.arrived()
			var texts []string
			for _, m := range list[:len(list)-before] {
				texts = append(texts, string(s.raw(m.ID)))
			}
			return texts
		}
	})
}

func message() notify.Message {
	return notify.Message{
		ID: uuid.New(), ResellerID: uuid.New(), Kind: "backup.completed", To: notify.Recipient{Audience: notify.ToClient, ID: uuid.New()},
		Person: notify.Person{Name: "Zoë Łuk", Address: "zoe@client.example", Locale: "de-AT"}, Locale: "de",
		Subject: "Sicherung von web‑07 abgeschlossen: größer als je zuvor, und mit einem Betreff, der nicht in eine Zeile passt",
		Text:    "Grüße\n.\n..\nFrom here\n" + strings.Repeat("ß", 2000) + "\n", HTML: "<p>Grüße &amp; mehr</p>\n",
	}
}

// sendAndParse sends a message and parses the received mail.
func sendAndParse(t *testing.T, s *server, m notify.Message) (*mail.Message, summary) {
	t.Helper()
	require.NoError(t, s.sender(nil).Notify(within(t, 10*time.Second), m))
	list := s.arrived()
	require.NotEmpty(t, list)
	parsed, err := mail.ReadMessage(bytes.NewReader(s.raw(list[0].ID)))
	require.NoError(t, err)
	return parsed, list[0]
}

func TestReceivedMail(t *testing.T) {
	t.Parallel()
	s, m := start(t), message()
	got, _ := sendAndParse(t, s, m)
	decoded := func(header string) string {
		text, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get(header))
		require.NoError(t, err)
		return text
	}
	assert.Equal(t, m.Subject, decoded("Subject"))
	assert.Equal(t, "<"+m.ID.String()+"@hosting.example>", got.Header.Get("Message-ID"))
	assert.Equal(t, "auto-generated", got.Header.Get("Auto-Submitted"))
	assert.Equal(t, "de", got.Header.Get("Content-Language"))
	for header, want := range map[string]mail.Address{
		"From": {Name: "Müller Hosting", Address: "panel@hosting.example"}, "To": {Name: "Zoë Łuk", Address: "zoe@client.example"},
	} {
		list, err := got.Header.AddressList(header)
		require.NoError(t, err)
		require.Len(t, list, 1)
		assert.Equal(t, want, *list[0])
	}
	date, err := got.Header.Date()
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), date, time.Minute)

	kind, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	parts := multipart.NewReader(got.Body, params["boundary"])
	for _, want := range []struct{ kind, body string }{{"text/plain", m.Text}, {"text/html", m.HTML}} {
		part, err := parts.NextRawPart()
		require.NoError(t, err)
		kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		require.NoError(t, err)
		assert.Equal(t, want.kind, kind)
		assert.Equal(t, "utf-8", strings.ToLower(params["charset"]))
		require.Equal(t, "quoted-printable", part.Header.Get("Content-Transfer-Encoding"))
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		require.NoError(t, err)
		assert.Equal(t, strings.TrimSpace(want.body), strings.TrimSpace(strings.ReplaceAll(string(body), "\r\n", "\n")))
	}
	_, err = parts.NextPart()
	require.ErrorIs(t, err, io.EOF)
}

func TestMailWithoutHTML(t *testing.T) {
	t.Parallel()
	m := message()
	m.HTML, m.Locale, m.Person.Name = "", "de\r\nBcc: x@evil.example", "Bad\r\nBcc: x@evil.example\u202e"
	got, listed := sendAndParse(t, start(t), m)
	kind, _, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	require.NoError(t, err)
	assert.Equal(t, "text/plain", kind)
	assert.Empty(t, got.Header.Get("Bcc"))
	assert.Empty(t, got.Header.Get("Content-Language"), "the locale is not a language tag")
	to, err := got.Header.AddressList("To")
	require.NoError(t, err)
	assert.Equal(t, "Bad  Bcc: x@evil.example", to[0].Name)
	assert.Len(t, listed.To, 1)
}

// permanent reports whether an error makes the delivery a dead letter at once.
func permanent(t *testing.T, err error) bool {
	t.Helper()
	box := &notify.MemoryOutbox{}
	d, newErr := notify.New(notify.Config{Outbox: box},
		notify.Subscriber{Name: "x", Handle: func(context.Context, notify.Event) error { return err }})
	require.NoError(t, newErr)
	box.Append(notify.Event{ID: uuid.New(), At: time.Now()})
	_, tickErr := d.Tick(t.Context())
	require.NoError(t, tickErr)
	_, dead, _, depthErr := box.Depth(t.Context())
	require.NoError(t, depthErr)
	return dead == 1
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code      int
		permanent bool
	}{
		"greylisted":     {450, false},
		"mailbox full":   {452, false},
		"no such user":   {550, true},
		"policy":         {554, true},
		"login required": {530, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			sender := s.sender(nil)
			s.refuse(tt.code, 100)
			err := sender.Notify(within(t, 10*time.Second), message())
			require.Error(t, err)
			assert.Equal(t, tt.permanent, permanent(t, err), err.Error())
			s.refuse(tt.code, 0)
			require.NoError(t, sender.Notify(within(t, 10*time.Second), message()), "the connection can be used for the next mail")
			assert.Len(t, s.arrived(), 1)
		})
	}
}

func TestInvalidMessages(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, address := range map[string]string{
		"none": "", "no address": "Zoë", "two": "a@b.example, c@d.example", "line break": "a@b.example\r\nBcc: c@d.example",
		"command": "a@b.example>\r\nRCPT TO:<c@d.example",
	} {
		m := message()
		m.Person.Address = address
		err := s.sender(nil).Notify(t.Context(), m)
		require.Error(t, err, name)
		assert.True(t, permanent(t, err), name)
	}
	sender := s.sender(func(c *smtpnotify.Config) { c.From = func(notify.Message) mail.Address { return mail.Address{} } })
	require.ErrorContains(t, sender.Notify(t.Context(), message()), "the sender's address")
	assert.Empty(t, s.arrived())
}

// TestConnectionsAreUsedAgain counts connections with a proxy.
func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := newProxy(t, s.smtp)
	sender := s.sender(func(c *smtpnotify.Config) { c.Port = p.port() })
	for range 5 {
		require.NoError(t, sender.Notify(within(t, 10*time.Second), message()))
	}
	assert.Equal(t, 1, p.connections())
	p.cut()
	require.NoError(t, sender.Notify(within(t, 10*time.Second), message()), "a closed connection is replaced")
	assert.Equal(t, 2, p.connections())
	assert.Len(t, s.arrived(), 6)
	require.NoError(t, sender.Close())
	require.NoError(t, sender.Notify(within(t, 10*time.Second), message()))
	assert.Equal(t, 3, p.connections())
}

func TestSlowServer(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := newProxy(t, s.smtp)
	sender := s.sender(func(c *smtpnotify.Config) { c.Port, c.Timeout = p.port(), 300*time.Millisecond })
	require.NoError(t, sender.Notify(within(t, 10*time.Second), message()))
	p.stall(true)
	began := time.Now()
	err := sender.Notify(t.Context(), message())
	require.Error(t, err)
	assert.False(t, permanent(t, err))
	assert.Less(t, time.Since(began), 5*time.Second)

	patient := s.sender(func(c *smtpnotify.Config) { c.Port, c.Timeout = p.port(), time.Minute })
	err = patient.Notify(within(t, 200*time.Millisecond), message())
	require.ErrorIs(t, err, context.DeadlineExceeded, "the context ends while Notify connects")
	p.stall(false)
	require.NoError(t, patient.Notify(within(t, 10*time.Second), message()))
	p.stall(true)
	began = time.Now()
	err = patient.Notify(within(t, 200*time.Millisecond), message())
	require.ErrorIs(t, err, context.DeadlineExceeded, "the context ends while Notify sends")
	assert.Less(t, time.Since(began), 5*time.Second)
}

// certificate returns a certificate for 127.0.0.1 in two files, and a configuration that trusts it.
func certificate(t *testing.T) (certFile, keyFile string, trust *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	trust = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12} // without a ServerName, so that New sets it
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "EC PRIVATE KEY", private), trust
}

// TestEncryptionAndLogin shows that a sender with encryption never sends without it, and that a wrong password is not a permanent
// error.
func TestEncryptionAndLogin(t *testing.T) {
	t.Parallel()
	cert, key, trust := certificate(t)
	users := filepath.Join(t.TempDir(), "users")
	require.NoError(t, os.WriteFile(users, []byte("panel:secret\n"), 0o600))
	encrypted := []string{"--smtp-tls-cert", cert, "--smtp-tls-key", key, "--smtp-auth-file", users}
	upgrades := start(t, append(encrypted, "--smtp-require-starttls")...)
	implicit := start(t, append(encrypted, "--smtp-require-tls")...)
	clear := start(t)
	for name, tt := range map[string]struct {
		server   *server
		tls      smtpnotify.TLS
		trust    *tls.Config
		user     string
		password string
		err      string // "": the mail arrives
	}{
		"STARTTLS":                {server: upgrades, tls: smtpnotify.STARTTLS, trust: trust, user: "panel", password: "secret"},
		"implicit":                {server: implicit, tls: smtpnotify.Implicit, trust: trust, user: "panel", password: "secret"},
		"wrong password":          {server: upgrades, trust: trust, user: "panel", password: "wrong", err: "535"},
		"no login":                {server: upgrades, trust: trust, err: "530"},
		"unknown certificate":     {server: upgrades, user: "panel", password: "secret", err: "certificate"},
		"unknown, implicit":       {server: implicit, tls: smtpnotify.Implicit, user: "panel", password: "secret", err: "certificate"},
		"STARTTLS is not offered": {server: clear, trust: trust, err: "does not support STARTTLS"},
		"encryption is required":  {server: upgrades, tls: smtpnotify.Plaintext, err: "530"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sender := tt.server.sender(func(c *smtpnotify.Config) {
				c.TLS, c.TLSConfig, c.Username, c.Password = tt.tls, tt.trust, tt.user, tt.password
			})
			m := message()
			err := sender.Notify(within(t, 10*time.Second), m)
			sent := false
			for _, got := range tt.server.arrived() {
				sent = sent || strings.HasPrefix(got.MessageID, m.ID.String())
			}
			assert.Equal(t, tt.err == "", sent)
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.err)
			assert.False(t, permanent(t, err), "the error is not permanent")
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	from := func(notify.Message) mail.Address { return mail.Address{} }
	for name, c := range map[string]smtpnotify.Config{
		"no host":              {From: from},
		"no sender":            {Host: "mail.example"},
		"unknown encryption":   {Host: "mail.example", From: from, TLS: 9},
		"unencrypted password": {Host: "mail.example", From: from, TLS: smtpnotify.Plaintext, Username: "panel"},
		"negative time":        {Host: "mail.example", From: from, Timeout: -1},
		"impossible port":      {Host: "mail.example", From: from, Port: 99999},
	} {
		_, err := smtpnotify.New(c)
		require.Error(t, err, name)
	}
}
