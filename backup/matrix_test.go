package backup_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// matrixFixture is a fixture with a live request that waits to be confirmed, a pending and a failed task of it, and all kinds of actors.
type matrixFixture struct {
	*fixture
	request         backup.Request
	pending, failed uuid.UUID
	actors          map[string]dedicated.Actor
}

func newMatrixFixture(t *testing.T, owner dedicated.Owner, change ...func(*backup.Config)) *matrixFixture {
	f := setup(t, change...)
	former := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: f.reseller.ResellerID}
	f.server = f.rent(t, "db-01", owner, former.ID)
	left, err := f.Submit(t.Context(), former, backup.Form{ServerID: f.server.ID, Schedule: daily(2)})
	require.NoError(t, err)
	_, err = f.Withdraw(t.Context(), former, left.ID, "")
	require.NoError(t, err)
	f.release(t, f.server)
	_, err = f.servers.Restock(t.Context(), f.reseller, f.server.ID)
	require.NoError(t, err)
	f.server, err = f.servers.Assign(t.Context(), f.reseller, f.server.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: billing()})
	require.NoError(t, err)

	r := f.submit(t, daily(2))
	failed := f.planned(t, r).ID
	_, err = f.Fail(t.Context(), f.reseller, failed, "no space")
	require.NoError(t, err)
	f.restore(t, r)
	s := &matrixFixture{fixture: f, request: r, failed: failed, pending: f.planned(t, r).ID}
	tenant, other := f.reseller.ResellerID, uuid.New()
	s.actors = map[string]dedicated.Actor{
		"client":         f.client,
		"former client":  former,
		"other client":   {Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant},
		"client of none": {Role: dedicated.Client, ID: f.client.ID},
		"nil client":     {Role: dedicated.Client, ResellerID: tenant},
		"stray client":   {Role: dedicated.Client, ID: f.client.ID, ResellerID: other},
		"reseller":       f.reseller,
		"other reseller": {Role: dedicated.Reseller, ID: f.reseller.ID, ResellerID: other},
		"nil reseller":   {Role: dedicated.Reseller, ID: f.reseller.ID},
		"system":         {Role: dedicated.System, ResellerID: tenant},
		"other system":   {Role: dedicated.System, ResellerID: other},
		"nil system":     {Role: dedicated.System},
		"role 0":         {ID: f.client.ID, ResellerID: tenant},
		"unknown role":   {Role: 9, ID: f.client.ID, ResellerID: tenant},
	}
	return s
}

// operations returns all operations on one record or server.
func operations() map[string]func(context.Context, *matrixFixture, dedicated.Actor) error {
	return map[string]func(context.Context, *matrixFixture, dedicated.Actor) error{
		"Submit": func(ctx context.Context, s *matrixFixture, a dedicated.Actor) error {
			_, err := s.Submit(ctx, a, backup.Form{ServerID: s.server.ID, Schedule: daily(3)})
			return err
		},
		"Revise": func(ctx context.Context, s *matrixFixture, a dedicated.Actor) error {
			_, err := s.Revise(ctx, a, s.request.ID, backup.Form{Schedule: daily(4)})
			return err
		},
		"Withdraw": func(ctx context.Context, s *matrixFixture, a dedicated.Actor) error {
			_, err := s.Withdraw(ctx, a, s.request.ID, "")
			return err
		},
		"Complete": func(ctx context.Context, s *matrixFixture, a dedicated.Actor) error {
			_, err := s.Complete(ctx, a, s.pending, backup.Result{})
			return err
		},
		"Fail": func(ctx context.Context, s *matrixFixture, a dedicated.Actor) error {
			_, err := s.Fail(ctx, a, s.pending, "no space")
			return err
		},
		"Retry": func(ctx context.Context, s *matrixFixture, a dedicated.Actor) error {
			_, err := s.Retry(ctx, a, s.failed)
			return err
		},
		"Cancel": func(ctx context.Context, s *matrixFixture, a dedicated.Actor) error {
			_, err := s.Cancel(ctx, a, s.pending, "")
			return err
		},
		"Confirm": func(ctx context.Context, s *matrixFixture, a dedicated.Actor) error {
			err := s.Confirm(ctx, a, s.request.ID)
			if stored, _ := s.store.Request(ctx, s.request.ID); err == nil && stored.Epoch != "" {
				return errors.New("it is not confirmed")
			}
			return err
		},
		"Task": func(ctx context.Context, s *matrixFixture, a dedicated.Actor) error {
			_, err := s.Task(ctx, a, s.pending)
			return err
		},
		"Request": func(ctx context.Context, s *matrixFixture, a dedicated.Actor) error {
			_, err := s.Request(ctx, a, s.request.ID)
			return err
		},
	}
}

// TestPermissions tests the table of permissions: every role, every operation, both owners of the machine.
func TestPermissions(t *testing.T) {
	t.Parallel()
	manages := map[string]bool{"reseller": true, "system": true}
	clients := map[string]error{
		"Complete": backup.ErrForbidden, "Fail": backup.ErrForbidden, "Retry": backup.ErrForbidden, "Confirm": backup.ErrForbidden,
	}
	owners := map[string]dedicated.Owner{"own": {}, "provider's": {Provider: "Upstream", Reference: "srv42"}}
	for whose, owner := range owners {
		for op, do := range operations() {
			t.Run(fmt.Sprintf("%s of %s", op, whose), func(t *testing.T) {
				t.Parallel()
				for who := range newMatrixFixture(t, owner).actors {
					s := newMatrixFixture(t, owner)
					before := s.list(t, backup.TaskQuery{})
					err := do(t.Context(), s, s.actors[who])
					var want error = backup.ErrNotFound
					switch {
					case manages[who]:
						want = nil
					case who == "client":
						want = clients[op]
					}
					if want == nil {
						require.NoError(t, err, who)
						continue
					}
					require.ErrorIs(t, err, want, who)
					var typed *backup.Error
					require.ErrorAs(t, err, &typed, who)
					require.Equal(t, backup.Op(op), typed.Op, who)
					require.Equal(t, before, s.list(t, backup.TaskQuery{}), "%s was refused and nothing changed", who)
				}
			})
		}
	}
}

// TestVisibility: lists, counts and projections show no trace of records that are not the actor's.
func TestVisibility(t *testing.T) {
	t.Parallel()
	for whose, owner := range map[string]dedicated.Owner{"own": {}, "provider's": {Provider: "Upstream"}} {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()
			s := newMatrixFixture(t, owner)
			tests := map[string]struct {
				tasks, requests, upcoming int
				err                       error
			}{
				"client":         {2, 1, 1, nil},
				"former client":  {1, 1, 0, nil},
				"other client":   {0, 0, 0, nil},
				"stray client":   {0, 0, 0, nil},
				"reseller":       {3, 2, 1, nil},
				"system":         {3, 2, 1, nil},
				"other reseller": {0, 0, 0, nil},
				"other system":   {0, 0, 0, nil},
				"client of none": {err: backup.ErrNotFound},
				"nil client":     {err: backup.ErrNotFound},
				"nil reseller":   {err: backup.ErrNotFound},
				"nil system":     {err: backup.ErrNotFound},
				"role 0":         {err: backup.ErrNotFound},
				"unknown role":   {err: backup.ErrNotFound},
			}
			require.Len(t, tests, len(s.actors))
			for who, want := range tests {
				a := s.actors[who]
				tasks, _, err := s.Tasks(t.Context(), a, backup.TaskQuery{})
				require.ErrorIs(t, err, want.err, who)
				requests, _, err := s.Requests(t.Context(), a, backup.RequestQuery{})
				require.ErrorIs(t, err, want.err, who)
				counts, err := s.Counts(t.Context(), a, backup.TaskQuery{})
				require.ErrorIs(t, err, want.err, who)
				upcoming, err := s.Upcoming(t.Context(), a, start, start.AddDate(0, 0, 3), 1)
				require.ErrorIs(t, err, want.err, who)
				require.Len(t, tasks, want.tasks, who)
				require.Len(t, requests, want.requests, who)
				require.Len(t, upcoming, want.upcoming, who)
				total := 0
				for _, n := range counts {
					total += n
				}
				require.Equal(t, want.tasks, total, who)
				for _, task := range tasks {
					require.Equal(t, whose == "provider's" && a.Role != dedicated.Client, task.AtProvider, who)
				}
				for _, r := range requests {
					require.Equal(t, whose == "provider's" && a.Role != dedicated.Client, r.AtProvider, who)
				}
			}
		})
	}
}

// TestClientsDoNotLearnTheOwner: no answer to a client shows that the machine is a provider's.
func TestClientsDoNotLearnTheOwner(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.server = f.rent(t, "db-01", dedicated.Owner{Provider: "Upstream"}, f.client.ID)
	form := backup.Form{ID: uuid.New(), ServerID: f.server.ID, Schedule: daily(2)}
	for range 2 {
		r, err := f.Submit(t.Context(), f.client, form)
		require.NoError(t, err)
		require.False(t, r.AtProvider)
	}
	r, err := f.Revise(t.Context(), f.client, form.ID, backup.Form{Schedule: daily(3)})
	require.NoError(t, err)
	require.False(t, r.AtProvider)
	task := f.planned(t, r)
	require.True(t, task.AtProvider, "the reseller sees it")
	cancelled, err := f.Cancel(t.Context(), f.client, task.ID, "")
	require.NoError(t, err)
	require.False(t, cancelled.AtProvider)
	r, err = f.Withdraw(t.Context(), f.client, form.ID, "")
	require.NoError(t, err)
	require.False(t, r.AtProvider)
	for _, owner := range []string{"own", "provider", "nonsense"} {
		_, _, err := f.Tasks(t.Context(), f.client, backup.TaskQuery{Owner: owner})
		require.ErrorIs(t, err, backup.ErrForbidden)
		_, err = f.Counts(t.Context(), f.client, backup.TaskQuery{Owner: owner})
		require.ErrorIs(t, err, backup.ErrForbidden)
	}
	for _, e := range f.events(t) {
		require.NotContains(t, string(e.Data), "Upstream")
		require.NotContains(t, string(e.Data), "rovider")
	}
}
