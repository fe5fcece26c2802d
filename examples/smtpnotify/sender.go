package smtpnotify

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/metalkeep/metalkeep/notify"
)

// TLS is the encryption of a connection. The zero value is STARTTLS.
type TLS uint8

// The kinds of encryption.
const (
	STARTTLS  TLS = iota // encrypted by STARTTLS; an error if the server does not offer it; port 587
	Implicit             // encrypted from the first byte (RFC 8314); port 465
	Plaintext            // not encrypted, for a server on the same machine
)

// Config configures a Sender. Host and From are required.
type Config struct {
	Host      string      // the name of the SMTP server
	Port      int         // 0: 587, or 465 for Implicit
	TLS       TLS         // the encryption
	TLSConfig *tls.Config // nil: the system's certificates; an empty ServerName means Host
	Username  string      // "": no authentication
	Password  string      // for Username
	// From returns the sender of a message, for example by Message.ResellerID. The Message-ID has its domain. Several goroutines
	// may call it at once.
	From        func(m notify.Message) mail.Address
	Helo        string        // the name of this machine; "": the name that the system reports
	Timeout     time.Duration // for one mail, and for connecting; 0: 20 seconds. It should be shorter than notify.Config.Timeout
	Connections int           // maximum number of idle connections; 0: 8, the default parallelism of a Dispatcher
}

// Sender is a notify.Notifier. Use New to make one. Many goroutines may use it at once.
type Sender struct {
	client *gomail.Client
	from   func(m notify.Message) mail.Address
	idle   chan *connection
}

var _ notify.Notifier = (*Sender)(nil)

// connection is a connection to the server after the handshake.
type connection struct {
	smtp *smtp.Client
	net  net.Conn
}

// New makes a Sender. It returns an error if the configuration is wrong. It does not connect.
func New(c Config) (*Sender, error) {
	switch {
	case c.Host == "" || c.From == nil:
		return nil, errors.New("smtpnotify: Config.Host and Config.From are required")
	case c.TLS > Plaintext:
		return nil, fmt.Errorf("smtpnotify: Config.TLS is %d, expected STARTTLS, Implicit or Plaintext", c.TLS)
	case c.TLS == Plaintext && c.Username != "":
		return nil, errors.New("smtpnotify: Config.Username needs STARTTLS or Implicit, or the password would be sent without encryption")
	case c.Timeout < 0 || c.Connections < 0 || c.Port < 0:
		return nil, errors.New("smtpnotify: Config.Timeout, Config.Connections or Config.Port is negative")
	}
	client, err := gomail.NewClient(c.Host, c.options()...)
	if err != nil {
		return nil, fmt.Errorf("smtpnotify: %w", err)
	}
	return &Sender{client: client, from: c.From, idle: make(chan *connection, cmp.Or(c.Connections, 8))}, nil
}

func (c Config) options() []gomail.Option {
	encryption := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSConfig != nil {
		encryption = c.TLSConfig.Clone()
	}
	encryption.ServerName = cmp.Or(encryption.ServerName, c.Host)
	port, auth, policy := 587, gomail.SMTPAuthAutoDiscover, gomail.TLSMandatory
	options := []gomail.Option{gomail.WithTLSConfig(encryption), gomail.WithTimeout(cmp.Or(c.Timeout, 20*time.Second))}
	switch c.TLS {
	case Implicit:
		port, auth, policy = 465, gomail.SMTPAuthPlain, gomail.NoTLS // go-mail does not notice the TLS of a connection that it did not dial
		options = append(options, gomail.WithDialContextFunc(dialer(encryption)))
	case Plaintext:
		policy = gomail.NoTLS
		options = append(options, gomail.WithDialContextFunc(dialer(nil)))
	default:
		options = append(options, gomail.WithDialContextFunc(dialer(nil)))
	}
	options = append(options, gomail.WithPort(cmp.Or(c.Port, port)), gomail.WithTLSPolicy(policy))
	if c.Username != "" {
		options = append(options, gomail.WithSMTPAuth(auth), gomail.WithUsername(c.Username), gomail.WithPassword(c.Password))
	}
	if c.Helo != "" {
		options = append(options, gomail.WithHELO(c.Helo))
	}
	return options
}

// dialedKey is the key of a function in the context of connect. The dialer passes the new connection to it. connect closes the
// connection when the context ends, because go-mail ignores the context after dialing.
type dialedKey struct{}

func dialer(encryption *tls.Config) gomail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if dialed, ok := ctx.Value(dialedKey{}).(func(net.Conn)); ok {
			dialed(raw)
		}
		if encryption == nil {
			return raw, nil
		}
		encrypted := tls.Client(raw, encryption)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		return encrypted, nil
	}
}

// Close closes the idle connections. Sends that are in progress continue. The Sender can still be used afterwards.
func (s *Sender) Close() error {
	var errs []error
	for {
		select {
		case c := <-s.idle:
			errs = append(errs, s.client.CloseWithSMTPClient(c.smtp))
		default:
			return errors.Join(errs...)
		}
	}
}

// connect dials, encrypts and authenticates. It stops when ctx ends.
func (s *Sender) connect(ctx context.Context) (*connection, error) {
	c := &connection{}
	stop := func() bool { return true } // returns false if the end of ctx has closed the connection
	dialing := context.WithValue(ctx, dialedKey{}, func(raw net.Conn) {
		c.net = raw
		stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
	})
	client, err := s.client.DialToSMTPClientWithContext(dialing)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("connecting to %s: %w", s.client.ServerAddr(), err)
	}
	c.smtp = client
	return c, nil
}

func (c *connection) close() {
	if c.net != nil {
		_ = c.net.Close() // the operation on it has failed already
	}
}

// keep makes a connection idle, or closes it if there are enough idle ones.
func (s *Sender) keep(c *connection) {
	select {
	case s.idle <- c:
	default:
		_ = s.client.CloseWithSMTPClient(c.smtp) // the mail was sent, so the error does not matter
	}
}
