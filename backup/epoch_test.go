package backup_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// TestEventsOfAnEpoch: the same change has an event of its own in each epoch, and today's in the first one. Task IDs are the same.
func TestEventsOfAnEpoch(t *testing.T) {
	t.Parallel()
	for _, epoch := range []string{"", "second"} {
		f := setup(t, func(c *backup.Config) { c.Epoch = epoch })
		r := f.submit(t, daily(2))
		task := f.planned(t, r).ID
		occurrence := uuid.NewSHA1(r.ID, []byte("2026-01-02T02:00:00Z"))
		require.Equal(t, occurrence, task, epoch)
		_, err := f.Complete(t.Context(), f.reseller, task, backup.Result{})
		require.NoError(t, err)
		require.NoError(t, f.CloseServer(t.Context(), f.released()))
		subjects := map[notify.Kind]notify.Subject{
			backup.KindRequested: {ID: r.ID, Version: 1}, backup.KindCompleted: {ID: task, Version: 2}, backup.KindClosed: {ID: r.ID, Version: 3},
		}
		events := f.events(t)
		require.Len(t, events, len(subjects), epoch)
		for _, e := range events {
			subject := subjects[e.Kind]
			subject.Epoch = epoch
			want, err := subject.Event(e.Kind, e.At, struct{}{})
			require.NoError(t, err)
			assert.Equal(t, want.ID, e.ID, "%s in epoch %q", e.Kind, epoch)
		}
	}
}

// TestRestoredRequestIsNotPerformed: after a restore the Performer makes no backup until a person decides. Planning, skipping, the
// reminder and the end with the server go on as without a Performer.
func TestRestoredRequestIsNotPerformed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: lasting(time.Minute)}
		f := setupPerformer(t, h)
		waits := f.submit(t, daily(2))
		f.restore(t, waits)
		goes := f.submit(t, daily(3))
		require.Equal(t, []uuid.UUID{waits.ID}, f.unconfirmed(t), "before any Tick")
		require.Empty(t, runFor(t, 60*time.Hour, f.Manager))
		assert.Len(t, h.calls, 3, "of the other request")
		for _, task := range f.list(t, backup.TaskQuery{RequestID: waits.ID}) {
			assert.Contains(t, []backup.State{backup.Pending, backup.Skipped}, task.State)
		}
		assert.Equal(t, 1, f.count(t, backup.KindOverdue))
		require.Equal(t, []uuid.UUID{waits.ID}, f.unconfirmed(t))

		require.NoError(t, f.Confirm(t.Context(), f.reseller, waits.ID, goes.ID, waits.ID))
		require.Empty(t, f.unconfirmed(t))
		f.tick(t)
		assert.Len(t, h.calls, 4, "it is due at once")
		done := f.list(t, backup.TaskQuery{RequestID: waits.ID, States: []backup.State{backup.Completed}})
		require.Len(t, done, 1)
		before, err := f.store.Request(t.Context(), waits.ID)
		require.NoError(t, err)
		require.NoError(t, f.Confirm(t.Context(), f.reseller, waits.ID))
		after, err := f.store.Request(t.Context(), waits.ID)
		require.NoError(t, err)
		assert.Equal(t, before, after, "a repeat writes nothing")
	})
}

// TestRestoredRequestOfAFormerClient: a request that waits ends with its server all the same.
func TestRestoredRequestOfAFormerClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: lasting(time.Minute)}
		f := setupPerformer(t, h)
		f.restore(t, f.submit(t, daily(2)))
		f.release(t, f.server)
		require.Empty(t, runFor(t, 3*time.Hour, f.Manager))
		assert.Empty(t, f.unconfirmed(t))
		assert.Equal(t, 1, f.count(t, backup.KindClosed))
		assert.Empty(t, h.calls)
	})
}

// TestRetriedTaskOfARestoredRequest: a request that has ended waits, too, while a retried task of it is pending.
func TestRetriedTaskOfARestoredRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: lasting(time.Minute)}
		f := setupPerformer(t, h)
		r := f.submit(t, at2())
		task := f.planned(t, r).ID
		_, err := f.Fail(t.Context(), f.reseller, task, "no space")
		require.NoError(t, err)
		f.restore(t, r)
		require.Empty(t, f.unconfirmed(t), "it has ended, and nothing of it is pending")
		_, err = f.Retry(t.Context(), f.reseller, task)
		require.NoError(t, err)
		require.Empty(t, f.unconfirmed(t), "a person has decided")
		f.restore(t, r)
		require.Equal(t, []uuid.UUID{r.ID}, f.unconfirmed(t))
		require.Empty(t, runFor(t, 5*time.Hour, f.Manager))
		require.Empty(t, h.calls)
		require.NoError(t, f.Confirm(t.Context(), f.reseller, r.ID))
		f.tick(t)
		assert.Len(t, h.calls, 1)
		assert.Empty(t, f.unconfirmed(t))
	})
}

// TestDecisionsConfirm: every decision of a person about a request confirms it.
func TestDecisionsConfirm(t *testing.T) {
	t.Parallel()
	for name, decide := range operations() {
		if name == "Submit" || name == "Request" || name == "Task" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newMatrixFixture(t, dedicated.Owner{})
			require.Equal(t, []uuid.UUID{f.request.ID}, f.unconfirmed(t))
			require.NoError(t, decide(t.Context(), f, f.reseller))
			assert.Empty(t, f.unconfirmed(t))
			stored, err := f.store.Request(t.Context(), f.request.ID)
			require.NoError(t, err)
			assert.Empty(t, stored.Epoch)
		})
	}
}

// TestUnchangedFormDoesNotConfirm: a Revise that changes nothing writes nothing.
func TestUnchangedFormDoesNotConfirm(t *testing.T) {
	t.Parallel()
	f := newMatrixFixture(t, dedicated.Owner{})
	r, err := f.Revise(t.Context(), f.reseller, f.request.ID, f.request.Form)
	require.NoError(t, err)
	assert.Equal(t, "before", r.Epoch)
	assert.Equal(t, []uuid.UUID{f.request.ID}, f.unconfirmed(t))
}

// TestUnconfirmedIsForTheReseller: a client neither searches for requests that wait nor sees the epoch.
func TestUnconfirmedIsForTheReseller(t *testing.T) {
	t.Parallel()
	f := newMatrixFixture(t, dedicated.Owner{})
	_, _, err := f.Requests(t.Context(), f.client, backup.RequestQuery{Unconfirmed: true})
	require.ErrorIs(t, err, backup.ErrForbidden)
	var e *backup.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "Unconfirmed", e.Field)
	other := dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}
	found, _, err := f.Requests(t.Context(), other, backup.RequestQuery{Unconfirmed: true})
	require.NoError(t, err)
	assert.Empty(t, found)
	r, err := f.Request(t.Context(), f.client, f.request.ID)
	require.NoError(t, err)
	assert.Empty(t, r.Epoch)
	r, err = f.Request(t.Context(), f.reseller, f.request.ID)
	require.NoError(t, err)
	assert.Equal(t, "before", r.Epoch)
}

// TestConfirmsAllOrNothing: one request that cannot be confirmed keeps the others waiting.
func TestConfirmsAllOrNothing(t *testing.T) {
	t.Parallel()
	refuse := &refusingStore{}
	f := newMatrixFixture(t, dedicated.Owner{}, func(c *backup.Config) {
		refuse.Store = c.Store
		c.Store = refuse
	})
	f.server = f.rent(t, "db-02", dedicated.Owner{}, f.client.ID)
	second := f.submit(t, daily(5))
	f.restore(t, second)
	waiting := []uuid.UUID{f.request.ID, second.ID}
	require.ElementsMatch(t, waiting, f.unconfirmed(t))
	for name, tt := range map[string]struct {
		ids  []uuid.UUID
		want error
	}{
		"unknown":  {append(waiting, uuid.New()), backup.ErrNotFound},
		"nil":      {append(waiting, uuid.Nil), backup.ErrNotFound},
		"too many": {make([]uuid.UUID, backup.MaxConfirm+1), backup.ErrInvalid},
	} {
		require.ErrorIs(t, f.Confirm(t.Context(), f.reseller, tt.ids...), tt.want, name)
		require.ElementsMatch(t, waiting, f.unconfirmed(t), name)
	}
	require.NoError(t, f.Confirm(t.Context(), f.reseller))
	refuse.err = errors.New("no space")
	require.ErrorIs(t, f.Confirm(t.Context(), f.reseller, waiting...), backup.ErrHost)
	refuse.err = nil
	require.ElementsMatch(t, waiting, f.unconfirmed(t))
	require.NoError(t, f.Confirm(t.Context(), f.reseller, waiting...))
	require.Empty(t, f.unconfirmed(t))
}

// refusingStore is a Store whose Commit fails if err is set.
type refusingStore struct {
	backup.Store
	err error
}

func (s *refusingStore) Commit(ctx context.Context, changes ...backup.Change) error {
	if s.err != nil {
		return s.err
	}
	return s.Store.Commit(ctx, changes...)
}

// TestClientConfirmsAfterRestore: Confirm is for the reseller (a client gets ErrForbidden). A client that only cancels one task of an
// unconfirmed request must not let the Performer go on with the rest.
func TestClientConfirmsAfterRestore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &countingPerformer{do: func(context.Context, backup.Task) (backup.Result, error) { return backup.Result{}, nil }}
		f := setupPerformer(t, p)
		r := f.submit(t, daily(2))
		f.restore(t, r)
		require.ErrorIs(t, f.Confirm(t.Context(), f.client, r.ID), backup.ErrForbidden)
		_, err := f.Cancel(t.Context(), f.client, f.planned(t, r).ID, "not needed tonight")
		require.NoError(t, err)
		assert.Equal(t, 1, len(f.unconfirmed(t)), "the client has confirmed the request")
		time.Sleep(3 * 24 * time.Hour)
		_, err = f.Tick(t.Context())
		require.NoError(t, err)
		assert.Empty(t, p.calls, "the Performer runs although the reseller has confirmed nothing")
	})
}
