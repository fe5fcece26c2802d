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

// What a Receiver refuses.
var (
	// ErrUnsigned: no signature of a known secret, or none at all.
	ErrUnsigned = errors.New("the signature is wrong")
	// ErrTooOld: it was signed too long ago, or in the future.
	ErrTooOld = errors.New("the timestamp is not of now")
	// ErrReplay: this very post has been here before.
	ErrReplay = errors.New("it was posted before")
)

// mostBody is how large a post may be.
const mostBody = 1 << 20

// Receiver is the side that posts come to. Secrets and Handle are required. Its fields are set before it is used; then many
// goroutines may use it at once. It must not be copied once used.
//
// A post that was handled and comes again, signed anew because the first answer was lost, is answered with 204 and not
// handled again; 503 says that the first is still being handled. One that comes again as it was is a replay, and refused. What was handled is remembered in memory: a host
// with several processes keeps the IDs beside what it does with the posts.
type Receiver struct {
	Secrets   []string
	Tolerance time.Duration // between the sender's clock and ours; 0: 5 minutes
	Remember  time.Duration // IDs that were handled; 0: 3 days, which is longer than the outbox tries
	Clock     clock.Clock   // nil: real time
	// Handle is given each post once. Its error has the post answered with 500, and so sent again.
	Handle func(ctx context.Context, id string, p Post) error

	mu     sync.Mutex
	passed map[string]time.Time // posts that were here, by ID and timestamp, with when they are forgotten
	known  map[string]work      // by ID
	swept  time.Time
}

// work is what became of an ID.
type work struct {
	done  bool      // else it is being handled
	until time.Time // it is remembered
}

// ServeHTTP answers a post.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, mostBody))
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
		http.Error(w, "it is no post", http.StatusBadRequest)
	default:
		w.WriteHeader(r.handle(request.Context(), id, p))
	}
}

// handle returns the status to answer with.
func (r *Receiver) handle(ctx context.Context, id string, p Post) int {
	if known, mine := r.begin(id); !mine {
		if known.done {
			return http.StatusNoContent
		}
		return http.StatusServiceUnavailable // it may fail yet, and then has to come again
	}
	handled := false
	defer func() { r.end(id, handled) }() // a panic too
	if err := r.Handle(ctx, id, p); err != nil {
		return http.StatusInternalServerError
	}
	handled = true
	return http.StatusNoContent
}

// Verify says whether a post may be believed, and its ID. ErrUnsigned, ErrTooOld and ErrReplay say what is wrong.
func (r *Receiver) Verify(header http.Header, body []byte) (id string, err error) {
	found, err := keys(r.Secrets)
	if err != nil {
		return "", err
	}
	id = header.Get(headerID)
	seconds, err := strconv.ParseInt(header.Get(headerTimestamp), 10, 64)
	if err != nil || id == "" {
		return "", fmt.Errorf("%w: %s or %s is missing", ErrUnsigned, headerID, headerTimestamp)
	}
	at, now, tolerance := time.Unix(seconds, 0), r.now(), cmp.Or(r.Tolerance, 5*time.Minute)
	if !signed(header.Get(headerSignature), found, id, at, body) {
		return "", ErrUnsigned
	}
	if at.Before(now.Add(-tolerance)) || at.After(now.Add(tolerance)) {
		return "", ErrTooOld
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(now, tolerance)
	post := strconv.FormatInt(seconds, 10) + "." + id
	if r.passed[post].After(now) {
		return "", ErrReplay
	}
	r.passed[post] = at.Add(tolerance + time.Second) // by then it is too old
	return id, nil
}

// begin says what is known of an ID, or that the caller is to handle it.
func (r *Receiver) begin(id string) (known work, mine bool) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if known = r.known[id]; known.until.After(now) {
		return known, false
	}
	known = work{until: now.Add(cmp.Or(r.Remember, 72*time.Hour))}
	r.known[id] = known
	return known, true
}

// end remembers what was handled, and forgets what was not, so that it is handled when it comes again.
func (r *Receiver) end(id string, handled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if handled {
		r.known[id] = work{done: true, until: r.known[id].until}
	} else {
		delete(r.known, id)
	}
}

// sweep forgets, now and then, what may be forgotten.
func (r *Receiver) sweep(now time.Time, every time.Duration) {
	if r.passed == nil {
		r.passed, r.known = map[string]time.Time{}, map[string]work{}
	}
	if now.Sub(r.swept) < every {
		return
	}
	r.swept = now
	maps.DeleteFunc(r.passed, func(_ string, until time.Time) bool { return !until.After(now) })
	maps.DeleteFunc(r.known, func(_ string, w work) bool { return !w.until.After(now) })
}

func (r *Receiver) now() time.Time {
	if r.Clock == nil {
		return clock.New().Now()
	}
	return r.Clock.Now()
}
