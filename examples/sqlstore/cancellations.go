package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/cancellation"
)

type cancellations struct {
	db       *DB
	table    *table[cancellation.Cancellation]
	settings *table[cancellation.Settings]
}

// Cancellations returns the store for cancellation.Config.
func (db *DB) Cancellations() cancellation.Store {
	return cancellations{
		db: db,
		table: table[cancellation.Cancellation]{
			name: "cancellations", record: "cancellation", keys: 1, fields: cancellationFields,
			due:           func(c *cancellation.Cancellation) (uuid.UUID, time.Time) { return c.ID, c.Due },
			rarelyChanged: []string{"reseller_id", "client_id", "server_id", "assignment", "state", "at", "attempts"},
		}.prepared(),
		settings: table[cancellation.Settings]{
			name: "cancellation_settings", record: "settings of reseller", keys: 1, fields: settingsFields,
			due: func(s *cancellation.Settings) (uuid.UUID, time.Time) { return s.ResellerID, s.Due },
		}.prepared(),
	}
}

func cancellationFields(c *cancellation.Cancellation) fields {
	return fields{
		{"id", &c.ID},
		{"version", &c.Version},
		{"reseller_id", &c.ResellerID},
		{"client_id", &c.ClientID},
		{"server_id", &c.ServerID},
		{"assignment", &c.Assignment},
		{"server_name", &c.ServerName},
		{"state", &c.State},
		{"when_at", &c.When.At},
		{"end_of_period", &c.When.EndOfPeriod},
		{"first_allowed", &c.When.FirstAllowed},
		{"when_now", &c.When.Now},
		{"asked", &c.Asked},
		{"ordered", &c.Ordered},
		{"at", &c.At},
		{"zone", &c.Zone},
		{"by_role", &c.By.Role},
		{"by_id", &c.By.ID},
		{"by_reseller_id", &c.By.ResellerID},
		{"reason", &c.Reason},
		{"tell_client", &c.TellClient},
		{"moved_by", &c.MovedBy},
		{"cycle_unit", &c.Cycle.Unit},
		{"cycle_count", &c.Cycle.Count},
		{"ordered_cycle_unit", &c.OrderedCycle.Unit},
		{"ordered_cycle_count", &c.OrderedCycle.Count},
		{"notice_days", &c.NoticeDays},
		{"lock_days", &c.LockDays},
		{"steps", document{&c.Steps}},
		{"attempts", &c.Attempts},
		{"last_error", &c.LastError},
		{"retry_at", &c.RetryAt},
		{"begun_at", &c.BegunAt},
		{"pending_until", &c.PendingUntil},
		{"abandoned", &c.Abandoned},
		{"held", &c.Held},
		{"confirmed", &c.Confirmed},
		{"epoch", &c.Epoch},
		{"postponed", &c.Postponed},
		{"refund", document{&c.Refund}},
		{"currency", &c.Currency},
		{"places", &c.Places},
		{"warned", document{&c.Warned}},
		{"history", document{&c.History}},
		{"settings_version", &c.SettingsVersion},
		{"due", &c.Due},
		{"lease_until", &c.LeaseUntil},
	}
}

func settingsFields(s *cancellation.Settings) fields {
	return fields{
		{"id", &s.ResellerID},
		{"version", &s.Version},
		{"warn", &s.Warn},
		{"days_ahead", document{&s.DaysAhead}},
		{"client_may_discard", &s.ClientMayDiscard},
		{"client_may_choose_date", &s.ClientMayChooseDate},
		{"paused", &s.Paused},
		{"notice_days", &s.NoticeDays},
		{"lock_days", &s.LockDays},
		{"min_warning_days", &s.MinWarningDays},
		{"formula", &s.Formula},
		{"saved", &s.Saved},
		{"rearm", &s.Rearm},
		{"rearm_again", &s.RearmAgain},
		{"day", &s.Day},
		{"begun", &s.Begun},
		{"held_on", &s.HeldOn},
		{"due", &s.Due},
		{"lease_until", &s.LeaseUntil},
	}
}

// Cancellation implements cancellation.Store.
func (s cancellations) Cancellation(ctx context.Context, id uuid.UUID) (cancellation.Cancellation, error) {
	return s.table.get(ctx, s.db, id)
}

// Cancellations implements cancellation.Store.
func (s cancellations) Cancellations(
	ctx context.Context, reseller uuid.UUID, q cancellation.Query,
) ([]cancellation.Cancellation, string, error) {
	found := query{dialect: s.db.dialect}
	found.where("reseller_id = %s", reseller)
	matchAny(&found, "state", q.States)
	found.between("at", q.From, q.To)
	found.match("client_id", q.ClientID)
	found.match("server_id", q.ServerID)
	found.match("by_role", q.By)
	if q.Stuck {
		found.where(active())
		found.where("attempts > 0")
	}
	if q.Unconfirmed {
		found.where(active())
		found.where("(held OR epoch <> %s)", q.Epoch)
	}
	byDate := order[cancellation.Cancellation]{
		"cancellations", "at", func(c *cancellation.Cancellation) (any, uuid.UUID) { return c.At, c.ID },
	}
	return s.table.list(ctx, s.db, found, byDate, q.Limit, q.After)
}

// active returns the condition of the partial indexes, exactly as the schema writes it.
func active() string {
	return fmt.Sprintf("state IN ('%s', '%s')", cancellation.Scheduled, cancellation.Executing)
}

// Active implements cancellation.Store. For one server, a cancellation that cannot be read is an error: the caller decides whether
// that server is paid for again.
func (s cancellations) Active(ctx context.Context, servers []uuid.UUID) ([]cancellation.Cancellation, error) {
	condition := s.db.dialect.inList("server_id", "$1") + " AND " + active()
	if len(servers) == 1 {
		return s.table.readableByIDs(ctx, s.db, condition, servers)
	}
	return s.table.byIDs(ctx, s.db, condition, servers)
}

// Settings implements cancellation.Store.
func (s cancellations) Settings(ctx context.Context, reseller uuid.UUID) (cancellation.Settings, error) {
	return s.settings.get(ctx, s.db, reseller)
}

// ClaimDue implements cancellation.Store.
func (s cancellations) ClaimDue(ctx context.Context, now, until time.Time, limit int) (due cancellation.Due, err error) {
	if err := checkClaim(limit); err != nil {
		return due, err
	}
	err = s.db.transact(ctx, func(t *tx) error {
		due = cancellation.Due{}
		claimed, err := s.table.claim(ctx, t, now, until, limit)
		if err != nil {
			return err
		}
		settings, err := s.settings.claim(ctx, t, now, until, limit)
		due.Cancellations, due.Settings, due.Next = claimed.records, settings.records, claimed.next
		due.Unreadable = slices.Concat(claimed.unreadable, settings.unreadable)
		if due.Next.IsZero() || !settings.next.IsZero() && settings.next.Before(due.Next) {
			due.Next = settings.next
		}
		return err
	})
	s.db.logUnreadable(ctx, due.Unreadable)
	return due, err
}

// Commit implements cancellation.Store.
func (s cancellations) Commit(ctx context.Context, changes ...cancellation.Change) error {
	var c commit
	for _, change := range changes {
		put(&c, s.table, change.Cancellations)
		put(&c, s.settings, change.Settings)
		c.events = append(c.events, change.Events...)
	}
	return s.db.commit(ctx, c)
}
