package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/examples/webhook"
)

const body = `{"type":"backup.completed","timestamp":"2026-03-01T12:00:00Z","data":{"server":"web1"}}`

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// post is a post that the library of the specification has signed.
type post struct {
	header http.Header
	body   string
}

func signed(t *testing.T, id string, at time.Time) post {
	t.Helper()
	standard, err := standardwebhooks.NewWebhook(secret("a"))
	require.NoError(t, err)
	signature, err := standard.Sign(id, at, []byte(body))
	require.NoError(t, err)
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", signature)
	return post{h, body}
}

// send sends a post to a receiver and returns the status of the answer.
func send(r *webhook.Receiver, p post) int {
	request := httptest.NewRequest(http.MethodPost, "/hooks", bytes.NewBufferString(p.body))
	request.Header = p.header
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	return w.Code
}

func TestReceiverRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at     time.Duration // from now
		change func(*post)
		want   int
	}{
		"good":           {0, func(*post) {}, 204},
		"a little old":   {-5 * time.Minute, func(*post) {}, 204},
		"a little early": {5 * time.Minute, func(*post) {}, 204},
		"several signatures": {0, func(p *post) {
			p.header.Set("webhook-signature", "v1a,x v1,AAAA "+p.header.Get("webhook-signature"))
		}, 204},
		"too old":         {-5*time.Minute - time.Second, func(*post) {}, 401},
		"too early":       {5*time.Minute + time.Second, func(*post) {}, 401},
		"other body":      {0, func(p *post) { p.body += " " }, 401},
		"other ID":        {0, func(p *post) { p.header.Set("webhook-id", "other") }, 401},
		"other time":      {0, func(p *post) { p.header.Set("webhook-timestamp", strconv.FormatInt(noon.Unix()+1, 10)) }, 401},
		"no signature":    {0, func(p *post) { p.header.Del("webhook-signature") }, 401},
		"no ID":           {0, func(p *post) { p.header.Del("webhook-id") }, 401},
		"no time":         {0, func(p *post) { p.header.Del("webhook-timestamp") }, 401},
		"invalid time":    {0, func(p *post) { p.header.Set("webhook-timestamp", "now") }, 401},
		"another version": {0, func(p *post) { p.header.Set("webhook-signature", "v2"+p.header.Get("webhook-signature")[2:]) }, 401},
		"short signature": {0, func(p *post) { p.header.Set("webhook-signature", p.header.Get("webhook-signature")[:20]) }, 401},
		"large body":      {0, func(p *post) { p.body = strings.Repeat("x", 2<<20) }, 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mock := clock.NewMock()
			mock.Set(noon)
			calls := 0
			r := &webhook.Receiver{Secrets: []string{secret("b"), secret("a")}, Clock: mock, Handle: func(context.Context, string, webhook.Post) error {
				calls++
				return nil
			}}
			p := signed(t, "msg_1", noon.Add(tt.at))
			tt.change(&p)
			assert.Equal(t, tt.want, send(r, p))
			assert.Equal(t, tt.want == 204, calls == 1)
		})
	}
}

// TestReplays shows that a copy of a post is refused as long as its timestamp is valid. A post with a new signature is accepted, but
// not handled again.
func TestReplays(t *testing.T) {
	t.Parallel()
	mock := clock.NewMock()
	mock.Set(noon)
	calls := 0
	r := &webhook.Receiver{Secrets: []string{secret("a")}, Clock: mock, Handle: func(context.Context, string, webhook.Post) error {
		calls++
		return nil
	}}
	first := signed(t, "msg_1", noon)
	require.Equal(t, 204, send(r, first))
	require.Equal(t, 409, send(r, first))
	mock.Set(noon.Add(5 * time.Minute))
	require.Equal(t, 409, send(r, first))
	mock.Set(noon.Add(5*time.Minute + time.Second))
	require.Equal(t, 401, send(r, first))
	mock.Set(noon.Add(71 * time.Hour))
	require.Equal(t, 204, send(r, signed(t, "msg_1", mock.Now())))
	require.Equal(t, 1, calls)
	mock.Set(noon.Add(73 * time.Hour))
	require.Equal(t, 204, send(r, signed(t, "msg_1", mock.Now())))
	require.Equal(t, 2, calls, "the ID has expired")
}

// TestHandleFails shows that a post is handled again after an error, but not while the first call still runs.
func TestHandleFails(t *testing.T) {
	t.Parallel()
	mock := clock.NewMock()
	mock.Set(noon)
	started, finish := make(chan struct{}), make(chan error)
	var calls atomic.Int64
	r := &webhook.Receiver{Secrets: []string{secret("a")}, Clock: mock, Handle: func(context.Context, string, webhook.Post) error {
		calls.Add(1)
		started <- struct{}{}
		return <-finish
	}}
	answer := make(chan int)
	post := func(seconds int) {
		p := signed(t, "msg_1", noon.Add(time.Duration(seconds)*time.Second))
		go func() { answer <- send(r, p) }()
	}
	post(0)
	<-started
	post(1)
	require.Equal(t, 503, <-answer, "the first call may still fail")
	finish <- errors.New("disk full")
	require.Equal(t, 500, <-answer)
	post(2)
	<-started
	finish <- nil
	require.Equal(t, 204, <-answer)
	post(3)
	require.Equal(t, 204, <-answer)
	require.EqualValues(t, 2, calls.Load())
}

func TestReceiverWithoutSecrets(t *testing.T) {
	t.Parallel()
	require.Equal(t, 401, send(&webhook.Receiver{}, signed(t, "msg_1", time.Now())))
}

// FuzzReceiver shows that posts without a valid signature are refused, and that none causes a panic.
func FuzzReceiver(f *testing.F) {
	f.Add("msg_1", "1772366400", "v1,AAAA", body)
	f.Add("", "-1", "v1,", "")
	f.Fuzz(func(t *testing.T, id, timestamp, signature, body string) {
		r := &webhook.Receiver{Secrets: []string{secret("a")}, Handle: func(context.Context, string, webhook.Post) error { return nil }}
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
		if _, err := r.Verify(h, []byte(body)); err == nil {
			t.Error("a post without a valid signature was accepted")
		}
	})
}
