package backup_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// stumbling is an inventory whose next answer is a conflict.
type stumbling struct {
	backup.Servers
	conflict bool
}

func (s *stumbling) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if s.conflict {
		s.conflict = false
		return dedicated.Server{}, dedicated.ErrConflict
	}
	return s.Servers.Server(ctx, a, id)
}

// TestConflictsGoRoundNoGate: a conflict before the gate was asked is no way past it.
func TestConflictsGoRoundNoGate(t *testing.T) {
	t.Parallel()
	servers, closed := &stumbling{}, error(nil)
	p := setup(t, func(c *backup.Config) {
		servers.Servers = c.Servers
		c.Servers = servers
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, backup.Request) error { return closed })
	})
	form := backup.Form{ServerID: p.server.ID, What: "everything", Schedule: backup.Schedule{Frequency: backup.Daily, Hour: 3}}
	r, err := p.Submit(t.Context(), p.client, form)
	require.NoError(t, err)

	closed, servers.conflict = errors.New("closed"), true
	_, err = p.Submit(t.Context(), p.client, form)
	require.ErrorIs(t, err, closed)
	servers.conflict = true
	form.What = "the home directories"
	_, err = p.Revise(t.Context(), p.client, r.ID, form)
	require.ErrorIs(t, err, closed)
}
