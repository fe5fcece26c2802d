package dedicated_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
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
		"not found":     wraps(dedicated.ErrNotFound),
		"conflict":      wraps(dedicated.ErrConflict),
		"forbidden":     wraps(dedicated.ErrForbidden),
		"invalid":       wraps(dedicated.ErrInvalid),
		"ended context": func(end func()) error { end(); return errors.New(secret) },
	}
}

// faultyHost is a Store and a gate. One part of them may fail.
type faultyHost struct {
	dedicated.BulkStore
	calls map[string]int // by part
	part  string         // the part that fails; "": none
	from  int            // the first call of the part that fails, from 1
	fault func() error
}

func (h *faultyHost) fail(part string) error {
	h.calls[part]++
	if part != h.part || h.calls[part] < h.from {
		return nil
	}
	return h.fault()
}

func (h *faultyHost) Server(ctx context.Context, id uuid.UUID) (dedicated.Server, error) {
	if err := h.fail("Store.Server"); err != nil {
		return dedicated.Server{}, err
	}
	return h.BulkStore.Server(ctx, id)
}

func (h *faultyHost) Servers(ctx context.Context, reseller uuid.UUID, q dedicated.Query) ([]dedicated.Server, string, error) {
	if err := h.fail("Store.Servers"); err != nil {
		return nil, "", err
	}
	return h.BulkStore.Servers(ctx, reseller, q)
}

func (h *faultyHost) ServersByID(ctx context.Context, ids []uuid.UUID) ([]dedicated.Server, error) {
	if err := h.fail("Store.ServersByID"); err != nil {
		return nil, err
	}
	return h.BulkStore.ServersByID(ctx, ids)
}

func (h *faultyHost) Commit(ctx context.Context, changes ...dedicated.Change) error {
	if err := h.fail("Store.Commit"); err != nil {
		return err
	}
	return h.BulkStore.Commit(ctx, changes...)
}

// hostParts returns the names of all parts of a host, from the types of Config.
func hostParts() []string {
	var parts []string
	store, hooks := reflect.TypeFor[dedicated.BulkStore](), reflect.TypeFor[dedicated.Hooks]()
	for i := range store.NumMethod() {
		parts = append(parts, "Store."+store.Method(i).Name)
	}
	for i := range hooks.NumField() {
		parts = append(parts, "Hooks."+hooks.Field(i).Name)
	}
	slices.Sort(parts)
	return parts
}

// hostFixture is a fixture whose parts may fail, with a server in the state that an operation takes.
type hostFixture struct {
	*fixture
	host   *faultyHost
	server dedicated.Server
	cursor string // of the second page of the client's servers
}

// hostRow is an operation, and the parts of the host that it calls.
type hostRow struct {
	name   string
	method string // of the Manager
	state  dedicated.State
	do     func(context.Context, *hostFixture, dedicated.Actor) error
	// client and reseller are the parts that the operation calls for this actor, in any order. If they differ, the operation is not
	// for a client.
	client, reseller string
	answers          answers
}

// answers are the errors of an operation after an answer of a part that has a meaning of its own; nil: it succeeds. The keys are
// "part: answer". A Store's ErrNotFound and ErrConflict that become the error of the operation are left out.
type answers map[string]error

// hostRows returns every operation of a Manager, some in several situations.
func hostRows() []hostRow {
	const change = "Store.Server Hooks.Gate Store.Commit"
	ofReseller := func(method string, state dedicated.State) hostRow {
		do := func(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
			_, err := f.doWith(ctx, method, a, f.server)
			return err
		}
		return hostRow{method, method, state, do, "Store.Server", change, nil}
	}
	server := func(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
		_, err := f.Server(ctx, a, f.server.ID)
		return err
	}
	servers := func(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
		_, _, err := f.Servers(ctx, a, dedicated.Query{After: f.cursor})
		return err
	}
	byID := func(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
		_, err := f.ServersByID(ctx, a, []uuid.UUID{f.server.ID})
		return err
	}
	add := ofReseller("Add", dedicated.InStock)
	add.client, add.answers = "", answers{"Store.Server: not found": nil}
	return []hostRow{
		add,
		ofReseller("Assign", dedicated.InStock),
		ofReseller("ChangeBilling", dedicated.InUse),
		ofReseller("Rename", dedicated.InUse),
		ofReseller("Suspend", dedicated.InUse),
		ofReseller("Resume", dedicated.Suspended),
		ofReseller("Release", dedicated.InUse),
		ofReseller("Unlock", dedicated.InUse), // newHostFixture releases it under a lock
		ofReseller("Restock", dedicated.CleanUp),
		ofReseller("Retire", dedicated.InStock),
		{"Server", "Server", dedicated.InUse, server, "Store.Server", "Store.Server", nil},
		{"Servers", "Servers", dedicated.InUse, servers, "Store.Servers", "Store.Servers", nil},
		{"Servers after a cursor", "Servers", dedicated.InUse, servers, "Store.Servers", "Store.Servers", answers{
			"Store.Servers: invalid": dedicated.ErrInvalid,
		}},
		{"ServersByID", "ServersByID", dedicated.InUse, byID, "Store.ServersByID", "Store.ServersByID", nil},
		{"ServersByID without a BulkStore", "ServersByID", dedicated.InUse, byID, "Store.Server", "Store.Server", answers{
			"Store.Server: not found": nil,
		}},
	}
}

// newHostFixture makes a fixture for the row. A server for Unlock is locked.
func newHostFixture(t *testing.T, row hostRow) *hostFixture {
	t.Helper()
	f := &hostFixture{host: &faultyHost{calls: map[string]int{}}}
	f.fixture = newFixture(t, func(c *dedicated.Config) {
		f.host.BulkStore = c.Store.(dedicated.BulkStore)
		c.Store = f.host
		if strings.Contains(row.name, "without a BulkStore") {
			c.Store = plainStore{f.host}
		}
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, dedicated.Server) error { return f.host.fail("Hooks.Gate") })
	})
	f.server = f.addInState(t, row.state)
	var err error
	switch row.name {
	case "Unlock":
		f.server, err = f.Release(t.Context(), f.reseller, f.server.ID, f.server.Assignment, uuid.New(), "")
	case "Servers after a cursor":
		f.addInState(t, row.state)
		_, f.cursor, err = f.Servers(t.Context(), f.client, dedicated.Query{Limit: 1})
		require.NotEmpty(t, f.cursor)
	}
	require.NoError(t, err)
	f.host.calls = map[string]int{}
	return f
}

// readStored returns the content of the Store, and reads no faulty part.
func (f *hostFixture) readStored(t *testing.T) ([]dedicated.Server, []notify.Kind) {
	t.Helper()
	servers, _, err := f.host.BulkStore.Servers(t.Context(), f.reseller.ResellerID, dedicated.Query{})
	require.NoError(t, err)
	return servers, f.events(t)
}

// TestHostRowsAreComplete: hostRows has every method of a Manager, and every part of a host.
func TestHostRowsAreComplete(t *testing.T) {
	t.Parallel()
	methods, parts := map[string]bool{}, map[string]bool{}
	for _, row := range hostRows() {
		methods[row.method] = true
		for _, part := range strings.Fields(row.client + " " + row.reseller) {
			parts[part] = true
		}
	}
	manager := reflect.TypeFor[*dedicated.Manager]()
	for i := range manager.NumMethod() {
		assert.Contains(t, methods, manager.Method(i).Name, "a method without a row")
	}
	assert.Equal(t, hostParts(), slices.Sorted(maps.Keys(parts)))
}

// hostRun is one run of an operation as an actor.
type hostRun struct {
	row   hostRow
	who   string // "client" or "reseller"
	part  string // that fails; "": none
	fault string
	from  int // the first call of the part that fails
}

// run runs the operation. If it fails, nothing must be written.
func (r hostRun) run(t *testing.T) (*hostFixture, error) {
	t.Helper()
	f := newHostFixture(t, r.row)
	servers, events := f.readStored(t)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	if r.part != "" {
		f.host.part, f.host.from = r.part, r.from
		f.host.fault = func() error { return hostFaults()[r.fault](end) }
	} else if r.fault != "" {
		end()
	}
	err := r.row.do(ctx, f, map[string]dedicated.Actor{"client": f.client, "reseller": f.reseller}[r.who])
	if err != nil {
		gotServers, gotEvents := f.readStored(t)
		require.Equal(t, servers, gotServers, "%s, %s: %v", r.part, r.fault, err)
		require.Equal(t, events, gotEvents, "%s, %s: %v", r.part, r.fault, err)
	}
	return f, err
}

// want returns the sentinel, or nil, that the operation must return.
func (r hostRun) want() error {
	if want, ok := r.row.answers[r.part+": "+r.fault]; ok {
		return want
	}
	store := strings.HasPrefix(r.part, "Store.")
	switch {
	case r.fault == "ended context":
		return context.Canceled
	case r.part == "Store.Server" && r.fault == "not found":
		return dedicated.ErrNotFound
	case store && r.fault == "conflict":
		return dedicated.ErrConflict
	}
	return dedicated.ErrHost
}

// TestFaultsOfTheHost: each part of a host fails in each operation that calls it. The error is ErrHost and nothing else, unless the
// part's answer has a meaning of its own. An actor reads nothing that the part said. Nothing is written.
func TestFaultsOfTheHost(t *testing.T) {
	t.Parallel()
	for _, row := range hostRows() {
		for who, parts := range map[string]string{"client": row.client, "reseller": row.reseller} {
			t.Run(row.name+"/"+who, func(t *testing.T) {
				t.Parallel()
				f, err := hostRun{row: row, who: who}.run(t)
				if who == "reseller" || row.client == row.reseller {
					require.NoError(t, err)
				} else {
					require.True(t, errors.Is(err, dedicated.ErrForbidden) || errors.Is(err, dedicated.ErrNotFound), "%v", err)
				}
				require.ElementsMatch(t, strings.Fields(parts), slices.Collect(maps.Keys(f.host.calls)), "the parts that it calls")
				for _, part := range strings.Fields(parts) {
					for fault := range hostFaults() {
						for from := 1; from == 1 || from <= f.host.calls[part]; from++ {
							hostRun{row, who, part, fault, from}.check(t)
						}
					}
				}
			})
		}
	}
}

// check runs the operation and checks its error.
func (r hostRun) check(t *testing.T) {
	t.Helper()
	f, err := r.run(t)
	want := r.want()
	what := fmt.Sprintf("%s, %s from call %d on: want %v, got %v", r.part, r.fault, r.from, want, err)
	require.ErrorIs(t, err, want, what)
	if want == nil {
		return
	}
	if r.part == "Store.Commit" && r.fault == "conflict" {
		require.Equal(t, 5, f.host.calls["Store.Commit"], what)
		require.Equal(t, 1, f.host.calls["Hooks.Gate"], "the gates are asked once: %s", what)
	}
	for _, sentinel := range []error{
		dedicated.ErrNotFound, dedicated.ErrConflict, dedicated.ErrForbidden, dedicated.ErrInvalid, dedicated.ErrHost,
	} {
		require.Equal(t, sentinel == want, errors.Is(err, sentinel), "%v: %s", sentinel, what)
	}
	var e *dedicated.Error
	require.ErrorAs(t, err, &e, what)
	require.NotContains(t, err.Error(), "secret", what)
	failed := want == dedicated.ErrHost || want == context.Canceled //nolint:errorlint // the sentinels themselves
	require.Equal(t, failed && r.part == "Store.Commit", e.OutcomeUnknown, what)
	if failed && r.part != "Store.Commit" {
		require.Contains(t, e.Msg, "nothing was changed", what)
		require.ErrorContains(t, e.Err, secret, "for the log: %s", what)
	}
}

// TestEndedContext: if the context of the caller has ended, every operation returns its error and writes nothing.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	for _, row := range hostRows() {
		for who, parts := range map[string]string{"client": row.client, "reseller": row.reseller} {
			if parts == "" {
				continue
			}
			t.Run(row.name+"/"+who, func(t *testing.T) {
				t.Parallel()
				_, err := hostRun{row: row, who: who, fault: "ended context"}.run(t)
				require.ErrorIs(t, err, context.Canceled)
				require.NotErrorIs(t, err, dedicated.ErrHost)
				var e *dedicated.Error
				require.ErrorAs(t, err, &e)
			})
		}
	}
}
