package cancellation_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// secret is the text of every fault. Only the log may have it.
const secret = "dsn=postgres://root:secret@db"

// hostFaults returns the ways in which a part of a host fails, by name. end ends the context of the operation.
func hostFaults() map[string]func(end func()) error {
	wraps := func(sentinel error) func(func()) error {
		return func(func()) error { return fmt.Errorf("%s: %w", secret, sentinel) }
	}
	return map[string]func(end func()) error{
		"error":         func(func()) error { return errors.New(secret) },
		"panic":         func(func()) error { panic(secret) },
		"not found":     wraps(cancellation.ErrNotFound),
		"conflict":      wraps(cancellation.ErrConflict),
		"forbidden":     wraps(cancellation.ErrForbidden),
		"invalid":       wraps(cancellation.ErrInvalid),
		"ended context": func(end func()) error { end(); return errors.New(secret) },
	}
}

// faultyHost is all parts of a host. One part may fail.
type faultyHost struct {
	mu        sync.Mutex
	calls     map[string]int // by part
	part      string         // the part that fails; "": none
	from      int            // the first call of the part that fails, from 1
	fault     func() error
	conflicts int // so many calls of Store.Commit are ErrConflict first
}

// clear makes all parts work, and forgets their calls.
func (h *faultyHost) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls, h.part, h.from, h.fault, h.conflicts = map[string]int{}, "", 0, nil, 0
}

// failAlways makes a part fail from now on.
func (h *faultyHost) failAlways(part string) {
	h.clear()
	h.part, h.from, h.fault = part, 1, func() error { return errors.New("no answer") }
}

func (h *faultyHost) fail(part string) error {
	h.mu.Lock()
	h.calls[part]++
	fails, fault := part == h.part && h.calls[part] >= h.from, h.fault
	h.mu.Unlock()
	if !fails {
		return nil
	}
	return fault()
}

// conflict reports whether the next commit is a conflict.
func (h *faultyHost) conflict() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conflicts--
	return h.conflicts >= 0
}

// call calls a part that returns a value.
func call[R any](h *faultyHost, part string, do func() (R, error)) (R, error) {
	if err := h.fail(part); err != nil {
		var none R
		return none, err
	}
	return do()
}

type faultyStore struct {
	cancellation.Store
	host *faultyHost
}

func (s faultyStore) Cancellation(ctx context.Context, id uuid.UUID) (cancellation.Cancellation, error) {
	return call(s.host, "Store.Cancellation", func() (cancellation.Cancellation, error) { return s.Store.Cancellation(ctx, id) })
}

func (s faultyStore) Cancellations(
	ctx context.Context, reseller uuid.UUID, q cancellation.Query,
) ([]cancellation.Cancellation, string, error) {
	if err := s.host.fail("Store.Cancellations"); err != nil {
		return nil, "", err
	}
	return s.Store.Cancellations(ctx, reseller, q)
}

func (s faultyStore) Active(ctx context.Context, servers []uuid.UUID) ([]cancellation.Cancellation, error) {
	return call(s.host, "Store.Active", func() ([]cancellation.Cancellation, error) { return s.Store.Active(ctx, servers) })
}

func (s faultyStore) Settings(ctx context.Context, reseller uuid.UUID) (cancellation.Settings, error) {
	return call(s.host, "Store.Settings", func() (cancellation.Settings, error) { return s.Store.Settings(ctx, reseller) })
}

func (s faultyStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (cancellation.Due, error) {
	return call(s.host, "Store.ClaimDue", func() (cancellation.Due, error) { return s.Store.ClaimDue(ctx, now, until, limit) })
}

func (s faultyStore) Commit(ctx context.Context, changes ...cancellation.Change) error {
	if s.host.conflict() {
		return cancellation.ErrConflict
	}
	if err := s.host.fail("Store.Commit"); err != nil {
		return err
	}
	return s.Store.Commit(ctx, changes...)
}

type faultyServers struct {
	*dedicated.Manager
	host *faultyHost
}

func (s faultyServers) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	return call(s.host, "Servers.Server", func() (dedicated.Server, error) { return s.Manager.Server(ctx, a, id) })
}

func (s faultyServers) ServersByID(ctx context.Context, a dedicated.Actor, ids []uuid.UUID) ([]dedicated.Server, error) {
	return call(s.host, "Servers.ServersByID", func() ([]dedicated.Server, error) { return s.Manager.ServersByID(ctx, a, ids) })
}

func (s faultyServers) Release(
	ctx context.Context, a dedicated.Actor, id, assignment, key uuid.UUID, reason string,
) (dedicated.Server, error) {
	return call(s.host, "Servers.Release", func() (dedicated.Server, error) {
		return s.Manager.Release(ctx, a, id, assignment, key, reason)
	})
}

func (s faultyServers) Unlock(ctx context.Context, a dedicated.Actor, id, key uuid.UUID) (dedicated.Server, error) {
	return call(s.host, "Servers.Unlock", func() (dedicated.Server, error) { return s.Manager.Unlock(ctx, a, id, key) })
}

type faultyBiller struct {
	cancellation.Biller
	host *faultyHost
}

func (b faultyBiller) Paid(ctx context.Context, s dedicated.Server, p dedicated.Period) ([]refund.Charge, error) {
	return call(b.host, "Biller.Paid", func() ([]refund.Charge, error) { return b.Biller.Paid(ctx, s, p) })
}

func (b faultyBiller) Refund(ctx context.Context, r cancellation.Refund) error {
	if err := b.host.fail("Biller.Refund"); err != nil {
		return err
	}
	return b.Biller.Refund(ctx, r)
}

func (b faultyBiller) Booked(context.Context, uuid.UUID) (cancellation.Refund, bool, error) {
	return cancellation.Refund{}, false, b.host.fail("Biller.Booked")
}

// hostParts returns the names of all parts of a host, from the types of Config.
func hostParts() []string {
	parts := []string{"Servers.ServersByID", "RefundFormula", "Biller.Booked"}
	for name, of := range map[string]reflect.Type{
		"Store":   reflect.TypeFor[cancellation.Store](),
		"Servers": reflect.TypeFor[cancellation.Servers](),
		"Biller":  reflect.TypeFor[cancellation.Biller](),
	} {
		for i := range of.NumMethod() {
			parts = append(parts, name+"."+of.Method(i).Name)
		}
	}
	for i := range reflect.TypeFor[cancellation.Hooks]().NumField() {
		parts = append(parts, "Hooks."+reflect.TypeFor[cancellation.Hooks]().Field(i).Name)
	}
	slices.Sort(parts)
	return parts
}

// hostFixture is a fixture whose parts may fail, with a server and mostly a cancellation.
type hostFixture struct {
	*fixture
	host         *faultyHost
	server       dedicated.Server
	cancellation cancellation.Cancellation
	event        notify.Event // for the Subscriber
	cursor       string       // of a second page
	conflicts    int          // so many commits of the operation are ErrConflict first
}

// newHostFixture makes a fixture with a server without a cancellation.
func newHostFixture(t *testing.T) *hostFixture {
	t.Helper()
	host := &faultyHost{}
	host.clear()
	f := newFixture(t, func(c *cancellation.Config) {
		c.Store = faultyStore{c.Store, host}
		c.Servers = faultyServers{c.Servers.(*dedicated.Manager), host}
		c.Biller = faultyBiller{c.Biller, host}
		c.RefundFormula = refund.FormulaFunc(func(question refund.Case) (refund.Result, error) {
			return call(host, "RefundFormula", func() (refund.Result, error) { return refund.Prorated{}.Refund(question) })
		})
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error {
			return host.fail("Hooks.Gate")
		})
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error {
			return host.fail("Hooks.Deprovision")
		})
		c.Hooks.CloseDown = append(c.Hooks.CloseDown, func(context.Context, dedicated.Released) error { return host.fail("Hooks.CloseDown") })
	})
	return &hostFixture{fixture: f, host: host, server: f.server(t)}
}

// stored is the content of a Store, with the kinds of the events.
type stored struct {
	cancellations []cancellation.Cancellation
	settings      cancellation.Settings
	events        []notify.Kind
}

// readStored reads the content of the Store, and no faulty part.
func (f *hostFixture) readStored(t *testing.T) stored {
	t.Helper()
	var s stored
	var err error
	s.cancellations, _, err = f.store.Cancellations(t.Context(), f.reseller.ResellerID, cancellation.Query{})
	require.NoError(t, err)
	if s.settings, err = f.store.Settings(t.Context(), f.reseller.ResellerID); err != nil {
		require.ErrorIs(t, err, cancellation.ErrNotFound)
	}
	for _, e := range f.events(t) {
		s.events = append(s.events, e.Kind)
	}
	return s
}
