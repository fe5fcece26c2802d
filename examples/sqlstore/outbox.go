package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// Three kinds of tables: the events, numbered as they arrive; the subscribers and the kinds that they want; and one
// delivery for each event and subscriber, which repeats of its event what deliveries are sorted and searched by.
type outbox struct{ db *DB }

// Outbox is the outbox that the Commit of all stores fills, for notify.Config.
func (db *DB) Outbox() notify.Outbox { return outbox{db} }

const (
	addEvent = `INSERT INTO events (id, kind, at, reseller_id, client_id, server_id, subject_id, brought_by, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING`

	// fanOut makes a delivery for every subscriber that wants an event, under no lease. Of the events that the condition
	// finds, those that were known before are left out.
	fanOut = `INSERT INTO deliveries (event_id, subscriber, version, seq, at, reseller_id, subject_id,
			attempts, due, ready, lease_until, delivered, dead, last_error)
		SELECT e.id, s.subscriber, 1, e.seq, e.at, e.reseller_id, e.subject_id, 0, e.at, e.at, %d, FALSE, FALSE, ''
		FROM events e JOIN subscriptions s ON s.kind IN (e.kind, '')
		WHERE %s AND e.brought_by = $2`

	// claimable are a subscriber's deliveries that nobody has a lease on at $2. Of a subject's it is the first that waits;
	// PostgreSQL takes = for something rare, and sorts instead of reading in order: hence <=.
	claimable = `d.subscriber = $1 AND NOT d.delivered AND NOT d.dead AND d.lease_until <= $2
		AND (d.subject_id IS NULL OR d.seq <= (SELECT min(b.seq) FROM deliveries b
			WHERE b.subscriber = $1 AND b.subject_id = d.subject_id AND NOT b.delivered AND NOT b.dead))`

	// What is claimable is ready when it is due. What waits behind another of its subject is ready later, see hold.
	dueDeliveries = `SELECT d.event_id FROM deliveries d WHERE ` + claimable + ` AND d.ready <= $2 ORDER BY d.ready, d.seq LIMIT $4`
	nextDelivery  = `SELECT d.due FROM deliveries d WHERE ` + claimable + ` ORDER BY d.ready, d.seq LIMIT 1`

	// lease takes what dueDeliveries finds; which events follows it.
	lease = `UPDATE deliveries SET lease_until = $3, version = version + 1 WHERE subscriber = $1 AND `

	selectDeliveries = `SELECT d.subscriber, d.version, d.attempts, d.due, d.lease_until, d.delivered, d.dead, d.last_error,
			e.id, e.kind, e.at, e.reseller_id, e.client_id, e.server_id, e.subject_id, e.data
		FROM deliveries d JOIN events e ON e.id = d.event_id WHERE `

	settle = `UPDATE deliveries SET version = version + 1, attempts = $4, due = $5, ready = $5, lease_until = $6, delivered = $7, dead = $8,
		last_error = $9 WHERE event_id = $1 AND subscriber = $2 AND version = $3`

	// hold puts off what waits behind a delivery to when that is tried again, so that no claim looks at it before. It is a
	// hint: whoever is ready too early is looked at in vain. Nobody is ready too late: a delivery that goes lets the next in
	// line go on, which is all that can be claimed.
	hold = `UPDATE deliveries SET ready = $3 WHERE subscriber = $1 AND subject_id = $2 AND NOT delivered AND NOT dead AND ready < $3
		AND seq > (SELECT d.seq FROM deliveries d WHERE d.event_id = $4 AND d.subscriber = $1)`

	letGo = `UPDATE deliveries SET ready = due WHERE subscriber = $1 AND ready > due AND event_id IN (
		SELECT (SELECT n.event_id FROM deliveries n WHERE n.subscriber = $1 AND n.subject_id = d.subject_id AND n.seq > d.seq
			AND NOT n.delivered AND NOT n.dead ORDER BY n.seq LIMIT 1)
		FROM deliveries d WHERE d.subscriber = $1 AND %s)`
)

// announce is the statements that add events in their order, but those that are known, and make their deliveries.
func (db *DB) announce(events []notify.Event) []statement {
	if len(events) == 0 {
		return nil
	}
	var statements []statement
	var added []uuid.UUID
	bringer := uuid.NewString()
	for _, e := range events {
		added = append(added, e.ID)
		statements = append(statements, statement{text: addEvent, args: []any{
			plain(e.ID), plain(e.Kind), plain(e.At), plain(e.ResellerID), plain(e.ClientID), plain(e.ServerID), plain(e.SubjectID),
			bringer, string(e.Data),
		}})
	}
	return append(statements, statement{text: db.fanOut(), args: []any{db.dialect.list(ids(added)), bringer}})
}

// fanOut is the statement that makes the deliveries of the events in a list.
func (db *DB) fanOut() string { return fmt.Sprintf(fanOut, never, db.dialect.isIn("e.id", "$1")) }

// everyKind is how the tables say that a subscriber wants all kinds.
const everyKind notify.Kind = ""

// Register implements notify.Outbox.
func (o outbox) Register(ctx context.Context, subscriber string, kinds []notify.Kind) error {
	if subscriber == "" || subscriber != storable(subscriber) {
		return fmt.Errorf("%w: the subscriber's name %q: some text in UTF-8 is wanted", notify.ErrInvalid, subscriber)
	}
	if kinds == nil {
		kinds = []notify.Kind{everyKind}
	} else {
		kinds = slices.DeleteFunc(slices.Clone(kinds), func(k notify.Kind) bool { return k == everyKind }) // no event has it
	}
	statements := []statement{
		// Who registers the same name at the same time waits here.
		{text: `INSERT INTO subscribers (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name`, args: []any{subscriber}},
		{text: `DELETE FROM subscriptions WHERE subscriber = $1`, args: []any{subscriber}},
	}
	for _, kind := range kinds {
		statements = append(statements, statement{
			text: `INSERT INTO subscriptions (subscriber, kind) VALUES ($1, $2) ON CONFLICT DO NOTHING`, args: []any{subscriber, plain(kind)},
		})
	}
	return o.db.transact(ctx, func(t *tx) error { return t.write(ctx, statements) })
}

// ClaimDue implements notify.Outbox.
func (o outbox) ClaimDue(ctx context.Context, subscriber string, now, until time.Time, limit int) (due notify.Due, err error) {
	if err := checkClaim(limit); err != nil {
		return due, err
	}
	err = o.db.transact(ctx, func(t *tx) error {
		due = notify.Due{}
		if due.Deliveries, err = o.lease(ctx, t, subscriber, now, until, limit); err != nil {
			return err
		}
		return o.db.each(ctx, t, nextDelivery, []any{plain(subscriber), now.UnixMicro()},
			func(rows *sql.Rows) error { return rows.Scan(instant{&due.Next}) })
	})
	return due, err
}

// lease claims in one statement, and returns what it got with the events.
func (o outbox) lease(ctx context.Context, t *tx, subscriber string, now, until time.Time, limit int) ([]notify.Delivery, error) {
	places := map[uuid.UUID]int64{} // seq by event
	text := lease + o.db.dialect.picked("event_id", dueDeliveries) + " RETURNING event_id, seq"
	err := o.db.each(ctx, t, text, []any{plain(subscriber), now.UnixMicro(), until.UnixMicro(), limit}, func(rows *sql.Rows) error {
		var id uuid.UUID
		var place int64
		err := rows.Scan(&id, &place)
		places[id] = place
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(places) == 0 {
		return nil, o.known(ctx, t, subscriber)
	}
	which := "d.subscriber = $1 AND " + o.db.dialect.isIn("d.event_id", "$2")
	claimed, err := o.read(ctx, t, which, []any{subscriber, o.db.dialect.list(ids(slices.Collect(maps.Keys(places))))})
	slices.SortFunc(claimed, func(a, b notify.Delivery) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(places[a.Event.ID], places[b.Event.ID]))
	})
	return claimed, err
}

// known is nil when the subscriber was registered, or ErrNotFound.
func (o outbox) known(ctx context.Context, t *tx, subscriber string) error {
	found := false
	err := o.db.each(ctx, t, `SELECT 1 FROM subscribers WHERE name = $1`, []any{plain(subscriber)}, func(*sql.Rows) error {
		found = true
		return nil
	})
	if err == nil && !found {
		return fmt.Errorf("subscriber %q: %w: it was never registered", subscriber, notify.ErrNotFound)
	}
	return err
}

// read returns deliveries with their events.
func (o outbox) read(ctx context.Context, on queryer, which string, args []any) ([]notify.Delivery, error) {
	var found []notify.Delivery
	err := o.db.each(ctx, on, selectDeliveries+which, args, func(rows *sql.Rows) error {
		var d notify.Delivery
		e := &d.Event
		err := rows.Scan(&d.Subscriber, &d.Version, &d.Attempts, instant{&d.Due}, instant{&d.LeaseUntil}, &d.Delivered, &d.Dead, &d.LastError,
			&e.ID, &e.Kind, instant{&e.At}, &e.ResellerID, &e.ClientID, &e.ServerID, &e.SubjectID, (*[]byte)(&e.Data))
		found = append(found, d)
		return err
	})
	return found, err
}

// Settle implements notify.Outbox.
func (o outbox) Settle(ctx context.Context, deliveries ...notify.Delivery) error {
	if len(deliveries) == 0 {
		return ctx.Err()
	}
	statements := make([]statement, len(deliveries))
	for i, d := range deliveries {
		statements[i] = statement{
			text: settle,
			args: []any{
				plain(d.Event.ID), plain(d.Subscriber), d.Version, d.Attempts, plain(d.Due), plain(d.LeaseUntil), d.Delivered, d.Dead,
				plain(d.LastError),
			},
			missed: fmt.Errorf("delivery of event %s to %q is not stored at version %d: %w",
				d.Event.ID, d.Subscriber, d.Version, notify.ErrConflict),
		}
	}
	statements = append(statements, o.followers(deliveries)...)
	if err := o.db.prepare(ctx, statements...); err != nil {
		return err
	}
	return o.db.transact(ctx, func(t *tx) error {
		touched, err := t.run(ctx, statements)
		if err != nil {
			return err
		}
		if missed := slices.Index(touched[:min(len(touched), len(deliveries))], 0); missed >= 0 {
			return o.missed(ctx, t, deliveries[missed], statements[missed].missed)
		}
		return nil
	})
}

// followers is what happens to those that wait behind deliveries.
func (o outbox) followers(settled []notify.Delivery) []statement {
	var statements []statement
	gone := map[string][]uuid.UUID{} // by subscriber
	for _, d := range settled {
		switch {
		case d.Event.SubjectID == uuid.Nil:
		case d.Delivered || d.Dead:
			gone[d.Subscriber] = append(gone[d.Subscriber], d.Event.ID)
		default:
			statements = append(statements, statement{text: hold, args: []any{
				plain(d.Subscriber), plain(d.Event.SubjectID), plain(d.Due), plain(d.Event.ID),
			}})
		}
	}
	for _, subscriber := range slices.Sorted(maps.Keys(gone)) {
		statements = append(statements, statement{
			text: fmt.Sprintf(letGo, o.db.dialect.isIn("d.event_id", "$2")),
			args: []any{plain(subscriber), o.db.dialect.list(ids(gone[subscriber]))},
		})
	}
	return statements
}

// missed is why a delivery was not settled: it is not there, or it has another version.
func (o outbox) missed(ctx context.Context, t *tx, d notify.Delivery, otherwise error) error {
	found, err := o.read(ctx, t, "d.event_id = $1 AND d.subscriber = $2", []any{plain(d.Event.ID), plain(d.Subscriber)})
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return fmt.Errorf("delivery of event %s to %q: %w", d.Event.ID, d.Subscriber, notify.ErrNotFound)
	}
	return otherwise
}

const deliveryList = "deliveries"

// Deliveries implements notify.Outbox.
func (o outbox) Deliveries(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
	limit, err := pageSize(q.Limit)
	if err != nil {
		return nil, "", err
	}
	found := query{dialect: o.db.dialect, conditions: []string{"1 = 1"}}
	found.match("d.subscriber", q.Subscriber)
	found.match("d.event_id", q.Event)
	found.match("d.reseller_id", q.ResellerID)
	if q.Dead {
		found.where("d.dead")
	}
	if q.After != "" {
		from, err := parsePlace(deliveryList, q.After)
		at, subscriber, ok := strings.Cut(from.sort, " ")
		micros, notNumber := strconv.ParseInt(at, 10, 64)
		if err != nil || !ok || notNumber != nil {
			return nil, "", notOurs()
		}
		found.where("(d.at, d.event_id, d.subscriber) > (%s, %s, %s)", micros, from.id, subscriber)
	}
	sort := "d.at, d.event_id, d.subscriber"
	if q.Event != uuid.Nil {
		sort = "d.subscriber"
	}
	which := fmt.Sprintf("%s ORDER BY %s LIMIT %s", &found, sort, found.parameter(limit+1))
	items, err := o.read(ctx, o.db.pool, which, found.args)
	if err != nil || len(items) <= limit {
		return items, "", o.db.explain(ctx, err, false)
	}
	last := items[limit-1]
	after := place{fmt.Sprintf("%d %s", last.Event.At.UnixMicro(), last.Subscriber), last.Event.ID}
	return items[:limit], after.cursor(deliveryList), nil
}

// Depth implements notify.Outbox.
func (o outbox) Depth(ctx context.Context) (waiting, dead int, oldest time.Time, err error) {
	const text = `SELECT count(*), coalesce(min(at), $1), (SELECT count(*) FROM deliveries WHERE dead)
		FROM deliveries WHERE NOT delivered AND NOT dead`
	err = o.db.read(ctx, text, []any{int64(never)}, func(rows *sql.Rows) error {
		return rows.Scan(&waiting, instant{&oldest}, &dead)
	})
	return waiting, dead, oldest, err
}
