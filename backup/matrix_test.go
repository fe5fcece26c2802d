package backup_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// scene is a panel with a live request, a pending and a failed task of it, and everybody who might come by.
type scene struct {
	*panel
	request         backup.Request
	pending, failed uuid.UUID
	actors          map[string]dedicated.Actor
}

func newScene(t *testing.T, owner dedicated.Owner) *scene {
	p := setup(t)
	former := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: p.reseller.ResellerID}
	p.server = p.rent(t, "db-01", owner, former.ID)
	left, err := p.Submit(t.Context(), former, backup.Form{ServerID: p.server.ID, Schedule: daily(2)})
	require.NoError(t, err)
	_, err = p.Withdraw(t.Context(), former, left.ID, "")
	require.NoError(t, err)
	p.release(t, p.server)
	_, err = p.servers.Restock(t.Context(), p.reseller, p.server.ID)
	require.NoError(t, err)
	p.server, err = p.servers.Assign(t.Context(), p.reseller, p.server.ID, dedicated.NewAssignment{ClientID: p.client.ID, Billing: billing()})
	require.NoError(t, err)

	r := p.submit(t, daily(2))
	failed := p.planned(t, r).ID
	_, err = p.Fail(t.Context(), p.reseller, failed, "no space")
	require.NoError(t, err)
	s := &scene{panel: p, request: r, failed: failed, pending: p.planned(t, r).ID}
	tenant, other := p.reseller.ResellerID, uuid.New()
	s.actors = map[string]dedicated.Actor{
		"client":         p.client,
		"former client":  former,
		"other client":   {Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant},
		"client of none": {Role: dedicated.Client, ID: p.client.ID},
		"nil client":     {Role: dedicated.Client, ResellerID: tenant},
		"stray client":   {Role: dedicated.Client, ID: p.client.ID, ResellerID: other},
		"reseller":       p.reseller,
		"other reseller": {Role: dedicated.Reseller, ID: p.reseller.ID, ResellerID: other},
		"nil reseller":   {Role: dedicated.Reseller, ID: p.reseller.ID},
		"system":         {Role: dedicated.System, ResellerID: tenant},
		"other system":   {Role: dedicated.System, ResellerID: other},
		"nil system":     {Role: dedicated.System},
		"role 0":         {ID: p.client.ID, ResellerID: tenant},
		"unknown role":   {Role: 9, ID: p.client.ID, ResellerID: tenant},
	}
	return s
}

// operations are all that take an actor and something of somebody's.
func operations() map[string]func(context.Context, *scene, dedicated.Actor) error {
	return map[string]func(context.Context, *scene, dedicated.Actor) error{
		"Submit": func(ctx context.Context, s *scene, a dedicated.Actor) error {
			_, err := s.Submit(ctx, a, backup.Form{ServerID: s.server.ID, Schedule: daily(3)})
			return err
		},
		"Revise": func(ctx context.Context, s *scene, a dedicated.Actor) error {
			_, err := s.Revise(ctx, a, s.request.ID, backup.Form{Schedule: daily(4)})
			return err
		},
		"Withdraw": func(ctx context.Context, s *scene, a dedicated.Actor) error {
			_, err := s.Withdraw(ctx, a, s.request.ID, "")
			return err
		},
		"Complete": func(ctx context.Context, s *scene, a dedicated.Actor) error {
			_, err := s.Complete(ctx, a, s.pending, backup.Result{})
			return err
		},
		"Fail": func(ctx context.Context, s *scene, a dedicated.Actor) error {
			_, err := s.Fail(ctx, a, s.pending, "no space")
			return err
		},
		"Retry": func(ctx context.Context, s *scene, a dedicated.Actor) error {
			_, err := s.Retry(ctx, a, s.failed)
			return err
		},
		"Cancel": func(ctx context.Context, s *scene, a dedicated.Actor) error {
			_, err := s.Cancel(ctx, a, s.pending, "")
			return err
		},
		"Task": func(ctx context.Context, s *scene, a dedicated.Actor) error {
			_, err := s.Task(ctx, a, s.pending)
			return err
		},
		"Request": func(ctx context.Context, s *scene, a dedicated.Actor) error {
			_, err := s.Request(ctx, a, s.request.ID)
			return err
		},
	}
}

// TestWhoMayDoWhat is the table of permissions: every role, every operation, both owners of the machine.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	manages := map[string]bool{"reseller": true, "system": true}
	clients := map[string]error{"Complete": backup.ErrForbidden, "Fail": backup.ErrForbidden, "Retry": backup.ErrForbidden}
	owners := map[string]dedicated.Owner{"own": {}, "provider's": {Provider: "Upstream", Reference: "srv42"}}
	for whose, owner := range owners {
		for op, do := range operations() {
			t.Run(fmt.Sprintf("%s of %s", op, whose), func(t *testing.T) {
				t.Parallel()
				for who := range newScene(t, owner).actors {
					s := newScene(t, owner)
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
					require.Equal(t, op, typed.Op, who)
					require.Equal(t, before, s.list(t, backup.TaskQuery{}), "%s was refused and nothing changed", who)
				}
			})
		}
	}
}

// TestWhoSeesWhat: lists, counts and projections show no trace of what is not the actor's.
func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	for whose, owner := range map[string]dedicated.Owner{"own": {}, "provider's": {Provider: "Upstream"}} {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, owner)
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

// TestClientsDoNotLearnWhoseMachine: no answer to a client says that the machine is a provider's.
func TestClientsDoNotLearnWhoseMachine(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.server = p.rent(t, "db-01", dedicated.Owner{Provider: "Upstream"}, p.client.ID)
	form := backup.Form{ID: uuid.New(), ServerID: p.server.ID, Schedule: daily(2)}
	for range 2 {
		r, err := p.Submit(t.Context(), p.client, form)
		require.NoError(t, err)
		require.False(t, r.AtProvider)
	}
	r, err := p.Revise(t.Context(), p.client, form.ID, backup.Form{Schedule: daily(3)})
	require.NoError(t, err)
	require.False(t, r.AtProvider)
	task := p.planned(t, r)
	require.True(t, task.AtProvider, "the reseller sees it")
	cancelled, err := p.Cancel(t.Context(), p.client, task.ID, "")
	require.NoError(t, err)
	require.False(t, cancelled.AtProvider)
	r, err = p.Withdraw(t.Context(), p.client, form.ID, "")
	require.NoError(t, err)
	require.False(t, r.AtProvider)
	for _, owner := range []string{"own", "provider", "nonsense"} {
		_, _, err := p.Tasks(t.Context(), p.client, backup.TaskQuery{Owner: owner})
		require.ErrorIs(t, err, backup.ErrForbidden)
		_, err = p.Counts(t.Context(), p.client, backup.TaskQuery{Owner: owner})
		require.ErrorIs(t, err, backup.ErrForbidden)
	}
	for _, e := range p.events(t) {
		require.NotContains(t, string(e.Data), "Upstream")
		require.NotContains(t, string(e.Data), "rovider")
	}
}
