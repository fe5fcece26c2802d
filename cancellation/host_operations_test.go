package cancellation_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// The operations of hostRows.

func hostSchedule(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Schedule(ctx, a, cancellation.Order{ServerID: f.server.ID, When: endOfPeriod()})
	return err
}

func hostReschedule(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Reschedule(ctx, a, f.cancellation.ID, endOfPeriod())
	return err
}

func hostDiscard(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Discard(ctx, a, f.cancellation.ID, "")
	return err
}

func hostRetry(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Retry(ctx, a, f.cancellation.ID)
	return err
}

func hostAbandon(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Abandon(ctx, a, f.cancellation.ID, "")
	return err
}

func hostQuote(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Quote(ctx, a, f.server.ID, endOfPeriod())
	return err
}

func hostQuotes(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Quotes(ctx, a, f.server.ID, endOfNovember(), at("2026-12-31 23:00"))
	return err
}

func hostPreview(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Preview(ctx, a, cancellation.Order{ID: uuid.New(), ServerID: f.server.ID, When: endOfPeriod()})
	return err
}

func hostPolicy(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Policy(ctx, a, f.server.ID)
	return err
}

func hostCancellation(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Cancellation(ctx, a, f.cancellation.ID)
	return err
}

func hostCancellations(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, _, err := f.Cancellations(ctx, a, cancellation.Query{After: f.cursor})
	return err
}

func hostBadges(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Badges(ctx, a, []uuid.UUID{f.server.ID})
	return err
}

func hostEnds(ctx context.Context, f *hostFixture, _ dedicated.Actor) error {
	_, err := f.Ends(ctx, []uuid.UUID{f.server.ID})
	return err
}

func hostShouldRenew(ctx context.Context, f *hostFixture, _ dedicated.Actor) error {
	_, err := f.ShouldRenew(ctx, f.server.ID, endOfNovember())
	return err
}

func hostSettings(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.Settings(ctx, a)
	return err
}

func hostSaveSettings(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	_, err := f.SaveSettings(ctx, a, warnings(7))
	return err
}

func hostConfirm(ctx context.Context, f *hostFixture, a dedicated.Actor) error {
	return f.Confirm(ctx, a, f.cancellation.ID)
}

func hostTick(ctx context.Context, f *hostFixture, _ dedicated.Actor) error {
	_, err := f.Tick(ctx)
	return err
}

func hostSubscriber(ctx context.Context, f *hostFixture, _ dedicated.Actor) error {
	return f.Subscriber().Handle(ctx, f.event)
}

// ordered has a client's order for another date than the end of the period, which the client may change.
func ordered(t *testing.T) *hostFixture {
	t.Helper()
	f := newHostFixture(t)
	f.saveSettings(t, cancellation.Settings{ClientMayDiscard: true, ClientMayChooseDate: true})
	var err error
	f.cancellation, err = f.Schedule(t.Context(), f.client, cancellation.Order{
		ServerID: f.server.ID, When: cancellation.When{At: at("2026-11-20 12:00")},
	})
	require.NoError(t, err)
	return f
}

// twoPages has two orders of the client, and the cursor of the second page.
func twoPages(t *testing.T) *hostFixture {
	t.Helper()
	f := newHostFixture(t)
	f.scheduleAsClient(t, f.server.ID)
	f.scheduleAsClient(t, f.fixture.server(t).ID)
	var err error
	_, f.cursor, err = f.Cancellations(t.Context(), f.client, cancellation.Query{Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, f.cursor)
	return f
}

// dueExecution has an execution that is due.
func dueExecution(t *testing.T) *hostFixture {
	t.Helper()
	f := newHostFixture(t)
	f.cancellation = f.scheduleAt(t, f.server.ID, at("2026-11-10 09:00"))
	return f
}

// unconfirmed has an order that was made before the database was restored.
func unconfirmed(t *testing.T) *hostFixture {
	t.Helper()
	f := newHostFixture(t)
	f.scheduleAsClient(t, f.server.ID)
	f.cancellation = f.restore(t)[0]
	return f
}

// dueWarning has a warning that is due.
func dueWarning(t *testing.T) *hostFixture {
	t.Helper()
	f := newHostFixture(t)
	f.saveSettings(t, warnings(30))
	f.tick(t)
	f.cancellation = f.scheduleAt(t, f.server.ID, endOfNovember())
	return f
}

// dueSettings has a cancellation that is to follow changed settings.
func dueSettings(t *testing.T) *hostFixture {
	t.Helper()
	f := newHostFixture(t)
	f.cancellation = f.scheduleAt(t, f.server.ID, endOfNovember())
	f.tick(t)
	f.saveSettings(t, warnings(7))
	return f
}

// dueSettingsWithConflict is dueSettings. The batch conflicts, and so does its only record by itself.
func dueSettingsWithConflict(t *testing.T) *hostFixture {
	t.Helper()
	f := dueSettings(t)
	f.conflicts = 2
	return f
}

// stuckExecution has an execution of a client's order whose deprovisioning has failed once.
func stuckExecution(t *testing.T) *hostFixture {
	t.Helper()
	f := newHostFixture(t)
	f.cancellation = f.scheduleAsClient(t, f.server.ID)
	f.clock.Set(endOfNovember())
	f.host.failAlways("Hooks.Deprovision")
	_, err := f.Tick(t.Context())
	require.Error(t, err)
	return f
}

// abandoned has an abandoned execution whose server is still locked.
func abandoned(t *testing.T) *hostFixture {
	t.Helper()
	f := stuckExecution(t)
	f.host.failAlways("Servers.Unlock")
	_, err := f.Abandon(t.Context(), f.reseller, f.cancellation.ID, "")
	require.Error(t, err)
	c := f.get(t, f.cancellation.ID)
	require.True(t, c.Abandoned)
	f.clock.Set(c.Due)
	return f
}

// changedBilling has an event about other billing of the server.
func changedBilling(t *testing.T) *hostFixture {
	t.Helper()
	f := newHostFixture(t)
	var err error
	f.cancellation, err = f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: f.server.ID, When: endOfPeriod()})
	require.NoError(t, err)
	s, err := f.servers.ChangeBilling(t.Context(), f.reseller, f.server.ID, quarterly())
	require.NoError(t, err)
	f.event = f.serverEvent(t, dedicated.KindBillingChanged, dedicated.BillingChanged{ServerID: s.ID, Assignment: s.Assignment, At: s.BilledAt})
	return f
}

// released has an event about the release of the server.
func released(t *testing.T) *hostFixture {
	t.Helper()
	f := newHostFixture(t)
	f.cancellation = f.scheduleAsClient(t, f.server.ID)
	_, err := f.servers.Release(t.Context(), f.reseller, f.server.ID, f.server.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	f.event = f.serverEvent(t, dedicated.KindReleased, dedicated.Released{ServerID: f.server.ID, Assignment: f.server.Assignment})
	return f
}

func (f *hostFixture) serverEvent(t *testing.T, kind notify.Kind, payload any) notify.Event {
	t.Helper()
	data, err := json.Marshal(payload)
	require.NoError(t, err)
	return notify.Event{Kind: kind, ResellerID: f.reseller.ResellerID, Data: data}
}
