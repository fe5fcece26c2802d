package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/benbjohnson/clock"
)

// The errors of Verify.
var (
	// ErrUnsigned means that the post has no signature of a known secret.
	ErrUnsigned = errors.New("the signature is wrong")
	// ErrTooOld means that the post was signed too long ago, or in the future.
	ErrTooOld = errors.New("the timestamp is too old or in the future")
	// ErrReplay means that the same post, with the same timestamp, was received before.
	ErrReplay = errors.New("the post was received before")
)

// maxBody is the maximum size of a post.
const maxBody = 1 << 20

// Receiver is an http.Handler that receives posts. Secrets and Handle are required. Set the fields before the first use. After
// that many goroutines may use the Receiver at once, and it must not be copied.
//
// If the answer to a post is lost, the sender repeats the post with a new timestamp and signature. The Receiver answers 204 if
// the post was handled before, and 503 while it is still being handled. An exact copy of a post is a replay, and is refused. The
// Receiver remembers the handled IDs in memory. A host with several processes should store the IDs together with the results of
// its Handle.
type Receiver struct {
	Secrets   []string      // a post needs a signature of one of them
	Tolerance time.Duration // maximum difference between the sender's clock and ours; 0: 5 minutes
	Remember  time.Duration // how long handled IDs are remembered; 0: 3 days, which is longer than the outbox repeats a post
	Clock     clock.Clock   // nil: real time
	// Handle handles a post. It is called once for each ID, or again after an error: the answer is then 500, and the sender
	// repeats the post. Several goroutines may call it at once, with different IDs.
	Handle func(ctx context.Context, id string, p Post) error

	mu       sync.Mutex
	received map[string]time.Time // by ID and timestamp of the post; the value is when the entry expires
	handled  map[string]handling  // by ID
	cleaned  time.Time
}

// handling is the state of an ID.
type handling struct {
	done  bool      // false while Handle runs
	until time.Time // when the entry expires
}

// ServeHTTP verifies a post and calls Handle. It answers 204 for success, 400 for a body that is no Post, 401 for a wrong signature or
// timestamp, 409 for a replay, 413 for a body above 1 MiB, 500 if Handle fails, and 503 while the same ID is being handled.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	id, err := r.Verify(request.Header, body)
	var p Post
	switch {
	case errors.Is(err, ErrReplay):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusUnauthorized)
	case json.Unmarshal(body, &p) != nil:
		http.Error(w, "the body is not a valid post", http.StatusBadRequest)
	default:
		w.WriteHeader(r.handle(request.Context(), id, p))
	}
}

// handle calls Handle and returns the status of the answer.
func (r *Receiver) handle(ctx context.Context, id string, p Post) int {
	if other, started := r.begin(id); !started {
		if other.done {
			return http.StatusNoContent
		}
		return http.StatusServiceUnavailable // the other call may still fail, so the sender must repeat the post
	}
	handled := false
	defer func() { r.end(id, handled) }() // also after a panic
	if err := r.Handle(ctx, id, p); err != nil {
		return http.StatusInternalServerError
	}
	handled = true
	return http.StatusNoContent
}

// Verify checks the signature and the timestamp of a post, and returns its ID. The error is ErrUnsigned, ErrTooOld or ErrReplay.
// A second call for the same post is ErrReplay. If the secrets are wrong, the error says so.
func (r *Receiver) Verify(header http.Header, body []byte) (id string, err error) {
	found, err := parseSecrets(r.Secrets)
	if err != nil {
		return "", err
	}
	id = header.Get(headerID)
	seconds, err := strconv.ParseInt(header.Get(headerTimestamp), 10, 64)
	if err != nil || id == "" {
		return "", fmt.Errorf("%w: %s or %s is missing", ErrUnsigned, headerID, headerTimestamp)
	}
	at, now, tolerance := time.Unix(seconds, 0), r.now(), cmp.Or(r.Tolerance, 5*time.Minute)
	if !isSigned(header.Get(headerSignature), found, id, at, body) {
		return "", ErrUnsigned
	}
	if at.Before(now.Add(-tolerance)) || at.After(now.Add(tolerance)) {
		return "", ErrTooOld
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removeExpired(now, tolerance)
	post := strconv.FormatInt(seconds, 10) + "." + id
	if r.received[post].After(now) {
		return "", ErrReplay
	}
	r.received[post] = at.Add(tolerance + time.Second) // from then on the post is ErrTooOld
	return id, nil
}

// begin marks an ID as being handled, and returns true. If the ID is marked already, it returns the mark and false.
func (r *Receiver) begin(id string) (mark handling, started bool) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if mark = r.handled[id]; mark.until.After(now) {
		return mark, false
	}
	mark = handling{until: now.Add(cmp.Or(r.Remember, 72*time.Hour))}
	r.handled[id] = mark
	return mark, true
}

// end marks an ID as handled. If Handle failed, it removes the mark, so that a repeated post is handled.
func (r *Receiver) end(id string, handled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if handled {
		r.handled[id] = handling{done: true, until: r.handled[id].until}
	} else {
		delete(r.handled, id)
	}
}

// removeExpired removes expired entries, at most once per interval.
func (r *Receiver) removeExpired(now time.Time, interval time.Duration) {
	if r.received == nil {
		r.received, r.handled = map[string]time.Time{}, map[string]handling{}
	}
	if now.Sub(r.cleaned) < interval {
		return
	}
	r.cleaned = now
	maps.DeleteFunc(r.received, func(_ string, until time.Time) bool { return !until.After(now) })
	maps.DeleteFunc(r.handled, func(_ string, h handling) bool { return !h.until.After(now) })
}

func (r *Receiver) now() time.Time {
	if r.Clock == nil {
		return clock.New().Now()
	}
	return r.Clock.Now()
}
