package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/notify"
)

// WantConflict checks that the error of an action, which what describes, is ErrConflict.
func WantConflict(t *testing.T, what string, err error) {
	t.Helper()
	wantError(t, what, err, fault.ErrConflict)
}

// WantNotFound checks that the error of an action is ErrNotFound.
func WantNotFound(t *testing.T, what string, err error) {
	t.Helper()
	wantError(t, what, err, fault.ErrNotFound)
}

// WantInvalid checks that the error of an action is ErrInvalid.
func WantInvalid(t *testing.T, what string, err error) {
	t.Helper()
	wantError(t, what, err, fault.ErrInvalid)
}

// WantCancelled checks that call, with a cancelled context, returns the error of the context.
func WantCancelled(t *testing.T, what string, call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, what+" with a cancelled context", call(ctx), context.Canceled)
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got the error %v, want %v", what, err, want)
	}
}

// WantNoEvents checks that the outbox has no deliveries. The test has registered a subscriber before.
func WantNoEvents(t *testing.T, outbox notify.Outbox) {
	t.Helper()
	if all, _, err := outbox.Deliveries(t.Context(), notify.DeliveryQuery{}); err != nil || len(all) > 0 {
		t.Errorf("the outbox has deliveries of a failed call: %v, %v", all, err)
	}
}

// NoUnreadable returns err, or an error if a claim names records that it could not read. The suites spoil no record.
func NoUnreadable(named []notify.Unreadable, err error) error {
	if err == nil && len(named) > 0 {
		return fmt.Errorf("the claim names %d records in Unreadable, although the suite has stored readable ones only: %v", len(named), named)
	}
	return err
}

// Register registers a subscriber for all events.
func Register(t *testing.T, outbox notify.Outbox) {
	t.Helper()
	if err := outbox.Register(t.Context(), "suite", nil); err != nil {
		t.Fatalf("Register: %v", err)
	}
}

// Event returns an event about a subject.
func Event(subject uuid.UUID) notify.Event {
	return notify.Event{
		ID: uuid.New(), Kind: "suite.event", At: instant(0), ResellerID: uuid.New(), SubjectID: subject, Data: []byte(`{"n":1}`),
	}
}

// Rounds is the number of rounds of a race. With fewer rounds, or without the start barrier of Race, a store passes that first
// checks and then writes.
const Rounds = 200

// Race starts two calls at the same moment and checks that one of them succeeds and the other one gets ErrConflict.
func Race(t *testing.T, what string, calls [2]func() error) {
	t.Helper()
	start, results := make(chan struct{}), make(chan error, len(calls))
	for _, call := range calls {
		go func() {
			<-start
			results <- call()
		}()
	}
	close(start)
	a, b := <-results, <-results
	if a != nil {
		a, b = b, a
	}
	if a != nil || !errors.Is(b, fault.ErrConflict) {
		t.Fatalf("%s at the same moment: got the errors %v and %v, want nil for one and ErrConflict for the other", what, a, b)
	}
}
