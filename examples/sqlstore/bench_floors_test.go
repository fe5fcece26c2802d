package sqlstore_test

import (
	"context"

	"github.com/google/uuid"
)

// The floors of BenchmarkTick claim a hundred rows at a time. They write the same rows in the same number of transactions as the library,
// and BenchmarkTick compares both. They know the results beforehand. So they leave out everything that the library needs for its
// decisions: the settings, the history, the payloads of events, which are constants here, and the time of the next due row.

// event returns the command that adds an event about a row. The row begins with ID, reseller, client and server.
func (h *byHand) event(kind string, row []any) (id string, c command) {
	const data = `{"cancellation_id":"58a3e4c4-4c1f-5f5e-9d0d-0c3e7f6d1a2b","server_id":"7f0e6d1a-2b58-5a3e-94c4-4c1f5f5e9d0d",` +
		`"server_name":"web-01","date":"2026-02-16T00:00:00Z","local_date":"2026-02-16 01:00 CET","from_date":"","days_left":6}`
	id = uuid.NewString()
	return id, command{addEvent, []any{id, kind, h.now, row[1], row[2], row[3], row[0], data}}
}

const dueRecords = "due > " + zeroTime

// floorWarnings also leaves out the check of the server's assignment.
func floorWarnings(ctx context.Context, h *byHand) error {
	const (
		columns = "id, reseller_id, client_id, server_id, version"
		warn    = `UPDATE cancellations SET version = version + 1, warned = $3, due = at, lease_until = ` + zeroTime + ` WHERE id = $1 AND version = $2`
		warned  = `[{"Days":7,"For":"2026-02-16T00:00:00Z","Sent":"2026-02-10T00:00:00Z"}]`
	)
	return h.batches(ctx, "cancellations", columns, func(row []any) ([]command, []string) {
		id, event := h.event("cancellation.warning", row)
		return []command{{warn, []any{row[0], row[4], warned}}, event}, []string{id}
	})
}

// floorPlans also leaves out the check of the server's assignment, and reads no task.
func floorPlans(ctx context.Context, h *byHand) error {
	const (
		columns = "id, reseller_id, client_id, server_id, version, assignment, server_name"
		plan    = `UPDATE backup_requests SET version = version + 1, recorded = $3, skipped = $4, due = $5, lease_until = ` + zeroTime + `
			WHERE id = $1 AND version = $2`
		remind = `UPDATE backup_tasks SET version = version + 1, remind_at = ` + zeroTime + ` WHERE request_id = $1 AND state = 'pending' AND attempt = 0`
		skip   = `INSERT INTO backup_tasks (id, version, request_id, reseller_id, client_id, server_id, assignment, server_name, what, at, state,
				missed, attempt, at_provider, result, reason, remind_at, tries, try_at, search)
			VALUES ($1, 1, $2, $3, $4, $5, $6, $7, '', $8, 'skipped', 2, 0, FALSE, '{}', '', ` + zeroTime + `, 0, ` + zeroTime + `, $7)`
	)
	return h.batches(ctx, "backup_requests", columns, func(row []any) ([]command, []string) {
		id, event := h.event("backup.overdue", row)
		task := uuid.NewString()
		return []command{
			{plan, []any{row[0], row[4], h.now, task, h.later()}},
			{remind, []any{row[0]}},
			{skip, []any{task, row[0], row[1], row[2], row[3], row[5], row[6], h.now}},
			event,
		}, []string{id}
	})
}

// batches claims rows, calls do for each row, and commits the commands of a hundred rows together.
func (h *byHand) batches(ctx context.Context, table, columns string, do func(row []any) ([]command, []string)) error {
	for {
		claimed, err := h.claim(ctx, table, "id", dueRecords, columns)
		if err != nil || len(claimed) == 0 {
			return err
		}
		var commands []command
		var events []string
		for _, row := range claimed {
			c, e := do(row)
			commands, events = append(commands, c...), append(events, e...)
		}
		if err := h.transact(ctx, append(commands, h.fanOut(events))...); err != nil {
			return err
		}
	}
}

// floorDeliveries also leaves out the order of a subject's events, and the subscribers without deliveries.
func floorDeliveries(ctx context.Context, h *byHand) error {
	const settle = `UPDATE deliveries SET version = version + 1, delivered = TRUE, lease_until = ` + zeroTime + `
		WHERE event_id = $1 AND subscriber = $2 AND version = $3`
	const subscriber = "mail"
	events := "SELECT id, kind, at, reseller_id, client_id, server_id, subject_id, data FROM events WHERE " + h.inList("id", "$1")
	for {
		claimed, err := h.claim(ctx, "deliveries", "event_id", "subscriber = $3 AND NOT delivered AND NOT dead", "event_id, version", subscriber)
		if err != nil || len(claimed) == 0 {
			return err
		}
		var ids []string
		var commands []command
		for _, row := range claimed {
			ids = append(ids, row[0].(string))
			commands = append(commands, command{settle, []any{row[0], subscriber, row[1]}})
		}
		if _, err := h.query(ctx, events, h.list(ids)); err != nil {
			return err
		}
		if err := h.transact(ctx, commands...); err != nil {
			return err
		}
	}
}

// floorExecutions reads the server once. The library reads it before each step that cannot be undone.
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

// execute executes one cancellation. Each step has a transaction of its own, so that a completed step stays completed.
func (h *byHand) execute(ctx context.Context, row []any) error {
	reseller, client, server, version := row[1], row[2], row[3], row[4].(int64)
	found, err := h.query(ctx, "SELECT version, state, assignment, locked_by FROM servers WHERE id = $1", server)
	if err != nil {
		return err
	}
	serverVersion := found[0][0]
	for _, open := range []string{
		"SELECT id FROM backup_requests WHERE reseller_id = $1 AND server_id = $2 AND ended = " + zeroTime + " ORDER BY server_name, id LIMIT 100",
		"SELECT id FROM backup_tasks WHERE reseller_id = $1 AND server_id = $2 AND state = 'pending' ORDER BY at, id LIMIT 100",
		"SELECT id FROM tickets WHERE reseller_id = $1 AND server_id = $2 AND status <> 'closed' ORDER BY opened_at, id LIMIT 100",
	} {
		if _, err := h.query(ctx, open, reseller, server); err != nil {
			return err
		}
	}
	update := func(set string, args ...any) command {
		c := command{"UPDATE cancellations SET version = version + 1, " + set + " WHERE id = $1 AND version = $2", append([]any{row[0], version}, args...)}
		version++
		return c
	}
	stepDone := func() []command { return []command{update("steps = $3, lease_until = $4", steps, h.later())} }
	releasedID, released := h.event("dedicated.released", []any{server, reseller, client, server})
	executedID, executed := h.event("cancellation.executed", row)
	completedID, completed := h.event("cancellation.completed", row)
	closedID, closed := h.event("cancellation.closed", row)
	for _, transaction := range [][]command{
		{update(`state = 'executing', refund = $3, currency = 'EUR', places = 2, steps = $4, history = $5, lease_until = $6`,
			refunded, steps, history, h.later())},
		{
			{"UPDATE servers SET version = version + 1, state = 'clean_up', locked_by = $3 WHERE id = $1 AND version = $2", []any{server, serverVersion, row[0]}},
			released, h.fanOut([]string{releasedID}),
		},
		stepDone(), stepDone(), stepDone(), stepDone(), // released, deprovisioned, refunded, closed down
		{{"UPDATE servers SET version = version + 1, locked_by = NULL WHERE id = $1 AND locked_by = $2", []any{server, row[0]}}},
		{
			update("state = 'executed', steps = $3, history = $4, due = "+zeroTime+", lease_until = "+zeroTime, steps, history),
			executed, completed, closed, h.fanOut([]string{executedID, completedID, closedID}),
		},
	} {
		if err := h.transact(ctx, transaction...); err != nil {
			return err
		}
	}
	return nil
}

// The documents of an executed cancellation, with realistic lengths.
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
