package ticket_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// secret is what the parts of the host say. No actor may read it.
const secret = "dsn=postgres://root:secret@db"

// faultyHost is a Store, an inventory and a gate. One of their methods fails.
type faultyHost struct {
	ticket.Store
	ticket.Servers
	part  string
	fault func() error
	calls int // of the part that fails
}

func (h *faultyHost) fail(part string) error {
	if h.part != part {
		return nil
	}
	h.calls++
	return h.fault()
}

func (h *faultyHost) Ticket(ctx context.Context, id uuid.UUID) (ticket.Ticket, error) {
	if err := h.fail("Store.Ticket"); err != nil {
		return ticket.Ticket{}, err
	}
	return h.Store.Ticket(ctx, id)
}

func (h *faultyHost) Tickets(ctx context.Context, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
	if err := h.fail("Store.Tickets"); err != nil {
		return nil, "", err
	}
	return h.Store.Tickets(ctx, reseller, q)
}

func (h *faultyHost) Counts(ctx context.Context, reseller uuid.UUID, q ticket.Query) (map[ticket.Status]int, error) {
	if err := h.fail("Store.Counts"); err != nil {
		return nil, err
	}
	return h.Store.Counts(ctx, reseller, q)
}

func (h *faultyHost) ClaimDue(ctx context.Context, now, until time.Time, limit int) (ticket.Due, error) {
	if err := h.fail("Store.ClaimDue"); err != nil {
		return ticket.Due{}, err
	}
	return h.Store.ClaimDue(ctx, now, until, limit)
}

func (h *faultyHost) Commit(ctx context.Context, changes ...ticket.Change) error {
	if err := h.fail("Store.Commit"); err != nil {
		return err
	}
	return h.Store.Commit(ctx, changes...)
}

func (h *faultyHost) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if err := h.fail("Servers.Server"); err != nil {
		return dedicated.Server{}, err
	}
	return h.Servers.Server(ctx, a, id)
}

func (h *faultyHost) gate(context.Context, dedicated.Actor, ticket.Kind, dedicated.Server) error {
	return h.fail("Gate")
}

// hostOperations returns all operations. Tick and CloseServer take no actor: their errors are for the log.
func hostOperations() []operation {
	op := func(name string, do func(context.Context, *fixture, dedicated.Actor) error) operation {
		return operation{name, ticket.Open, func(ctx context.Context, d *fixture, a dedicated.Actor, _ uuid.UUID) error { return do(ctx, d, a) }}
	}
	return append(operations(),
		operation{"Comment on a closed ticket", ticket.Closed, operations()[2].do},
		op("Open", func(ctx context.Context, d *fixture, a dedicated.Actor) error {
			return errorOf(d.Open(ctx, a, ticket.Form{ServerID: d.rented, Kind: ticket.Reinstall}))
		}),
		op("Forms", func(ctx context.Context, d *fixture, a dedicated.Actor) error {
			return errorOf(d.Forms(ctx, a, d.rented))
		}),
		op("Views", func(ctx context.Context, d *fixture, a dedicated.Actor) error {
			_, _, err := d.Views(ctx, a, ticket.Query{})
			return err
		}),
		op("Tickets", func(ctx context.Context, d *fixture, a dedicated.Actor) error {
			_, _, err := d.Tickets(ctx, a, ticket.Query{})
			return err
		}),
		op("Counts", func(ctx context.Context, d *fixture, a dedicated.Actor) error {
			return errorOf(d.Counts(ctx, a, ticket.Query{}))
		}),
		op("Tick", func(ctx context.Context, d *fixture, _ dedicated.Actor) error { return errorOf(d.Tick(ctx)) }),
		op("CloseServer", func(ctx context.Context, d *fixture, _ dedicated.Actor) error {
			return d.CloseServer(ctx, d.departure(d.rented))
		}),
	)
}

func forTheLog(op string) bool { return op == "Tick" || op == "CloseServer" }

// hostParts returns the parts of a host, and for each role the operations that call the part.
func hostParts() map[string]map[string][]string {
	client := []string{"Close", "Comment", "Comment on a closed ticket", "Comment, internal", "Reopen"}
	moves := []string{"AskDetails", "Assign", "Close", "Comment", "Comment on a closed ticket", "Comment, internal", "Complete", "Confirm",
		"Dismiss", "Forward", "Reject", "Relay", "Reopen", "SetPriority"}
	all := func(lists ...[]string) []string { return slices.Concat(lists...) }
	return map[string]map[string][]string{
		"Store.Ticket": {
			"client":   all(moves, []string{"CloseServer", "Draft", "Open", "Ticket", "View"}),
			"reseller": all(moves, []string{"CloseServer", "Draft", "Open", "Ticket", "View"}),
		},
		"Store.Tickets": {
			"client":   {"CloseServer", "Comment on a closed ticket", "Open", "Reopen", "Views"},
			"reseller": {"CloseServer", "Open", "ProviderReplied", "Reopen", "Tickets", "Views"},
		},
		"Store.Counts":   {"reseller": {"Counts"}},
		"Store.ClaimDue": {"client": {"Tick"}, "reseller": {"Tick"}},
		"Store.Commit": {
			"client":   {"Close", "CloseServer", "Comment", "Comment on a closed ticket", "Open", "Reopen", "Tick"},
			"reseller": all(moves, []string{"CloseServer", "Open", "ProviderReplied", "Tick"}),
		},
		"Servers.Server": {
			"client":   all(client, []string{"Forms", "Open", "Tick"}),
			"reseller": {"AskDetails", "Complete", "Confirm", "Draft", "Forms", "Forward", "Open", "Reopen", "Tick"},
		},
		"Gate": {"client": {"Forms", "Open"}, "reseller": {"Forms", "Open"}},
	}
}

// hostFaults returns the ways in which a part fails, by name.
func hostFaults() map[string]func() error {
	wrapping := func(sentinel error) func() error {
		return func() error { return fmt.Errorf("%s: %w", secret, sentinel) }
	}
	return map[string]func() error{
		"error": func() error { return errors.New(secret) }, "panic": func() error { panic(secret) },
		"not found": wrapping(ticket.ErrNotFound), "conflict": wrapping(ticket.ErrConflict),
		"forbidden": wrapping(ticket.ErrForbidden), "invalid": wrapping(ticket.ErrInvalid),
	}
}

// newHostFixture returns a fixture with a ticket of a unique kind on the rented server. A reminder of the ticket is due if its
// status is open.
func newHostFixture(t *testing.T, status ticket.Status) (*fixture, *faultyHost, uuid.UUID) {
	t.Helper()
	host := &faultyHost{}
	d := newFixture(t, func(c *ticket.Config) {
		host.Store, host.Servers = c.Store, c.Servers
		c.Store, c.Servers = host, host
		c.Hooks.Gate = append(c.Hooks.Gate, host.gate)
	})
	id := d.opened(t, d.rented, ticket.Reboot)
	d.bring(t, id, status)
	if status == ticket.Done { // for Dismiss
		require.NoError(t, errorOf(d.Comment(t.Context(), d.client, id, say("thanks"))))
	}
	d.clock.Add(ticket.DefaultFirstResponse)
	d.events(t)
	return d, host, id
}

// stored returns all tickets, without the fields that a Tick changes after a failure.
func (d *fixture) stored(t *testing.T) []ticket.Ticket {
	t.Helper()
	tickets, _, err := d.store.Tickets(t.Context(), d.reseller.ResellerID, ticket.Query{})
	require.NoError(t, err)
	for i := range tickets {
		tickets[i].Version, tickets[i].Due, tickets[i].LeaseUntil = 0, time.Time{}, time.Time{}
	}
	return tickets
}

// TestFaultsOfTheHost: if a part of the host fails, the error is ErrHost and none of the caller's sentinels. Only the log has
// the part's words. Nothing is written.
func TestFaultsOfTheHost(t *testing.T) {
	t.Parallel()
	for part, reached := range hostParts() {
		for _, op := range hostOperations() {
			t.Run(part+" in "+op.name, func(t *testing.T) {
				t.Parallel()
				for name, fault := range hostFaults() {
					for _, role := range []string{"client", "reseller"} {
						d, host, id := newHostFixture(t, op.status)
						actor := map[string]dedicated.Actor{"client": d.client, "reseller": d.reseller}[role]
						before := d.stored(t)
						host.part, host.fault = part, fault
						err := op.do(t.Context(), d, actor, id)
						what := fmt.Sprintf("%s for a %s: %v", name, role, err)
						require.Equal(t, slices.Contains(reached[role], op.name), host.calls > 0, "calls of the part: %s", what)
						if host.calls == 0 || checkHostError(t, part, op.name, name, err) {
							continue // the answer had its own meaning, and the operation may have gone on
						}
						require.Equal(t, before, d.stored(t), what)
						kinds, _ := d.events(t)
						require.Empty(t, kinds, what)
					}
				}
			})
		}
	}
}

// checkHostError checks the error of an operation whose part of the host failed. meant is true if the answer of the part was a
// proper answer.
func checkHostError(t *testing.T, part, op, fault string, err error) (meant bool) {
	t.Helper()
	what := fmt.Sprintf("%s: %v", fault, err)
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case fault == "not found" && (part == "Servers.Server" || part == "Store.Ticket" && op == "Open"):
		require.False(t, is(ticket.ErrHost), what)
		if err != nil {
			require.NotContains(t, err.Error(), "secret", what)
		}
		return true
	case part == "Store.Commit" && fault == "conflict" && op == "Tick": // the ticket was changed by somebody else
		require.NoError(t, err)
		return true
	case part == "Store.Ticket" && fault == "not found" && is(ticket.ErrNotFound),
		strings.HasPrefix(part, "Store.") && fault == "conflict" && is(ticket.ErrConflict):
		require.False(t, is(ticket.ErrHost), what)
	default:
		require.True(t, is(ticket.ErrHost), what)
		caller := []error{ticket.ErrNotFound, ticket.ErrConflict, ticket.ErrForbidden, ticket.ErrInvalid}
		require.False(t, slices.ContainsFunc(caller, is), what)
		require.Equal(t, part == "Store.Commit", refusal(t, err).OutcomeUnknown, what)
	}
	if forTheLog(op) {
		assert.ErrorContains(t, err, secret, what)
	} else {
		assert.NotContains(t, err.Error(), "secret", what)
	}
	return false
}

// TestNonsenseOfTheHost: an answer about another server is ErrHost.
func TestNonsenseOfTheHost(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	id := d.opened(t, d.rented, ticket.Reboot)
	d.servers[d.rented] = d.servers[d.own]
	_, err := d.Confirm(t.Context(), d.reseller, id, say("yes"))
	require.ErrorIs(t, err, ticket.ErrHost)
	assert.EqualError(t, err, "ticket: Confirm: Servers.Server failed; nothing was changed")
	assert.Equal(t, say("yes"), refusal(t, err).Note, "the draft is not lost")
}

// TestForwardTextFails: a template that fails is the host's fault.
func TestForwardTextFails(t *testing.T) {
	t.Parallel()
	d := newFixture(t, func(c *ticket.Config) {
		c.ForwardText = `{{if eq .text "now"}}{{index "` + secret + `" 99}}{{end}}{{.text}}`
	})
	id := d.opened(t, d.rented, ticket.Reboot)
	d.events(t)
	before := d.stored(t)
	_, err := d.Draft(t.Context(), d.reseller, id, "now")
	checkHostError(t, "Config.ForwardText", "Draft", "error", err)
	_, err = d.Forward(t.Context(), d.reseller, id, say("now"))
	checkHostError(t, "Config.ForwardText", "Forward", "error", err)
	assert.ErrorContains(t, refusal(t, err).Err, "secret", "for the log")
	assert.Equal(t, before, d.stored(t))
	kinds, _ := d.events(t)
	assert.Empty(t, kinds)
	require.NoError(t, errorOf(d.Forward(t.Context(), d.reseller, id, say("later"))))
}

// TestEndedContext: the end of the caller's context is returned as such, whatever part of the host noticed it.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	for part := range hostParts() {
		for _, op := range hostOperations() {
			d, host, id := newHostFixture(t, op.status)
			ctx, cancel := context.WithCancel(t.Context())
			host.part, host.fault = part, func() error {
				cancel()
				return errors.New(secret)
			}
			err := op.do(ctx, d, d.reseller, id)
			if host.calls > 0 {
				require.ErrorIs(t, err, context.Canceled, "%s in %s", part, op.name)
				require.NotErrorIs(t, err, ticket.ErrHost, "%s in %s", part, op.name)
			}
			cancel()
		}
	}
}
