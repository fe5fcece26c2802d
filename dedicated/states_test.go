package dedicated_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

// TestStates runs each operation of the state table from each state.
func TestStates(t *testing.T) {
	t.Parallel()
	for _, row := range dedicated.Transitions() {
		if row.From == nil {
			continue // it adds a server
		}
		for _, from := range dedicated.States() {
			t.Run(string(row.Op)+" from "+string(from), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				s := f.addInState(t, from)
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
					want = dedicated.CleanUp // Release may be repeated
				}
				got, err := f.do(t, string(row.Op), f.reseller, s)
				if want != "" {
					require.NoError(t, err)
					assert.Equal(t, want, got.State)
					return
				}
				require.ErrorIs(t, err, dedicated.ErrConflict)
				var e *dedicated.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, from, e.State)
				after, err := f.Server(t.Context(), f.reseller, s.ID)
				require.NoError(t, err)
				assert.Equal(t, s, after)
			})
		}
	}
}

// addInState adds a server and brings it to a state.
func (f *fixture) addInState(t *testing.T, state dedicated.State) dedicated.Server {
	t.Helper()
	operations := map[dedicated.State][]string{
		dedicated.InUse: {"Assign"}, dedicated.Suspended: {"Assign", "Suspend"}, dedicated.CleanUp: {"Assign", "Release"}, dedicated.Retired: {"Retire"},
	}
	s := f.add(t)
	for _, op := range operations[state] {
		var err error
		s, err = f.do(t, op, f.reseller, s)
		require.NoError(t, err)
	}
	return s
}

// do runs the operation with the given name on a server.
func (f *fixture) do(t *testing.T, op string, a dedicated.Actor, s dedicated.Server) (dedicated.Server, error) {
	t.Helper()
	return f.doWith(t.Context(), op, a, s)
}

// doWith is do with a context.
func (f *fixture) doWith(ctx context.Context, op string, a dedicated.Actor, s dedicated.Server) (dedicated.Server, error) {
	switch op {
	case "Add":
		return f.Add(ctx, a, dedicated.NewServer{Name: "new"})
	case "Assign":
		return f.Assign(ctx, a, s.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: monthly()})
	case "ChangeBilling":
		b := monthly()
		b.Cycle.Count = 3
		return f.ChangeBilling(ctx, a, s.ID, b)
	case "Rename":
		return f.Rename(ctx, a, s.ID, "renamed")
	case "Suspend":
		return f.Suspend(ctx, a, s.ID, "unpaid")
	case "Resume":
		return f.Resume(ctx, a, s.ID)
	case "Release":
		return f.Release(ctx, a, s.ID, s.Assignment, uuid.Nil, "over")
	case "Unlock":
		key := s.LockedBy
		if key == uuid.Nil {
			key = uuid.New()
		}
		return f.Unlock(ctx, a, s.ID, key)
	case "Restock":
		return f.Restock(ctx, a, s.ID)
	case "Retire":
		return f.Retire(ctx, a, s.ID)
	case "Server":
		return f.Server(ctx, a, s.ID)
	}
	return dedicated.Server{}, fmt.Errorf("no operation %q", op)
}
