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

// ErrGone says that the endpoint has answered 410 Gone, and nothing more is posted to it.
var ErrGone = errors.New("the endpoint is gone")

// mostAnswer is how much of an answer is read, so that its connection can be used again.
const mostAnswer = 64 << 10

// Config is what an Endpoint needs. Name, URL and Secrets are required.
type Config struct {
	Name       string         // of the subscriber: tells its deliveries in the outbox
	URL        string         // https
	Secrets    []string       // "whsec_" and base64 of 24 to 64 bytes; more than one while they are being changed
	ResellerID uuid.UUID      // whose events; nil: everybody's, for the host's own programs
	Kinds      []notify.Kind  // nil: all, those for plug-ins too
	Timeout    time.Duration  // of one post; 0: 15 seconds. Keep it below notify.Config.Timeout
	Allow      []netip.Prefix // addresses that are not public, and may be posted to all the same
	AllowHTTP  bool           // without encryption
	TLS        *tls.Config    // nil: the system's certificates
	Resolver   *net.Resolver  // nil: the system's
	Clock      clock.Clock    // nil: real time
	// Gone is told when the endpoint answers 410, so that the host remembers to leave it out from its next start on. Its error
	// has the post tried, and Gone told, again. nil: nobody is told.
	Gone func(ctx context.Context) error
}

// Endpoint posts events to one URL. New makes one; many goroutines may use it at once.
type Endpoint struct {
	Config
	keys   [][]byte
	client *http.Client
	gone   atomic.Bool
}

// New checks the configuration. It posts nothing.
func New(c Config) (*Endpoint, error) {
	if c.Name == "" {
		return nil, errors.New("webhook: Config.Name is required")
	}
	to, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("webhook: Config.URL: %w", err)
	case to.Host == "" || to.User != nil || to.Scheme != "https" && (to.Scheme != "http" || !c.AllowHTTP):
		return nil, fmt.Errorf("webhook: Config.URL is %q: https://host/path is wanted, without a password", to.Redacted())
	case c.Timeout < 0:
		return nil, errors.New("webhook: Config.Timeout is negative")
	}
	found, err := keys(c.Secrets)
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
	dialer := &net.Dialer{Timeout: c.Timeout, Resolver: c.Resolver, Control: guard(c.Allow)}
	return &http.Client{
		Timeout: c.Timeout,
		Transport: &http.Transport{ // without Proxy: one would connect to what guard never sees
			DialContext: dialer.DialContext, TLSClientConfig: c.TLS, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: c.Timeout, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Subscriber is the endpoint as a Dispatcher takes it.
func (e *Endpoint) Subscriber() notify.Subscriber {
	return notify.Subscriber{Name: e.Name, Kinds: e.Kinds, Handle: e.handle}
}

// Enable has events posted again, after 410 Gone. What became a dead letter meanwhile is to be sent again.
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
		return notify.Permanent(err) // and no way to look around in a network
	case err != nil:
		return err
	case status == http.StatusGone:
		return e.disable(ctx)
	case status < 200 || status > 299:
		return fmt.Errorf("the endpoint answered %d %s: a 2xx is wanted", status, http.StatusText(status))
	}
	return nil
}

func (e *Endpoint) disable(ctx context.Context) error {
	if e.Gone != nil {
		if err := e.Gone(ctx); err != nil {
			return fmt.Errorf("%w, which could not be written down: %w", ErrGone, err)
		}
	}
	e.gone.Store(true)
	return notify.Permanent(ErrGone)
}

// Post is what is posted.
type Post struct {
	Type       notify.Kind     `json:"type"`
	Timestamp  time.Time       `json:"timestamp"` // when it became true
	ResellerID uuid.UUID       `json:"reseller_id"`
	ClientID   uuid.UUID       `json:"client_id,omitzero"`
	ServerID   uuid.UUID       `json:"server_id,omitzero"`
	SubjectID  uuid.UUID       `json:"subject_id,omitzero"`
	Data       json.RawMessage `json:"data"` // the kind's payload
}

// post returns the status of the answer.
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
	_, _ = io.CopyN(io.Discard, answer.Body, mostAnswer) // what it says beside its status does not matter
	return answer.StatusCode, answer.Body.Close()
}
