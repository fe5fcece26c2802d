package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// outbox stores three kinds of rows: events, numbered as they arrive; subscribers with their kinds; and one delivery for each event
// and subscriber. A delivery repeats the columns of its event by which deliveries are sorted and searched.
type outbox struct{ db *DB }

// Outbox returns the outbox for notify.Config. The Commit of every store adds its events to it.
func (db *DB) Outbox() notify.Outbox { return outbox{db} }

const (
	addEvent = `INSERT INTO events (id, kind, at, reseller_id, client_id, server_id, subject_id, brought_by, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING`

	// fanOut adds a delivery for every subscriber of an event's kind, under no lease. It leaves out the events that were stored
	// before.
	fanOut = `INSERT INTO deliveries (event_id, subscriber, version, seq, at, reseller_id, subject_id,
			attempts, due, ready, lease_until, delivered, dead, last_error)
		SELECT e.id, s.subscriber, 1, e.seq, e.at, e.reseller_id, e.subject_id, 0, e.at, e.at, %d, FALSE, FALSE, ''
		FROM events e JOIN subscriptions s ON s.kind IN (e.kind, '')
		WHERE %s AND e.brought_by = $2`

	// claimable selects a subscriber's deliveries that are unclaimed. The subscriber is $4, so that the arguments of unclaimed come first.
	// Of a subject's deliveries it selects the first that waits. The condition is <= and not =, because PostgreSQL expects few rows
	// for =, and would sort instead of reading in order.
	claimable = `d.subscriber = $4 AND NOT d.delivered AND NOT d.dead AND ` + unclaimed + `
		AND (d.subject_id IS NULL OR d.seq <= (SELECT min(b.seq) FROM deliveries b
			WHERE b.subscriber = $4 AND b.subject_id = d.subject_id AND NOT b.delivered AND NOT b.dead))`

	// A claimable delivery is ready when it is due. A delivery that waits behind another of its subject is ready later: see
	// postpone.
	dueDeliveries = `SELECT d.event_id FROM deliveries d WHERE ` + claimable + ` AND d.ready <= $1 ORDER BY d.ready, d.seq LIMIT $6`
	nextDelivery  = `SELECT d.ready FROM deliveries d WHERE ` + claimable + ` ORDER BY d.ready, d.seq LIMIT 1`

	// claim leases the deliveries of a list of events. The condition for the events follows it.
	claim = `UPDATE deliveries SET lease_until = $5, version = version + 1 WHERE subscriber = $4 AND `

	selectDeliveries = `SELECT d.subscriber, d.version, d.attempts, d.due, d.lease_until, d.delivered, d.dead, d.last_error,
			e.id, e.kind, e.at, e.reseller_id, e.client_id, e.server_id, e.subject_id, e.data
		FROM deliveries d JOIN events e ON e.id = d.event_id WHERE `

	settleDelivery = `UPDATE deliveries SET version = version + 1, attempts = $4, due = $5, ready = $5, lease_until = $6, delivered = $7, dead = $8,
		last_error = $9, ` + notAside + ` WHERE event_id = $1 AND subscriber = $2 AND version = $3`

	// postpone sets when the deliveries behind another one are ready: when that one is tried again. So no claim reads them before.
	// It is only a hint. A delivery that is ready too early is read without use. None is ready too late, because a finished
	// delivery makes the next one of its subject ready, which is the only one that can be claimed.
	postpone = `UPDATE deliveries SET ready = $3 WHERE subscriber = $1 AND subject_id = $2 AND NOT delivered AND NOT dead AND ready < $3
		AND seq > (SELECT d.seq FROM deliveries d WHERE d.event_id = $4 AND d.subscriber = $1)`

	// makeReady makes the next delivery of each subject ready.
	makeReady = `UPDATE deliveries SET ready = due WHERE subscriber = $1 AND ready > due AND event_id IN (
		SELECT (SELECT n.event_id FROM deliveries n WHERE n.subscriber = $1 AND n.subject_id = d.subject_id AND n.seq > d.seq
			AND NOT n.delivered AND NOT n.dead ORDER BY n.seq LIMIT 1)
		FROM deliveries d WHERE d.subscriber = $1 AND %s)`
)

// putEvents returns the statements that add events in order, and their deliveries. They leave out the events that are stored
// already.
func (db *DB) putEvents(events []notify.Event) []statement {
	if len(events) == 0 {
		return nil
	}
	var statements []statement
	var added []uuid.UUID
	batch := uuid.NewString()
	for _, e := range events {
		added = append(added, e.ID)
		statements = append(statements, statement{text: addEvent, args: []any{
			argument(e.ID), argument(e.Kind), argument(e.At), argument(e.ResellerID), argument(e.ClientID), argument(e.ServerID), argument(e.SubjectID),
			batch, string(e.Data),
		}})
	}
	return append(statements, statement{text: db.fanOut(), args: []any{db.dialect.list(ids(added)), batch}})
}

// fanOut returns the statement that adds the deliveries of the events in a list.
func (db *DB) fanOut() string { return fmt.Sprintf(fanOut, zeroTime, db.dialect.inList("e.id", "$1")) }

// everyKind is the kind of a subscription to all kinds.
const everyKind notify.Kind = ""

// Register implements notify.Outbox.
func (o outbox) Register(ctx context.Context, subscriber string, kinds []notify.Kind) error {
	if subscriber == "" || subscriber != validText(subscriber) {
		return fmt.Errorf("%w: the subscriber's name %q: want a text in UTF-8 that is not empty", notify.ErrInvalid, subscriber)
	}
	if kinds == nil {
		kinds = []notify.Kind{everyKind}
	} else {
		kinds = slices.DeleteFunc(slices.Clone(kinds), func(k notify.Kind) bool { return k == everyKind }) // no event has this kind
	}
	statements := []statement{
		// A second registration of the same name waits here.
		{text: `INSERT INTO subscribers (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name`, args: []any{subscriber}},
		{text: `DELETE FROM subscriptions WHERE subscriber = $1`, args: []any{subscriber}},
	}
	for _, kind := range kinds {
		statements = append(statements, statement{
			text: `INSERT INTO subscriptions (subscriber, kind) VALUES ($1, $2) ON CONFLICT DO NOTHING`, args: []any{subscriber, argument(kind)},
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
		if err := t.checkClock(ctx, now); err != nil {
			return err
		}
		if due.Deliveries, due.Unreadable, err = o.claim(ctx, t, subscriber, now, until, limit); err != nil {
			return err
		}
		return o.db.each(ctx, t, nextDelivery, append(limits(now, until), argument(subscriber)),
			func(rows *sql.Rows) error { return rows.Scan(instant{&due.Next}) })
	})
	o.db.logUnreadable(ctx, due.Unreadable)
	return due, err
}

// lease is what a claim tells about a delivery, before its event is read. The IDs are texts, because they may be none.
type lease struct {
	seq, unreadable int64
	subject         sql.NullString
}

// claim claims deliveries in one statement, returns them with their events, and puts aside those that cannot be read.
func (o outbox) claim(
	ctx context.Context, t *tx, subscriber string, now, until time.Time, limit int,
) ([]notify.Delivery, []notify.Unreadable, error) {
	leases := map[string]lease{} // by event
	text := claim + o.db.dialect.inLocked("event_id", dueDeliveries) + " RETURNING event_id, seq, subject_id, unreadable"
	err := o.db.each(ctx, t, text, append(limits(now, until), argument(subscriber), until.UnixMicro(), limit), func(rows *sql.Rows) error {
		var event string
		var l lease
		err := rows.Scan(&event, &l.seq, &l.subject, &l.unreadable)
		leases[event] = l
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if len(leases) == 0 {
		return nil, nil, o.checkRegistered(ctx, t, subscriber)
	}
	which := "d.subscriber = $1 AND " + o.db.dialect.inList("d.event_id", "$2")
	rows, err := o.read(ctx, t, which, []any{subscriber, o.db.dialect.list(slices.Collect(maps.Keys(leases)))})
	if err != nil {
		return nil, nil, err
	}
	deliveries, failed := separate(rows)
	failed = append(failed, withoutEvent(subscriber, leases, rows)...)
	slices.SortFunc(deliveries, func(a, b notify.Delivery) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(leases[a.Event.ID.String()].seq, leases[b.Event.ID.String()].seq))
	})
	var aside []statement
	for _, f := range failed {
		event := f.text("id")
		aside = append(aside, putDeliveryAside(subscriber, event, leases[event], now)...)
	}
	return deliveries, unreadableDeliveries(failed), t.write(ctx, aside)
}

// withoutEvent returns the claimed deliveries whose event is missing: somebody has deleted it without regard to foreign keys.
func withoutEvent(subscriber string, leases map[string]lease, rows []row[notify.Delivery]) []*failedRow {
	missing := maps.Clone(leases)
	for _, r := range rows {
		if r.failed != nil {
			delete(missing, r.failed.text("id"))
		} else {
			delete(missing, r.record.Event.ID.String())
		}
	}
	var failed []*failedRow
	for _, event := range slices.Sorted(maps.Keys(missing)) {
		columns := map[string]any{"id": event, "subscriber": subscriber, "reseller_id": nil}
		failed = append(failed, &failedRow{columns, errors.New("the event is missing")})
	}
	return failed
}

// putDeliveryAside returns the statements that put a delivery aside, and let those behind it be ready when it is tried again.
func putDeliveryAside(subscriber, event string, l lease, now time.Time) []statement {
	until := asideUntil(now, l.unreadable).UnixMicro()
	statements := []statement{{
		text: `UPDATE deliveries SET unreadable = $4, aside_until = $3 WHERE event_id = $1 AND subscriber = $2`,
		args: []any{event, argument(subscriber), until, readable(l.unreadable) + 1},
	}}
	if l.subject.Valid {
		statements = append(statements, statement{text: postpone, args: []any{argument(subscriber), l.subject.String, until, event}})
	}
	return statements
}

// unreadableDeliveries describes deliveries that cannot be read.
func unreadableDeliveries(failed []*failedRow) []notify.Unreadable {
	var all []notify.Unreadable
	for _, f := range failed {
		all = append(all, f.unreadable("delivery to "+f.text("subscriber")+" of event", "id"))
	}
	return all
}

// checkRegistered returns ErrNotFound if the subscriber was never registered.
func (o outbox) checkRegistered(ctx context.Context, t *tx, subscriber string) error {
	found := false
	err := o.db.each(ctx, t, `SELECT 1 FROM subscribers WHERE name = $1`, []any{argument(subscriber)}, func(*sql.Rows) error {
		found = true
		return nil
	})
	if err == nil && !found {
		return fmt.Errorf("subscriber %q: %w: it was never registered", subscriber, notify.ErrNotFound)
	}
	return err
}

// read returns deliveries with their events.
func (o outbox) read(ctx context.Context, on queryer, which string, args []any) ([]row[notify.Delivery], error) {
	return readRows(ctx, o.db, on, selectDeliveries+which, args, func(rows *sql.Rows) (d notify.Delivery, err error) {
		e := &d.Event
		err = rows.Scan(&d.Subscriber, &d.Version, &d.Attempts, instant{&d.Due}, instant{&d.LeaseUntil}, &d.Delivered, &d.Dead, &d.LastError,
			&e.ID, &e.Kind, instant{&e.At}, &e.ResellerID, &e.ClientID, &e.ServerID, &e.SubjectID, (*[]byte)(&e.Data))
		if err == nil && !json.Valid(e.Data) {
			err = errors.New(`column "data" holds no JSON`)
		}
		return d, err
	})
}

// Settle implements notify.Outbox.
func (o outbox) Settle(ctx context.Context, deliveries ...notify.Delivery) error {
	if len(deliveries) == 0 {
		return ctx.Err()
	}
	statements := make([]statement, len(deliveries))
	for i, d := range deliveries {
		statements[i] = statement{
			text: settleDelivery,
			args: []any{
				argument(d.Event.ID), argument(d.Subscriber), d.Version, d.Attempts, argument(d.Due), argument(d.LeaseUntil), d.Delivered, d.Dead,
				argument(d.LastError),
			},
			noRow: fmt.Errorf("delivery of event %s to %q is not stored at version %d: %w",
				d.Event.ID, d.Subscriber, d.Version, notify.ErrConflict),
		}
	}
	statements = append(statements, o.updateNext(deliveries)...)
	if err := o.db.prepare(ctx, statements...); err != nil {
		return err
	}
	return o.db.transact(ctx, func(t *tx) error {
		changed, err := t.run(ctx, statements)
		if err != nil {
			return err
		}
		if unchanged := slices.Index(changed[:min(len(changed), len(deliveries))], 0); unchanged >= 0 {
			return o.explainUnchanged(ctx, t, deliveries[unchanged], statements[unchanged].noRow)
		}
		return nil
	})
}

// updateNext returns the statements that change when the deliveries behind the settled ones are ready.
func (o outbox) updateNext(settled []notify.Delivery) []statement {
	var statements []statement
	finished := map[string][]uuid.UUID{} // by subscriber
	for _, d := range settled {
		switch {
		case d.Event.SubjectID == uuid.Nil:
		case d.Delivered || d.Dead:
			finished[d.Subscriber] = append(finished[d.Subscriber], d.Event.ID)
		default:
			statements = append(statements, statement{text: postpone, args: []any{
				argument(d.Subscriber), argument(d.Event.SubjectID), argument(d.Due), argument(d.Event.ID),
			}})
		}
	}
	for _, subscriber := range slices.Sorted(maps.Keys(finished)) {
		statements = append(statements, statement{
			text: fmt.Sprintf(makeReady, o.db.dialect.inList("d.event_id", "$2")),
			args: []any{argument(subscriber), o.db.dialect.list(ids(finished[subscriber]))},
		})
	}
	return statements
}

// explainUnchanged returns why a delivery was not settled: it does not exist, or conflict.
func (o outbox) explainUnchanged(ctx context.Context, t *tx, d notify.Delivery, conflict error) error {
	found, err := o.read(ctx, t, "d.event_id = $1 AND d.subscriber = $2", []any{argument(d.Event.ID), argument(d.Subscriber)})
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return fmt.Errorf("delivery of event %s to %q: %w", d.Event.ID, d.Subscriber, notify.ErrNotFound)
	}
	return conflict
}

const deliveryList = "deliveries"

// Deliveries implements notify.Outbox.
func (o outbox) Deliveries(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
	if q.Limit < 0 {
		return nil, "", fmt.Errorf("%w: Limit: %d is negative", notify.ErrInvalid, q.Limit)
	}
	limit := pageSize(q.Limit)
	found := query{dialect: o.db.dialect, conditions: []string{"1 = 1"}}
	found.match("d.subscriber", q.Subscriber)
	found.match("d.event_id", q.Event)
	found.match("d.reseller_id", q.ResellerID)
	if q.Dead {
		found.where("d.dead")
	}
	if q.After != "" {
		from, err := parsePosition(deliveryList, q.After)
		at, subscriber, ok := strings.Cut(from.sort, " ")
		micros, notNumber := strconv.ParseInt(at, 10, 64)
		if err != nil || !ok || notNumber != nil {
			return nil, "", invalidCursor()
		}
		found.where("(d.at, d.event_id, d.subscriber) > (%s, %s, %s)", micros, from.id, subscriber)
	}
	sort := "d.at, d.event_id, d.subscriber"
	if q.Event != uuid.Nil {
		sort = "d.subscriber"
	}
	conditions := found.String()
	which := fmt.Sprintf("%s ORDER BY %s LIMIT %s", conditions, sort, found.parameter(nil))
	items, next, failed, err := cutPage(limit, deliveryCursor, func(rows int) ([]row[notify.Delivery], error) {
		found.args[len(found.args)-1] = rows
		return o.read(ctx, o.db.pool, which, found.args)
	})
	o.db.logUnreadable(ctx, unreadableDeliveries(failed))
	return items, next, o.db.explain(ctx, err, false)
}

// deliveryCursor returns the cursor of a delivery. ok is false if its position cannot be read.
func deliveryCursor(r *row[notify.Delivery]) (cursor string, ok bool) {
	if r.failed != nil {
		after := position{r.failed.text("at") + " " + r.failed.text("subscriber"), r.failed.id("id")}
		return after.cursor(deliveryList), after.id != uuid.Nil
	}
	d := &r.record
	after := position{fmt.Sprintf("%d %s", d.Event.At.UnixMicro(), d.Subscriber), d.Event.ID}
	return after.cursor(deliveryList), true
}

// Depth implements notify.Outbox.
func (o outbox) Depth(ctx context.Context) (waiting, dead int, oldest time.Time, err error) {
	const text = `SELECT count(*), coalesce(min(at), $1), (SELECT count(*) FROM deliveries WHERE dead)
		FROM deliveries WHERE NOT delivered AND NOT dead`
	err = o.db.read(ctx, text, []any{int64(zeroTime)}, func(rows *sql.Rows) error {
		return rows.Scan(&waiting, instant{&oldest}, &dead)
	})
	return waiting, dead, oldest, err
}
