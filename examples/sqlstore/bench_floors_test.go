package sqlstore_test

import (
	"context"

	"github.com/google/uuid"
)

// The floors of BenchmarkTick claim a hundred at a time and leave behind what the library leaves behind, with the
// statements that takes: as many rows written in as many transactions. BenchmarkTick compares. They know beforehand what is due and what becomes of
// it. So all of them leave out what that is decided by: the settings, the history and the wording of events, which are
// the same constants here, and the question when the next is due.

// told is an event of the given kind about a row that begins with its ID, reseller, client and server.
func (h *byHand) told(kind string, row []any) (id string, l line) {
	const data = `{"cancellation_id":"58a3e4c4-4c1f-5f5e-9d0d-0c3e7f6d1a2b","server_id":"7f0e6d1a-2b58-5a3e-94c4-4c1f5f5e9d0d",` +
		`"server_name":"web-01","date":"2026-02-16T00:00:00Z","local_date":"2026-02-16 01:00 CET","from_date":"","days_left":6}`
	id = uuid.NewString()
	return id, line{addEvent, []any{id, kind, h.now, row[1], row[2], row[3], row[0], data}}
}

const dueRecords = "due > " + forEver

// floorWarnings leaves out, besides, whether the server is still the client's.
func floorWarnings(ctx context.Context, h *byHand) error {
	const (
		columns = "id, reseller_id, client_id, server_id, version"
		warn    = `UPDATE cancellations SET version = version + 1, warned = $3, due = at, lease_until = ` + forEver + ` WHERE id = $1 AND version = $2`
		warned  = `[{"Days":7,"For":"2026-02-16T00:00:00Z","Sent":"2026-02-10T00:00:00Z"}]`
	)
	return h.batches(ctx, "cancellations", columns, func(row []any) ([]line, []string) {
		event, tell := h.told("cancellation.warning", row)
		return []line{{warn, []any{row[0], row[4], warned}}, tell}, []string{event}
	})
}

// floorPlans leaves out, besides, whether the server is still the client's, and reads no task.
func floorPlans(ctx context.Context, h *byHand) error {
	const (
		columns = "id, reseller_id, client_id, server_id, version, assignment, server_name"
		plan    = `UPDATE backup_requests SET version = version + 1, recorded = $3, skipped = $4, due = $5, lease_until = ` + forEver + `
			WHERE id = $1 AND version = $2`
		remind = `UPDATE backup_tasks SET version = version + 1, remind_at = ` + forEver + ` WHERE request_id = $1 AND state = 'pending' AND attempt = 0`
		skip   = `INSERT INTO backup_tasks (id, version, request_id, reseller_id, client_id, server_id, assignment, server_name, what, at, state,
				missed, attempt, at_provider, result, reason, remind_at, tries, try_at, search)
			VALUES ($1, 1, $2, $3, $4, $5, $6, $7, '', $8, 'skipped', 2, 0, FALSE, '{}', '', ` + forEver + `, 0, ` + forEver + `, $7)`
	)
	return h.batches(ctx, "backup_requests", columns, func(row []any) ([]line, []string) {
		event, tell := h.told("backup.overdue", row)
		task := uuid.NewString()
		return []line{
			{plan, []any{row[0], row[4], h.now, task, h.later()}},
			{remind, []any{row[0]}},
			{skip, []any{task, row[0], row[1], row[2], row[3], row[5], row[6], h.now}},
			tell,
		}, []string{event}
	})
}

// batches claims records and commits what do makes of each, a hundred together.
func (h *byHand) batches(ctx context.Context, table, columns string, do func(row []any) ([]line, []string)) error {
	for {
		claimed, err := h.claim(ctx, table, "id", dueRecords, columns)
		if err != nil || len(claimed) == 0 {
			return err
		}
		var lines []line
		var events []string
		for _, row := range claimed {
			l, e := do(row)
			lines, events = append(lines, l...), append(events, e...)
		}
		if err := h.transact(ctx, append(lines, h.fanOut(events))...); err != nil {
			return err
		}
	}
}

// floorDeliveries leaves out, besides, the order of a subject's events, and the subscribers for whom there is nothing.
func floorDeliveries(ctx context.Context, h *byHand) error {
	const settle = `UPDATE deliveries SET version = version + 1, delivered = TRUE, lease_until = ` + forEver + `
		WHERE event_id = $1 AND subscriber = $2 AND version = $3`
	const subscriber = "mail"
	events := "SELECT id, kind, at, reseller_id, client_id, server_id, subject_id, data FROM events WHERE " + h.isIn("id", "$1")
	for {
		claimed, err := h.claim(ctx, "deliveries", "event_id", "subscriber = $3 AND NOT delivered AND NOT dead", "event_id, version", subscriber)
		if err != nil || len(claimed) == 0 {
			return err
		}
		var ids []string
		var lines []line
		for _, row := range claimed {
			ids = append(ids, row[0].(string))
			lines = append(lines, line{settle, []any{row[0], subscriber, row[1]}})
		}
		if _, err := h.ask(ctx, events, h.list(ids)); err != nil {
			return err
		}
		if err := h.transact(ctx, lines...); err != nil {
			return err
		}
	}
}

// floorExecutions reads the server once where the library looks at it before each step that cannot be undone.
func floorExecutions(ctx context.Context, h *byHand) error {
	for {
		claimed, err := h.claim(ctx, "cancellations", "id", dueRecords, "id, reseller_id, client_id, server_id, version")
		if err != nil || len(claimed) == 0 {
			return err
		}
		for _, row := range claimed {
			if err := h.execute(ctx, row); err != nil {
				return err
			}
		}
	}
}

// execute does one execution, each step in a transaction of its own, for what is done must stay done.
func (h *byHand) execute(ctx context.Context, row []any) error {
	reseller, client, server, version := row[1], row[2], row[3], row[4].(int64)
	found, err := h.ask(ctx, "SELECT version, state, assignment, locked_by FROM servers WHERE id = $1", server)
	if err != nil {
		return err
	}
	written := found[0][0]
	for _, left := range []string{
		"SELECT id FROM backup_requests WHERE reseller_id = $1 AND server_id = $2 AND ended = " + forEver + " ORDER BY server_name, id LIMIT 100",
		"SELECT id FROM backup_tasks WHERE reseller_id = $1 AND server_id = $2 AND state = 'pending' ORDER BY at, id LIMIT 100",
		"SELECT id FROM tickets WHERE reseller_id = $1 AND server_id = $2 AND status <> 'closed' ORDER BY opened_at, id LIMIT 100",
	} {
		if _, err := h.ask(ctx, left, reseller, server); err != nil {
			return err
		}
	}
	record := func(set string, args ...any) line {
		l := line{"UPDATE cancellations SET version = version + 1, " + set + " WHERE id = $1 AND version = $2", append([]any{row[0], version}, args...)}
		version++
		return l
	}
	stepDone := func() []line { return []line{record("steps = $3, lease_until = $4", steps, h.later())} }
	released, tellReleased := h.told("dedicated.released", []any{server, reseller, client, server})
	executed, tellExecuted := h.told("cancellation.executed", row)
	completed, tellCompleted := h.told("cancellation.completed", row)
	closed, tellClosed := h.told("cancellation.closed", row)
	for _, transaction := range [][]line{
		{record(`state = 'executing', refund = $3, currency = 'EUR', places = 2, steps = $4, history = $5, lease_until = $6`,
			refunded, steps, history, h.later())},
		{
			{"UPDATE servers SET version = version + 1, state = 'clean_up', locked_by = $3 WHERE id = $1 AND version = $2", []any{server, written, row[0]}},
			tellReleased, h.fanOut([]string{released}),
		},
		stepDone(), stepDone(), stepDone(), stepDone(), // released, deprovisioned, refunded, closed down
		{{"UPDATE servers SET version = version + 1, locked_by = NULL WHERE id = $1 AND locked_by = $2", []any{server, row[0]}}},
		{
			record("state = 'executed', steps = $3, history = $4, due = "+forEver+", lease_until = "+forEver, steps, history),
			tellExecuted, tellCompleted, tellClosed, h.fanOut([]string{executed, completed, closed}),
		},
	} {
		if err := h.transact(ctx, transaction...); err != nil {
			return err
		}
	}
	return nil
}

// What an executed cancellation keeps, as long as it is in truth.
const (
	steps = `[{"Name":"release","Done":"2026-02-10T00:00:00Z"},{"Name":"deprovision","Done":"2026-02-10T00:00:00Z"},` +
		`{"Name":"refund","Done":"2026-02-10T00:00:00Z"},{"Name":"close_down","Done":"2026-02-10T00:00:00Z"},{"Name":"done","Done":"2026-02-10T00:00:00Z"}]`
	history = `[{"At":"2026-01-31T00:00:00Z","By":{"Role":2,"ID":"58a3e4c4-4c1f-5f5e-9d0d-0c3e7f6d1a2b","ResellerID":` +
		`"7f0e6d1a-2b58-5a3e-94c4-4c1f5f5e9d0d"},"What":"scheduled","From":"0001-01-01T00:00:00Z","To":"2026-02-10T00:00:00Z"},` +
		`{"At":"2026-02-10T00:00:00Z","By":{"Role":3,"ID":"00000000-0000-0000-0000-000000000000","ResellerID":` +
		`"7f0e6d1a-2b58-5a3e-94c4-4c1f5f5e9d0d"},"What":"executing","From":"2026-02-10T00:00:00Z","To":"0001-01-01T00:00:00Z"}]`
	refunded = `{"Total":"53.68","Lines":[{"Charge":{"Label":"rent","Kind":0,"Paid":"79.10","Refunded":"0","Start":"2026-02-01T00:00:00Z",` +
		`"End":"2026-03-01T00:00:00Z"},"Amount":"53.68","Note":"19 of 28 days are unused"}]}`
)
