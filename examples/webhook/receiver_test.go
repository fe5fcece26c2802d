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

// post is one that the specification's own library has signed.
type post struct {
	header http.Header
	body   string
}

func signed(t *testing.T, id string, at time.Time) post {
	t.Helper()
	theirs, err := standardwebhooks.NewWebhook(secret("a"))
	require.NoError(t, err)
	signature, err := theirs.Sign(id, at, []byte(body))
	require.NoError(t, err)
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", signature)
	return post{h, body}
}

// give posts to a receiver and returns the status of its answer.
func give(r *webhook.Receiver, p post) int {
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
		"good":                  {0, func(*post) {}, 204},
		"a little old":          {-5 * time.Minute, func(*post) {}, 204},
		"a clock that is ahead": {5 * time.Minute, func(*post) {}, 204},
		"several signatures": {0, func(p *post) {
			p.header.Set("webhook-signature", "v1a,x v1,AAAA "+p.header.Get("webhook-signature"))
		}, 204},
		"too old":            {-5*time.Minute - time.Second, func(*post) {}, 401},
		"of the future":      {5*time.Minute + time.Second, func(*post) {}, 401},
		"other body":         {0, func(p *post) { p.body += " " }, 401},
		"other ID":           {0, func(p *post) { p.header.Set("webhook-id", "other") }, 401},
		"other time":         {0, func(p *post) { p.header.Set("webhook-timestamp", strconv.FormatInt(noon.Unix()+1, 10)) }, 401},
		"no signature":       {0, func(p *post) { p.header.Del("webhook-signature") }, 401},
		"no ID":              {0, func(p *post) { p.header.Del("webhook-id") }, 401},
		"no time":            {0, func(p *post) { p.header.Del("webhook-timestamp") }, 401},
		"time that is none":  {0, func(p *post) { p.header.Set("webhook-timestamp", "now") }, 401},
		"another version":    {0, func(p *post) { p.header.Set("webhook-signature", "v2"+p.header.Get("webhook-signature")[2:]) }, 401},
		"signature cut off":  {0, func(p *post) { p.header.Set("webhook-signature", p.header.Get("webhook-signature")[:20]) }, 401},
		"more than it reads": {0, func(p *post) { p.body = strings.Repeat("x", 2<<20) }, 413},
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
			assert.Equal(t, tt.want, give(r, p))
			assert.Equal(t, tt.want == 204, calls == 1)
		})
	}
}

// TestReplays: the very same post is refused for as long as its timestamp would do; one signed anew is not handled again.
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
	require.Equal(t, 204, give(r, first))
	require.Equal(t, 409, give(r, first))
	mock.Set(noon.Add(5 * time.Minute))
	require.Equal(t, 409, give(r, first))
	mock.Set(noon.Add(5*time.Minute + time.Second))
	require.Equal(t, 401, give(r, first))
	mock.Set(noon.Add(71 * time.Hour))
	require.Equal(t, 204, give(r, signed(t, "msg_1", mock.Now())))
	require.Equal(t, 1, calls)
	mock.Set(noon.Add(73 * time.Hour))
	require.Equal(t, 204, give(r, signed(t, "msg_1", mock.Now())))
	require.Equal(t, 2, calls, "it is not remembered for ever")
}

// TestWhatWasNotHandled comes again and is handled then, also when it is tried again before the first try has ended.
func TestWhatWasNotHandled(t *testing.T) {
	t.Parallel()
	mock := clock.NewMock()
	mock.Set(noon)
	begun, finish := make(chan struct{}), make(chan error)
	var calls atomic.Int64
	r := &webhook.Receiver{Secrets: []string{secret("a")}, Clock: mock, Handle: func(context.Context, string, webhook.Post) error {
		calls.Add(1)
		begun <- struct{}{}
		return <-finish
	}}
	answer := make(chan int)
	try := func(seconds int) {
		p := signed(t, "msg_1", noon.Add(time.Duration(seconds)*time.Second))
		go func() { answer <- give(r, p) }()
	}
	try(0)
	<-begun
	try(1)
	require.Equal(t, 503, <-answer, "the first may fail yet")
	finish <- errors.New("disk full")
	require.Equal(t, 500, <-answer)
	try(2)
	<-begun
	finish <- nil
	require.Equal(t, 204, <-answer)
	try(3)
	require.Equal(t, 204, <-answer)
	require.EqualValues(t, 2, calls.Load())
}

func TestReceiverWithoutSecrets(t *testing.T) {
	t.Parallel()
	require.Equal(t, 401, give(&webhook.Receiver{}, signed(t, "msg_1", time.Now())))
}

// FuzzReceiver: nothing that nobody signed is believed, and none of it panics.
func FuzzReceiver(f *testing.F) {
	f.Add("msg_1", "1772366400", "v1,AAAA", body)
	f.Add("", "-1", "v1,", "")
	f.Fuzz(func(t *testing.T, id, timestamp, signature, body string) {
		r := &webhook.Receiver{Secrets: []string{secret("a")}, Handle: func(context.Context, string, webhook.Post) error { return nil }}
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
		if _, err := r.Verify(h, []byte(body)); err == nil {
			t.Error("it was believed")
		}
	})
}
