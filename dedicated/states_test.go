package dedicated_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

func TestStates(t *testing.T) {
	t.Parallel()
	states := []dedicated.State{dedicated.InStock, dedicated.InUse, dedicated.Suspended, dedicated.CleanUp, dedicated.Retired}
	for _, row := range dedicated.Transitions() {
		for _, from := range states {
			t.Run(row.Op+" from "+string(from), func(t *testing.T) {
				t.Parallel()
				w := setup(t)
				s := w.inState(t, from)
				var want dedicated.State
				for _, allowed := range row.From {
					if allowed == from {
						want = row.To
						if want == "" {
							want = from
						}
					}
				}
				if row.Op == "Release" && from == dedicated.CleanUp {
					want = dedicated.CleanUp // may be said again
				}
				got, err := w.do(t, row.Op, w.reseller, s)
				if want != "" {
					require.NoError(t, err)
					assert.Equal(t, want, got.State)
					return
				}
				require.ErrorIs(t, err, dedicated.ErrConflict)
				var e *dedicated.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, from, e.State)
				after, err := w.Server(t.Context(), w.reseller, s.ID)
				require.NoError(t, err)
				assert.Equal(t, s, after)
			})
		}
	}
}

func (w *world) inState(t *testing.T, state dedicated.State) dedicated.Server {
	t.Helper()
	path := map[dedicated.State][]string{
		dedicated.InUse: {"Assign"}, dedicated.Suspended: {"Assign", "Suspend"}, dedicated.CleanUp: {"Assign", "Release"}, dedicated.Retired: {"Retire"},
	}
	s := w.add(t)
	for _, op := range path[state] {
		var err error
		s, err = w.do(t, op, w.reseller, s)
		require.NoError(t, err)
	}
	return s
}

func (w *world) do(t *testing.T, op string, a dedicated.Actor, s dedicated.Server) (dedicated.Server, error) {
	t.Helper()
	ctx := t.Context()
	switch op {
	case "Add":
		return w.Add(ctx, a, dedicated.NewServer{Name: "new"})
	case "Assign":
		return w.Assign(ctx, a, s.ID, dedicated.NewAssignment{ClientID: w.client.ID, Billing: monthly()})
	case "ChangeBilling":
		b := monthly()
		b.Cycle.Count = 3
		return w.ChangeBilling(ctx, a, s.ID, b)
	case "Rename":
		return w.Rename(ctx, a, s.ID, "renamed")
	case "Suspend":
		return w.Suspend(ctx, a, s.ID, "unpaid")
	case "Resume":
		return w.Resume(ctx, a, s.ID)
	case "Release":
		return w.Release(ctx, a, s.ID, s.Assignment, uuid.Nil, "over")
	case "Unlock":
		return w.Unlock(ctx, a, s.ID, uuid.New())
	case "Restock":
		return w.Restock(ctx, a, s.ID)
	case "Retire":
		return w.Retire(ctx, a, s.ID)
	case "Server":
		return w.Server(ctx, a, s.ID)
	}
	t.Fatalf("no operation %q", op)
	return dedicated.Server{}, nil
}
