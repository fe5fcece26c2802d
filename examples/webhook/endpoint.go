package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// ErrGone means that the endpoint has answered 410 Gone. Nothing more is posted to it.
var ErrGone = errors.New("the endpoint is gone")

// maxAnswer is how much of an answer is read. The connection can be used again if the answer is shorter.
const maxAnswer = 64 << 10

// Config configures an Endpoint. Name, URL and Secrets are required.
type Config struct {
	Name       string         // name of the subscriber; it identifies the endpoint's deliveries in the outbox
	URL        string         // an https URL
	Secrets    []string       // "whsec_" and base64 of 24 to 64 bytes; several while a secret is being changed
	ResellerID uuid.UUID      // only this reseller's events are posted; nil: all events, for the host's own programs
	Kinds      []notify.Kind  // only these kinds are posted; nil: all kinds, also those for plug-ins
	Timeout    time.Duration  // for one post; 0: 15 seconds. It should be shorter than notify.Config.Timeout
	Allow      []netip.Prefix // private addresses to which posts are allowed
	AllowHTTP  bool           // allows http URLs, without encryption
	TLS        *tls.Config    // nil: the system's certificates
	Resolver   *net.Resolver  // nil: the system's resolver
	Clock      clock.Clock    // nil: real time
	// Gone is called when the endpoint answers 410, so that the host can leave the endpoint out after its next start. If it
	// returns an error, the post is repeated, and Gone is called again. Several goroutines may call it at once. It may be nil.
	Gone func(ctx context.Context) error
}

// Endpoint posts events to one URL. Use New to make one. Many goroutines may use it at once.
type Endpoint struct {
	Config
	keys   [][]byte
	client *http.Client
	gone   atomic.Bool
}

// New makes an Endpoint. It returns an error if the configuration is wrong. It does not connect.
func New(c Config) (*Endpoint, error) {
	if c.Name == "" {
		return nil, errors.New("webhook: Config.Name is required")
	}
	to, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("webhook: Config.URL: %w", err)
	case to.Host == "" || to.User != nil || to.Scheme != "https" && (to.Scheme != "http" || !c.AllowHTTP):
		return nil, fmt.Errorf("webhook: Config.URL is %q, expected https://host/path without a password", to.Redacted())
	case c.Timeout < 0:
		return nil, errors.New("webhook: Config.Timeout is negative")
	}
	found, err := parseSecrets(c.Secrets)
	if err != nil {
		return nil, err
	}
	c.Timeout = cmp.Or(c.Timeout, 15*time.Second)
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	return &Endpoint{Config: c, keys: found, client: c.httpClient()}, nil
}

func (c Config) httpClient() *http.Client {
	dialer := &net.Dialer{Timeout: c.Timeout, Resolver: c.Resolver, Control: checkAddress(c.Allow)}
	return &http.Client{
		Timeout: c.Timeout,
		Transport: &http.Transport{ // without a Proxy, which would connect to addresses that checkAddress cannot see
			DialContext: dialer.DialContext, TLSClientConfig: c.TLS, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: c.Timeout, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Subscriber returns the subscriber for a Dispatcher.
func (e *Endpoint) Subscriber() notify.Subscriber {
	return notify.Subscriber{Name: e.Name, Kinds: e.Kinds, Handle: e.handle}
}

// Enable makes the endpoint post again after 410 Gone. Events that have become dead letters meanwhile are not posted by
// themselves: use notify.Dispatcher.Resend.
func (e *Endpoint) Enable() { e.gone.Store(false) }

func (e *Endpoint) handle(ctx context.Context, event notify.Event) error {
	if e.ResellerID != uuid.Nil && event.ResellerID != e.ResellerID {
		return nil
	}
	if e.gone.Load() {
		return notify.Permanent(ErrGone)
	}
	status, err := e.post(ctx, event)
	switch {
	case errors.Is(err, ErrPrivate):
		return notify.Permanent(err) // no retries, so that nobody can use them to scan a network
	case err != nil:
		return err
	case status == http.StatusGone:
		return e.disable(ctx)
	case status < 200 || status > 299:
		return fmt.Errorf("the endpoint answered %d %s, expected a 2xx", status, http.StatusText(status))
	}
	return nil
}

func (e *Endpoint) disable(ctx context.Context) error {
	if e.Gone != nil {
		if err := e.Gone(ctx); err != nil {
			return fmt.Errorf("%w, and Config.Gone failed: %w", ErrGone, err)
		}
	}
	e.gone.Store(true)
	return notify.Permanent(ErrGone)
}

// Post is the body of a post, in JSON.
type Post struct {
	Type       notify.Kind     `json:"type"`      // the kind of the event
	Timestamp  time.Time       `json:"timestamp"` // the time of the event
	ResellerID uuid.UUID       `json:"reseller_id"`
	ClientID   uuid.UUID       `json:"client_id,omitzero"`  // nil if the event has no client
	ServerID   uuid.UUID       `json:"server_id,omitzero"`  // nil if the event has no server
	SubjectID  uuid.UUID       `json:"subject_id,omitzero"` // the record that the event is about
	Data       json.RawMessage `json:"data"`                // the payload of the kind
}

// post posts an event and returns the status of the answer.
func (e *Endpoint) post(ctx context.Context, event notify.Event) (status int, err error) {
	body, err := json.Marshal(Post{
		Type: event.Kind, Timestamp: event.At, ResellerID: event.ResellerID, ClientID: event.ClientID, ServerID: event.ServerID,
		SubjectID: event.SubjectID, Data: event.Data,
	})
	if err != nil {
		return 0, notify.Permanent(fmt.Errorf("event %s: %w", event.ID, err))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	id, at := notify.MessageID(event.ID, e.Name).String(), e.Clock.Now()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "metalkeep-webhook")
	request.Header.Set(headerID, id)
	request.Header.Set(headerTimestamp, strconv.FormatInt(at.Unix(), 10))
	request.Header.Set(headerSignature, signatures(e.keys, id, at, body))
	answer, err := e.client.Do(request)
	if err != nil {
		return 0, err
	}
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // only the status matters
	return answer.StatusCode, answer.Body.Close()
}
