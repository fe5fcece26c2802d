package ticket_test

import (
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// TestOpenRace: of several concurrent Opens of a unique kind, one succeeds. The errors of the others have its ticket.
func TestOpenRace(t *testing.T) {
	t.Parallel()
	for range 200 {
		d := newFixture(t)
		start, results := make(chan struct{}), make(chan error, 4)
		ids := make(chan uuid.UUID, 4)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				<-start
				v, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: d.own, Kind: ticket.Reboot})
				results <- err
				ids <- v.ID
			})
		}
		close(start)
		all.Wait()
		close(results)
		close(ids)
		var winner uuid.UUID
		for id := range ids {
			if id != uuid.Nil {
				require.Equal(t, uuid.Nil, winner)
				winner = id
			}
		}
		won := 0
		for err := range results {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, ticket.ErrConflict)
			require.Equal(t, winner, refusal(t, err).Existing.ID)
		}
		require.Equal(t, 1, won)
	}
}

// TestReopenRace: of a concurrent Reopen and Open of a unique kind, one succeeds. The error of the other has its ticket.
func TestReopenRace(t *testing.T) {
	t.Parallel()
	for range 200 {
		d := newFixture(t)
		old := d.opened(t, d.own, ticket.Reboot)
		d.bring(t, old, ticket.Closed)
		form := ticket.Form{ID: uuid.New(), ServerID: d.own, Kind: ticket.Reboot}
		start, reopened, opened := make(chan struct{}), make(chan error, 1), make(chan error, 1)
		go func() {
			<-start
			reopened <- errorOf(d.Reopen(t.Context(), d.client, old, ticket.Note{}))
		}()
		go func() {
			<-start
			_, err := d.Open(t.Context(), d.client, form)
			opened <- err
		}()
		close(start)
		failure, winner := <-reopened, form.ID
		if err := <-opened; err != nil {
			require.NoError(t, failure)
			failure, winner = err, old
		}
		require.ErrorIs(t, failure, ticket.ErrConflict)
		require.Equal(t, winner, refusal(t, failure).Existing.ID)
	}
}

// forwardTwice forwards a ticket twice at once.
func (d *fixture) forwardTwice(t *testing.T, id uuid.UUID) ticket.Ticket {
	t.Helper()
	start := make(chan struct{})
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			<-start
			assert.NoError(t, errorOf(d.Forward(t.Context(), d.reseller, id, ticket.Note{})))
		})
	}
	close(start)
	both.Wait()
	return d.get(t, id)
}

// TestForwardRace: two concurrent Forwards start one upstream thread with both entries.
func TestForwardRace(t *testing.T) {
	t.Parallel()
	for range 100 {
		d := newFixture(t)
		id := d.opened(t, d.rented, ticket.Other)
		got := d.forwardTwice(t, id)
		require.Len(t, got.Upstream.Thread, 2)
		require.Len(t, got.Thread, 2, "the client is told once")
		for _, sent := range d.providerRequests(t) {
			require.Equal(t, got.Upstream.Ref, sent.Ref)
		}
	}
}

// TestDecisionRace: of a concurrent Confirm and Reject, the second one is decided again. A confirmed ticket may be rejected, but a
// rejected one may not be confirmed.
func TestDecisionRace(t *testing.T) {
	t.Parallel()
	for range 100 {
		d := newFixture(t)
		id := d.opened(t, d.own, ticket.Other)
		start, results := make(chan struct{}), make(chan error, 2)
		for _, call := range []func() error{
			func() error { return errorOf(d.Confirm(t.Context(), d.reseller, id, say("yes"))) },
			func() error { return errorOf(d.Reject(t.Context(), d.reseller, id, say("no"))) },
		} {
			go func() {
				<-start
				results <- call()
			}()
		}
		close(start)
		errs := []error{<-results, <-results}
		got := d.get(t, id)
		require.Equal(t, ticket.Rejected, got.Status)
		for _, err := range errs {
			if err != nil {
				require.ErrorIs(t, err, ticket.ErrConflict)
				require.Equal(t, ticket.Rejected, refusal(t, err).Status)
			}
		}
	}
}

// TestForwardAfterAMoveRace: two concurrent Forwards after the server has moved start one thread, and keep the former one once.
func TestForwardAfterAMoveRace(t *testing.T) {
	t.Parallel()
	for range 100 {
		d := newFixture(t)
		id := d.opened(t, d.rented, ticket.Other)
		require.NoError(t, errorOf(d.Forward(t.Context(), d.reseller, id, ticket.Note{})))
		d.moveTo(dedicated.Owner{Provider: "Beta", Reference: "b-2"})
		got := d.forwardTwice(t, id)
		require.Len(t, got.Upstream.Thread, 2)
		require.Len(t, got.Former, 1)
		require.Len(t, got.Former[0].Thread, 1)
	}
}

// TestDismissRace: of a concurrent Dismiss and a comment of the client, no order loses the comment: it is waited for.
func TestDismissRace(t *testing.T) {
	t.Parallel()
	for range 200 {
		d := newFixture(t)
		id := d.opened(t, d.own, ticket.Other)
		d.bring(t, id, ticket.Done)
		require.NoError(t, errorOf(d.Comment(t.Context(), d.client, id, say("thanks"))))
		seen := d.newestOfClient(t.Context(), id)
		start, dismissed, commented := make(chan struct{}), make(chan error, 1), make(chan error, 1)
		go func() {
			<-start
			dismissed <- errorOf(d.Dismiss(t.Context(), d.reseller, id, seen))
		}()
		go func() {
			<-start
			commented <- errorOf(d.Comment(t.Context(), d.client, id, say("but it is down again")))
		}()
		close(start)
		require.NoError(t, <-commented)
		if err := <-dismissed; err != nil {
			require.ErrorIs(t, err, ticket.ErrConflict)
			require.Equal(t, "seen", refusal(t, err).Field)
		}
		got := d.get(t, id)
		require.Equal(t, dedicated.Reseller, got.WaitingOn())
		require.True(t, got.ClosesAt.IsZero())
	}
}
