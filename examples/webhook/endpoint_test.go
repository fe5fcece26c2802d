package webhook_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"

	"github.com/metalkeep/metalkeep/examples/webhook"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func secret(letter string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

func event() notify.Event {
	return notify.Event{
		ID: uuid.New(), Kind: "backup.completed", At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), ResellerID: uuid.New(),
		ClientID: uuid.New(), SubjectID: uuid.New(), Data: []byte(`{"server":"<web1>"}`),
	}
}

// serve runs a server on the loopback address.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// endpoint makes an Endpoint that may post to the loopback address, without encryption.
func endpoint(t *testing.T, url string, change func(*webhook.Config)) *webhook.Endpoint {
	t.Helper()
	c := webhook.Config{Name: "hook", URL: url, Secrets: []string{secret("a")}, Allow: loopback, AllowHTTP: true, Timeout: 5 * time.Second}
	if change != nil {
		change(&c)
	}
	e, err := webhook.New(c)
	require.NoError(t, err)
	return e
}

// dispatch delivers events to an endpoint with one Tick of a Dispatcher, and returns the deliveries.
func dispatch(t *testing.T, e *webhook.Endpoint, events ...notify.Event) []notify.Delivery {
	t.Helper()
	box := &notify.MemoryOutbox{}
	d, err := notify.New(notify.Config{Outbox: box, Parallel: 1}, e.Subscriber())
	require.NoError(t, err)
	box.Append(events...)
	_, err = d.Tick(t.Context())
	require.NoError(t, err)
	list, _, err := box.Deliveries(t.Context(), notify.DeliveryQuery{})
	require.NoError(t, err)
	return list
}

// TestPostFollowsTheSpecification verifies posts with the library of the specification.
func TestPostFollowsTheSpecification(t *testing.T) {
	t.Parallel()
	for name, secrets := range map[string][]string{"one": {secret("a")}, "being changed": {secret("b"), secret("a")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := event()
			var body []byte
			var header http.Header
			var failed error
			url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				var standard *standardwebhooks.Webhook
				body, failed = io.ReadAll(r.Body)
				header = r.Header
				if standard, failed = standardwebhooks.NewWebhook(secret("a")); failed == nil {
					failed = standard.Verify(body, header)
				}
			})
			got := dispatch(t, endpoint(t, url, func(c *webhook.Config) { c.Secrets = secrets }), e)
			require.Len(t, got, 1)
			require.True(t, got[0].Delivered, got[0].LastError)
			require.NoError(t, failed)
			assert.Equal(t, notify.MessageID(e.ID, "hook").String(), header.Get("webhook-id"))
			assert.Equal(t, "application/json", header.Get("Content-Type"))
			assert.JSONEq(t, `{"type":"backup.completed","timestamp":"2026-03-01T12:00:00Z","reseller_id":"`+e.ResellerID.String()+
				`","client_id":"`+e.ClientID.String()+`","subject_id":"`+e.SubjectID.String()+`","data":{"server":"<web1>"}}`, string(body))
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		err    string
		dead   bool
	}{
		"ok":           {200, "", false},
		"no content":   {204, "", false},
		"redirect":     {307, "answered 307", false},
		"unauthorized": {401, "answered 401", false},
		"too many":     {429, "answered 429", false},
		"server error": {500, "answered 500", false},
		"gone":         {410, "the endpoint is gone", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { calls.Add(100) })
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				w.Header().Set("Location", elsewhere)
				w.WriteHeader(tt.status)
			})
			got := dispatch(t, endpoint(t, url, nil), event())
			assert.Equal(t, tt.err == "", got[0].Delivered)
			assert.Contains(t, got[0].LastError, tt.err)
			assert.Equal(t, tt.dead, got[0].Dead)
			assert.EqualValues(t, 1, calls.Load(), "the endpoint follows no redirect")
		})
	}
}

func TestGoneDisables(t *testing.T) {
	t.Parallel()
	var calls, goneCalls atomic.Int64
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusGone)
	})
	down := true
	e := endpoint(t, url, func(c *webhook.Config) {
		c.Gone = func(context.Context) error {
			goneCalls.Add(1)
			if down {
				return errors.New("disk full")
			}
			return nil
		}
	})
	got := dispatch(t, e, event())
	assert.False(t, got[0].Dead, "Gone failed, so the post is repeated")
	assert.Contains(t, got[0].LastError, "disk full")
	down = false
	for _, d := range dispatch(t, e, event(), event(), event()) {
		assert.True(t, d.Dead)
		assert.Equal(t, webhook.ErrGone.Error(), d.LastError)
	}
	assert.EqualValues(t, 2, calls.Load(), "the endpoint posts nothing more")
	assert.EqualValues(t, 2, goneCalls.Load())
	e.Enable()
	dispatch(t, e, event())
	assert.EqualValues(t, 3, calls.Load())
}

func TestOnlyTheResellersEvents(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	mine, other := event(), event()
	for _, d := range dispatch(t, endpoint(t, url, func(c *webhook.Config) { c.ResellerID = mine.ResellerID }), mine, other) {
		assert.True(t, d.Delivered)
	}
	assert.EqualValues(t, 1, calls.Load())
}

func TestSlowEndpoint(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices when the client disconnects
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	began := time.Now()
	got := dispatch(t, endpoint(t, url, func(c *webhook.Config) { c.Timeout = 100 * time.Millisecond }), event())
	assert.False(t, got[0].Delivered || got[0].Dead)
	assert.Contains(t, got[0].LastError, "Timeout")
	assert.Less(t, time.Since(began), 4*time.Second)
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	port := url[strings.LastIndexByte(url, ':'):]
	allowNothing := func(c *webhook.Config) { c.Allow = nil }
	for _, host := range []string{
		"127.0.0.1", "localhost", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1",
		"192.0.2.1", "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[fe80::1]", "[fc00::1]", "[fec0::1]",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:db8::1]", "[ff02::1]",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			got := dispatch(t, endpoint(t, "http://"+host+port, allowNothing), event())
			assert.True(t, got[0].Dead, got[0].LastError)
			assert.Contains(t, got[0].LastError, webhook.ErrPrivate.Error())
		})
	}
	t.Cleanup(func() { assert.Zero(t, calls.Load()) })
}

// TestChangedAddress shows that an endpoint is refused when its name resolves to an allowed address first, and to another address
// later.
func TestChangedAddress(t *testing.T) {
	t.Parallel()
	var calls, privateCalls atomic.Int64
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Connection", "close")
	})
	port := url[strings.LastIndexByte(url, ':'):]
	l, err := net.Listen("tcp", "127.0.0.2"+port)
	require.NoError(t, err)
	privateServer := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { privateCalls.Add(1) })}
	go func() { _ = privateServer.Serve(l) }() // returns when the server is closed
	t.Cleanup(func() { _ = privateServer.Close() })

	names := &nameServer{answers: []string{"127.0.0.1", "127.0.0.2"}}
	e := endpoint(t, "http://hooks.example"+port, func(c *webhook.Config) {
		c.Resolver = &net.Resolver{PreferGo: true, Dial: names.dial}
	})
	first := dispatch(t, e, event())
	require.True(t, first[0].Delivered, first[0].LastError)
	second := dispatch(t, e, event())
	assert.True(t, second[0].Dead)
	assert.Contains(t, second[0].LastError, "127.0.0.2")
	assert.EqualValues(t, 1, calls.Load())
	assert.Zero(t, privateCalls.Load())
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	trust := s.Client().Transport.(*http.Transport).TLSClientConfig
	for name, tt := range map[string]struct {
		trust     *tls.Config
		delivered bool
	}{"trusted": {trust, true}, "unknown": {nil, false}} {
		got := dispatch(t, endpoint(t, s.URL, func(c *webhook.Config) { c.TLS = tt.trust }), event())
		assert.Equal(t, tt.delivered, got[0].Delivered, name)
		assert.False(t, got[0].Dead, name)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := webhook.Config{Name: "hook", URL: "https://panel.example/hooks", Secrets: []string{secret("a")}}
	_, err := webhook.New(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*webhook.Config){
		"no name":       func(c *webhook.Config) { c.Name = "" },
		"no URL":        func(c *webhook.Config) { c.URL = "" },
		"http":          func(c *webhook.Config) { c.URL = "http://panel.example" },
		"file":          func(c *webhook.Config) { c.URL = "file:///etc/passwd" },
		"password":      func(c *webhook.Config) { c.URL = "https://a:b@panel.example" },
		"no host":       func(c *webhook.Config) { c.URL = "https:///hooks" },
		"control":       func(c *webhook.Config) { c.URL = "https://panel.example/\r\n" },
		"no secret":     func(c *webhook.Config) { c.Secrets = nil },
		"short secret":  func(c *webhook.Config) { c.Secrets = []string{"whsec_YWJj"} },
		"no base64":     func(c *webhook.Config) { c.Secrets = []string{"whsec_%%%"} },
		"negative time": func(c *webhook.Config) { c.Timeout = -1 },
	} {
		c := good
		change(&c)
		_, err := webhook.New(c)
		require.Error(t, err, name)
	}
}

// TestRetriesAreHandledOnce delivers from an outbox to a Receiver, and loses answers.
func TestRetriesAreHandledOnce(t *testing.T) {
	t.Parallel()
	mock := clock.NewMock()
	mock.Set(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	var mu sync.Mutex
	handled := map[string]int{}
	receiver := &webhook.Receiver{Secrets: []string{secret("a")}, Clock: mock, Handle: func(_ context.Context, id string, p webhook.Post) error {
		mu.Lock()
		defer mu.Unlock()
		handled[id+string(p.Data)]++
		return nil
	}}
	var posts atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if posts.Add(1)%2 == 1 { // the post is handled, and the answer is lost
			receiver.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		receiver.ServeHTTP(w, r)
	})
	box := &notify.MemoryOutbox{}
	d, err := notify.New(notify.Config{Outbox: box, Clock: mock, Parallel: 1},
		endpoint(t, url, func(c *webhook.Config) { c.Clock = mock }).Subscriber())
	require.NoError(t, err)
	e := event()
	e.SubjectID = uuid.Nil
	box.Append(e)
	for range 2 {
		_, err = d.Tick(t.Context())
		require.NoError(t, err)
		mock.Add(time.Minute)
	}
	waiting, dead, _, err := box.Depth(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []int{0, 0}, []int{waiting, dead})
	assert.EqualValues(t, 2, posts.Load())
	assert.Equal(t, map[string]int{notify.MessageID(e.ID, "hook").String() + `{"server":"\u003cweb1\u003e"}`: 1}, handled)
}
