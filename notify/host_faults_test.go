package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/notify"
)

// hostCall is an operation of this package that calls a part of the host.
type hostCall struct {
	name string
	// run calls the operation with a part that does what fail does.
	run        func(t *testing.T, ctx context.Context, fail func() error) error
	documented []error // the errors that the part's contract documents
	absorbs    bool    // the operation succeeds after a documented error; otherwise it returns the error
	panicsOnly bool    // the part returns no error
}

func hostCalls() []hostCall {
	return slices.Concat(outboxCalls(), textsCalls(), recipientCalls(), []hostCall{
		{name: "Clock in Tick", run: func(t *testing.T, ctx context.Context, fail func() error) error {
			var l log
			d := newDispatcher(t, notify.Config{Outbox: &notify.MemoryOutbox{}, Clock: failingClock{fail: fail}}, l.subscriber("mail"))
			_, err := d.Tick(ctx)
			return err
		}, panicsOnly: true},
		{name: "Clock in Resend", run: func(t *testing.T, ctx context.Context, fail func() error) error {
			outbox, letter := deadLetter(t)
			return newDispatcher(t, notify.Config{Outbox: outbox, Clock: failingClock{fail: fail}}).Resend(ctx, "mail", letter)
		}, panicsOnly: true},
		{name: "Logger in New", run: func(_ *testing.T, _ context.Context, fail func() error) error {
			var l log
			logger := slog.New(failingLogger{Handler: slog.DiscardHandler, withAttrs: fail})
			_, err := notify.New(notify.Config{Outbox: &notify.MemoryOutbox{}, Logger: logger}, l.subscriber("mail"))
			return err
		}, panicsOnly: true},
		{name: "Logger in Tick", run: func(t *testing.T, ctx context.Context, fail func() error) error {
			outbox := &notify.MemoryOutbox{}
			logger := slog.New(failingLogger{Handler: slog.DiscardHandler, handle: fail})
			d := newDispatcher(t, notify.Config{Outbox: outbox, Logger: logger}, notify.Subscriber{
				Name: "mail", Handle: func(context.Context, notify.Event) error { return errors.New("refused") },
			})
			outbox.Append(event())
			_, err := d.Tick(ctx)
			return err
		}, panicsOnly: true},
	})
}

func outboxCalls() []hostCall {
	tick := func(t *testing.T, ctx context.Context, faulty faultyOutbox, outbox *notify.MemoryOutbox) error {
		var l log
		faulty.Outbox = outbox
		d := newDispatcher(t, notify.Config{Outbox: faulty}, l.subscriber("mail"))
		outbox.Append(event())
		_, err := d.Tick(ctx)
		return err
	}
	return []hostCall{
		{"Register in New", func(_ *testing.T, _ context.Context, fail func() error) error {
			var l log
			_, err := notify.New(notify.Config{Outbox: faultyOutbox{register: fail}}, l.subscriber("mail"))
			return err
		}, []error{notify.ErrInvalid}, false, false},
		{"ClaimDue in Tick", func(t *testing.T, ctx context.Context, fail func() error) error {
			return tick(t, ctx, faultyOutbox{claim: fail}, &notify.MemoryOutbox{})
		}, []error{notify.ErrNotFound}, false, false},
		{"Settle in Tick", func(t *testing.T, ctx context.Context, fail func() error) error {
			return tick(t, ctx, faultyOutbox{settle: func([]notify.Delivery) error { return fail() }}, &notify.MemoryOutbox{})
		}, []error{notify.ErrNotFound, notify.ErrConflict}, true, false},
		{"Deliveries in Resend", func(t *testing.T, ctx context.Context, fail func() error) error {
			outbox, letter := deadLetter(t)
			return newDispatcher(t, notify.Config{Outbox: faultyOutbox{Outbox: outbox, list: fail}}).Resend(ctx, "mail", letter)
		}, nil, false, false},
		{"Settle in Resend", func(t *testing.T, ctx context.Context, fail func() error) error {
			outbox, letter := deadLetter(t)
			faulty := faultyOutbox{Outbox: outbox, settle: func([]notify.Delivery) error { return fail() }}
			return newDispatcher(t, notify.Config{Outbox: faulty}).Resend(ctx, "mail", letter)
		}, []error{notify.ErrNotFound, notify.ErrConflict}, false, false},
	}
}

func textsCalls() []hostCall {
	text := notify.Text{ResellerID: uuid.New(), Kind: "test.warned", Locale: "en", Subject: "s", Text: "t"}
	catalog := func(t *testing.T, fail func() error) *notify.Catalog {
		c := newCatalog(t)
		c.Texts = poisonedTexts{fail}
		return c
	}
	return []hostCall{
		{"Save", func(t *testing.T, ctx context.Context, fail func() error) error {
			return catalog(t, fail).Save(ctx, text)
		}, []error{notify.ErrConflict}, false, false},
		{"Reset", func(t *testing.T, ctx context.Context, fail func() error) error {
			return catalog(t, fail).Reset(ctx, text.ResellerID, text.Kind, "en")
		}, nil, false, false},
		{"Text", func(t *testing.T, ctx context.Context, fail func() error) error {
			_, err := catalog(t, fail).Text(ctx, text.ResellerID, text.Kind, "en")
			return err
		}, []error{notify.ErrNotFound}, true, false}, // the built-in text is used
		{"Text in Mail", func(t *testing.T, ctx context.Context, fail func() error) error {
			return catalog(t, fail).Mail("mail", notify.ToClient, &recordingNotifier{}).Handle(ctx, warned(t, sample()))
		}, []error{notify.ErrNotFound}, true, false},
	}
}

func recipientCalls() []hostCall {
	return []hostCall{
		{"Directory in Mail", func(t *testing.T, ctx context.Context, fail func() error) error {
			c := newCatalog(t)
			c.Directory = directoryFunc(func(uuid.UUID, notify.Recipient) (notify.Person, error) { return notify.Person{}, fail() })
			return c.Mail("mail", notify.ToClient, &recordingNotifier{}).Handle(ctx, warned(t, sample()))
		}, []error{notify.ErrNotFound}, false, false},
		{"Copier in Copies", func(t *testing.T, ctx context.Context, fail func() error) error {
			c := newCatalog(t)
			c.Directory = copyDirectory{directoryIn("en"), func(uuid.UUID, notify.Audience, string) ([]notify.Person, error) { return nil, fail() }}
			return c.Copies("copy", notify.ToClient, 1, &recordingNotifier{})[0].Handle(ctx, warned(t, sample()))
		}, nil, false, false},
	}
}

// deadLetter makes an outbox with a dead letter of the subscriber "mail", and returns the event's ID.
func deadLetter(t *testing.T) (*notify.MemoryOutbox, uuid.UUID) {
	t.Helper()
	outbox, e := &notify.MemoryOutbox{}, event()
	d := newDispatcher(t, notify.Config{Outbox: outbox}, notify.Subscriber{
		Name: "mail", Handle: func(context.Context, notify.Event) error { return notify.Permanent(errors.New("refused")) },
	})
	outbox.Append(e)
	tick(t, d)
	return outbox, e.ID
}

type failingClock struct {
	clock.Clock
	fail func() error
}

func (c failingClock) Now() time.Time { panic(c.fail()) }

// failingLogger calls its functions, which may panic. nil functions do nothing.
type failingLogger struct {
	slog.Handler
	withAttrs, handle func() error
}

func (l failingLogger) Enabled(context.Context, slog.Level) bool { return true }

func (l failingLogger) WithAttrs([]slog.Attr) slog.Handler {
	if l.withAttrs != nil {
		panic(l.withAttrs())
	}
	return l
}

func (l failingLogger) Handle(context.Context, slog.Record) error {
	if l.handle != nil {
		panic(l.handle())
	}
	return nil
}

// poisonedTexts fails in every method.
type poisonedTexts struct{ fail func() error }

func (p poisonedTexts) Text(context.Context, uuid.UUID, notify.Kind, string) (notify.Text, error) {
	return notify.Text{}, p.fail()
}
func (p poisonedTexts) Texts(context.Context, uuid.UUID) ([]notify.Text, error) { return nil, p.fail() }
func (p poisonedTexts) Save(context.Context, notify.Text) error                 { return p.fail() }
func (p poisonedTexts) Reset(context.Context, uuid.UUID, notify.Kind, string) error {
	return p.fail()
}

// callersErrors are the answers that blame the caller.
func callersErrors() []error {
	return []error{notify.ErrNotFound, notify.ErrConflict, fault.ErrForbidden, notify.ErrInvalid}
}

// TestFaultsOfTheHost: a failure or a panic of any part is ErrHost and no answer that blames the caller, in every operation
// that calls the part. Documented answers of the part keep their meaning.
func TestFaultsOfTheHost(t *testing.T) {
	t.Parallel()
	failures := map[string]error{"plain": errors.New("connection refused"), "hostile": hostileError{}}
	for _, sentinel := range callersErrors() {
		failures[sentinel.Error()] = fmt.Errorf("part: %w", sentinel)
	}
	for _, call := range hostCalls() {
		for name, failure := range failures {
			t.Run(call.name+"/panic "+name, func(t *testing.T) {
				t.Parallel()
				requireHost(t, call.run(t, t.Context(), func() error { panic(failure) }))
			})
			if call.panicsOnly {
				continue
			}
			t.Run(call.name+"/error "+name, func(t *testing.T) {
				t.Parallel()
				err := call.run(t, t.Context(), func() error { return failure })
				if name == "hostile" || !slices.ContainsFunc(call.documented, func(d error) bool { return errors.Is(failure, d) }) {
					requireHost(t, err)
				} else if call.absorbs {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, failure)
					assert.NotErrorIs(t, err, notify.ErrHost)
				}
			})
		}
	}
}

func requireHost(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, notify.ErrHost)
	for _, sentinel := range callersErrors() {
		assert.NotErrorIs(t, err, sentinel)
	}
	assert.NotEmpty(t, err.Error())
}

// TestEndedContextOfTheCaller: if a part fails because the caller's context has ended, the error is that of the context.
func TestEndedContextOfTheCaller(t *testing.T) {
	t.Parallel()
	for _, call := range hostCalls() {
		if call.panicsOnly || call.name == "Register in New" {
			continue // New has no context
		}
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := call.run(t, ctx, func() error {
				cancel()
				return errors.New("canceling statement due to user request")
			})
			if call.name == "Settle in Tick" { // Tick stores results although the context has ended
				require.ErrorIs(t, err, notify.ErrHost)
				return
			}
			require.ErrorIs(t, err, context.Canceled)
			assert.NotErrorIs(t, err, notify.ErrHost)
		})
	}
}

// TestFaultsThatTickDoesNotReturn: a failure or panic of a subscriber, Notifier or Meter is not an error of Tick.
func TestFaultsThatTickDoesNotReturn(t *testing.T) {
	t.Parallel()
	failure := errors.New("refused")
	for name, fail := range map[string]func() error{
		"error": func() error { return failure },
		"panic": func() error { panic(failure) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outbox, c := &notify.MemoryOutbox{}, newCatalog(t)
			d := newDispatcher(t, notify.Config{
				Outbox: outbox,
				Meter:  notify.MeterFunc(func(context.Context, notify.Delivery, time.Time) { _ = fail() }),
			}, c.Mail("mail", notify.ToClient, notify.NotifierFunc(func(context.Context, notify.Message) error { return fail() })))
			outbox.Append(warned(t, sample()))
			tick(t, d)
			item := deliveries(t, outbox, notify.DeliveryQuery{})[0]
			assert.Equal(t, 1, item.Attempts)
			assert.Contains(t, item.LastError, "refused")
		})
	}
}
