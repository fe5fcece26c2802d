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

// TLS says how a connection is encrypted. The zero value is STARTTLS.
type TLS uint8

// The kinds of encryption.
const (
	STARTTLS  TLS = iota // on connecting in the clear, and refused if the server does not offer it; port 587
	Implicit             // from the first byte (RFC 8314); port 465
	Plaintext            // none: for a server on this machine
)

// Config is what a Sender needs. Host and From are required.
type Config struct {
	Host      string
	Port      int // 0: 587, or 465 for Implicit
	TLS       TLS
	TLSConfig *tls.Config // nil: the system's certificates; without a ServerName it is for Host
	Username  string      // "": no authentication
	Password  string
	// From says in whose name a message goes out: that of Message.ResellerID, say. Its domain is also that of the Message-ID.
	From        func(m notify.Message) mail.Address
	Helo        string        // this machine's name; "": as the system has it
	Timeout     time.Duration // of one mail, and of one connecting; 0: 20 seconds. Keep it below notify.Config.Timeout
	Connections int           // kept at most; 0: 8, what a Dispatcher uses at once
}

// Sender is a notify.Notifier. New makes one; many goroutines may use it at once.
type Sender struct {
	client *gomail.Client
	from   func(m notify.Message) mail.Address
	idle   chan *connection
}

var _ notify.Notifier = (*Sender)(nil)

// connection is one to the server, past its greetings.
type connection struct {
	smtp *smtp.Client
	net  net.Conn
}

// New checks the configuration; it does not connect.
func New(c Config) (*Sender, error) {
	switch {
	case c.Host == "" || c.From == nil:
		return nil, errors.New("smtpnotify: Config.Host and Config.From are required")
	case c.TLS > Plaintext:
		return nil, fmt.Errorf("smtpnotify: Config.TLS is %d: STARTTLS, Implicit or Plaintext is wanted", c.TLS)
	case c.TLS == Plaintext && c.Username != "":
		return nil, errors.New("smtpnotify: a password would travel in the clear: Config.Username needs STARTTLS or Implicit")
	case c.Timeout < 0 || c.Connections < 0 || c.Port < 0:
		return nil, errors.New("smtpnotify: a number in Config is negative")
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
		port, auth, policy = 465, gomail.SMTPAuthPlain, gomail.NoTLS // go-mail sees no TLS within a connection it did not dial
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

// dialedKey is where connect, through its context, finds the connection that go-mail dials: it must be closed when the
// context ends, which go-mail does not look at once it has connected.
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

// Close ends the connections that are idle. Sends that are under way end by themselves.
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

// connect dials, encrypts and authenticates. The end of ctx breaks it off.
func (s *Sender) connect(ctx context.Context) (*connection, error) {
	c := &connection{}
	stop := func() bool { return true } // false where the end of ctx has closed the connection
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
		_ = c.net.Close() // what it was used for has failed already
	}
}

// keep puts a connection where the next send finds it, or closes it where there are enough.
func (s *Sender) keep(c *connection) {
	select {
	case s.idle <- c:
	default:
		_ = s.client.CloseWithSMTPClient(c.smtp) // nothing depends on it any more
	}
}
