-- Times are microseconds since 1970; the zero time of Go is -62135596800000000. IDs are in lower case. True is 1, false is 0.
-- Nested values that no query searches are JSON. Text for searches is in a separate column, in lower case. The statements repeat the
-- conditions of partial indexes exactly.

-- +goose Up

CREATE TABLE servers (
	id             TEXT NOT NULL PRIMARY KEY,
	version        INTEGER NOT NULL,
	reseller_id    TEXT,
	client_id      TEXT,
	name           TEXT NOT NULL,
	provider       TEXT NOT NULL,
	reference      TEXT NOT NULL,
	at_provider    INTEGER NOT NULL,
	state          TEXT NOT NULL,
	billing_anchor INTEGER NOT NULL,
	billing_unit   INTEGER NOT NULL,
	billing_count  INTEGER NOT NULL,
	billing_zone   TEXT NOT NULL,
	currency       TEXT NOT NULL,
	places         INTEGER NOT NULL,
	billed_at      INTEGER NOT NULL,
	assignment     TEXT,
	assigned_at    INTEGER NOT NULL,
	busy           TEXT,
	search         TEXT NOT NULL
) STRICT;
CREATE INDEX servers_by_name ON servers (reseller_id, name, id);
CREATE INDEX servers_of_client ON servers (reseller_id, client_id, name, id);

CREATE TABLE backup_requests (
	id          TEXT NOT NULL PRIMARY KEY,
	version     INTEGER NOT NULL,
	reseller_id TEXT,
	client_id   TEXT,
	server_id   TEXT,
	assignment  TEXT,
	form        TEXT NOT NULL,
	server_name TEXT NOT NULL,
	at_provider INTEGER NOT NULL,
	planned     INTEGER NOT NULL,
	recorded    INTEGER NOT NULL,
	skipped     TEXT,
	revisions   INTEGER NOT NULL,
	ended       INTEGER NOT NULL,
	ending      TEXT NOT NULL,
	end_reason  TEXT NOT NULL,
	due         INTEGER NOT NULL,
	lease_until INTEGER NOT NULL,
	failures    INTEGER NOT NULL
) STRICT;
CREATE INDEX backup_requests_by_name ON backup_requests (reseller_id, server_name, id);
CREATE INDEX backup_requests_of_server ON backup_requests (reseller_id, server_id, server_name, id);
CREATE INDEX backup_requests_of_client ON backup_requests (reseller_id, client_id, server_name, id);
CREATE INDEX backup_requests_due ON backup_requests (due, id) WHERE due > -62135596800000000;

CREATE TABLE backup_tasks (
	id          TEXT NOT NULL PRIMARY KEY,
	version     INTEGER NOT NULL,
	request_id  TEXT,
	reseller_id TEXT,
	client_id   TEXT,
	server_id   TEXT,
	assignment  TEXT,
	server_name TEXT NOT NULL,
	what        TEXT NOT NULL,
	at          INTEGER NOT NULL,
	state       TEXT NOT NULL,
	missed      INTEGER NOT NULL,
	attempt     INTEGER NOT NULL,
	at_provider INTEGER NOT NULL,
	result      TEXT NOT NULL,
	reason      TEXT NOT NULL,
	remind_at   INTEGER NOT NULL,
	tries       INTEGER NOT NULL,
	try_at      INTEGER NOT NULL,
	search      TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX backup_tasks_planned ON backup_tasks (request_id) WHERE state = 'pending' AND attempt = 0;
CREATE INDEX backup_tasks_pending ON backup_tasks (request_id, at, id) WHERE state = 'pending';
CREATE INDEX backup_tasks_of_request ON backup_tasks (request_id, at, id);
CREATE INDEX backup_tasks_by_date ON backup_tasks (reseller_id, at, id);
CREATE INDEX backup_tasks_of_state ON backup_tasks (reseller_id, state, at, id);
CREATE INDEX backup_tasks_of_client ON backup_tasks (reseller_id, client_id, at, id);
CREATE INDEX backup_tasks_of_server ON backup_tasks (reseller_id, server_id, at, id);

CREATE TABLE tickets (
	id            TEXT NOT NULL PRIMARY KEY,
	version       INTEGER NOT NULL,
	reseller_id   TEXT,
	client_id     TEXT,
	server_id     TEXT,
	assignment    TEXT,
	ref           TEXT NOT NULL,
	server_name   TEXT NOT NULL,
	kind          TEXT NOT NULL,
	fields        TEXT NOT NULL,
	subject       TEXT NOT NULL,
	status        TEXT NOT NULL,
	decision      TEXT NOT NULL,
	reminded      INTEGER NOT NULL,
	answered_at   INTEGER NOT NULL,
	thread        TEXT NOT NULL,
	upstream      TEXT NOT NULL,
	assignee      TEXT,
	priority      INTEGER NOT NULL,
	urgent_at     INTEGER NOT NULL,
	unique_key    TEXT NOT NULL,
	opened_at     INTEGER NOT NULL,
	closes_at     INTEGER NOT NULL,
	closed_at     INTEGER NOT NULL,
	due           INTEGER NOT NULL,
	lease_until   INTEGER NOT NULL,
	waiting_on    INTEGER NOT NULL,
	search        TEXT NOT NULL,
	search_public TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX tickets_unique ON tickets (unique_key) WHERE unique_key <> '';
CREATE INDEX tickets_by_urgency ON tickets (reseller_id, urgent_at, id);
CREATE INDEX tickets_by_age ON tickets (reseller_id, opened_at, id);
CREATE INDEX tickets_of_client_by_urgency ON tickets (reseller_id, client_id, urgent_at, id);
CREATE INDEX tickets_of_client_by_age ON tickets (reseller_id, client_id, opened_at, id);
CREATE INDEX tickets_of_server_by_urgency ON tickets (reseller_id, server_id, urgent_at, id);
CREATE INDEX tickets_of_server_by_age ON tickets (reseller_id, server_id, opened_at, id);
CREATE INDEX tickets_of_assignee_by_urgency ON tickets (reseller_id, assignee, urgent_at, id);
CREATE INDEX tickets_of_assignee_by_age ON tickets (reseller_id, assignee, opened_at, id);
CREATE INDEX tickets_due ON tickets (due, id) WHERE due > -62135596800000000;

CREATE TABLE cancellations (
	id               TEXT NOT NULL PRIMARY KEY,
	version          INTEGER NOT NULL,
	reseller_id      TEXT,
	client_id        TEXT,
	server_id        TEXT,
	assignment       TEXT,
	server_name      TEXT NOT NULL,
	state            TEXT NOT NULL,
	when_at          INTEGER NOT NULL,
	end_of_period    INTEGER NOT NULL,
	asked            INTEGER NOT NULL,
	at               INTEGER NOT NULL,
	zone             TEXT NOT NULL,
	by_role          INTEGER NOT NULL,
	by_id            TEXT,
	by_reseller_id   TEXT,
	reason           TEXT NOT NULL,
	steps            TEXT NOT NULL,
	attempts         INTEGER NOT NULL,
	last_error       TEXT NOT NULL,
	retry_at         INTEGER NOT NULL,
	postponed        INTEGER NOT NULL,
	abandoned        INTEGER NOT NULL,
	refund           TEXT NOT NULL,
	currency         TEXT NOT NULL,
	places           INTEGER NOT NULL,
	warned           TEXT NOT NULL,
	history          TEXT NOT NULL,
	settings_version INTEGER NOT NULL,
	due              INTEGER NOT NULL,
	lease_until      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX cancellations_active ON cancellations (assignment) WHERE state IN ('scheduled', 'executing');
CREATE INDEX cancellations_active_of_server ON cancellations (server_id) WHERE state IN ('scheduled', 'executing');
CREATE INDEX cancellations_stuck ON cancellations (reseller_id, at, id)
	WHERE state IN ('scheduled', 'executing') AND attempts > 0;
CREATE INDEX cancellations_by_date ON cancellations (reseller_id, at, id);
CREATE INDEX cancellations_of_state ON cancellations (reseller_id, state, at, id);
CREATE INDEX cancellations_of_client ON cancellations (reseller_id, client_id, at, id);
CREATE INDEX cancellations_of_server ON cancellations (reseller_id, server_id, at, id);
CREATE INDEX cancellations_due ON cancellations (due, id) WHERE due > -62135596800000000;

-- The id is that of the reseller.
CREATE TABLE cancellation_settings (
	id                  TEXT NOT NULL PRIMARY KEY,
	version             INTEGER NOT NULL,
	warn                INTEGER NOT NULL,
	days_ahead          TEXT NOT NULL,
	client_may_withdraw INTEGER NOT NULL,
	notice_days         INTEGER NOT NULL,
	lock_days           INTEGER NOT NULL,
	hold_unwarned       INTEGER NOT NULL,
	formula             TEXT NOT NULL,
	saved               INTEGER NOT NULL,
	rearm               TEXT NOT NULL,
	due                 INTEGER NOT NULL,
	lease_until         INTEGER NOT NULL
) STRICT;
CREATE INDEX cancellation_settings_due ON cancellation_settings (due, id) WHERE due > -62135596800000000;

CREATE TABLE texts (
	reseller_id TEXT NOT NULL,
	kind        TEXT NOT NULL,
	locale      TEXT NOT NULL,
	version     INTEGER NOT NULL,
	subject     TEXT NOT NULL,
	text        TEXT NOT NULL,
	html        TEXT NOT NULL,
	PRIMARY KEY (reseller_id, kind, locale)
) STRICT;

-- All events of one call of Commit have the same brought_by.
CREATE TABLE events (
	seq         INTEGER PRIMARY KEY AUTOINCREMENT,
	id          TEXT NOT NULL UNIQUE,
	kind        TEXT NOT NULL,
	at          INTEGER NOT NULL,
	reseller_id TEXT,
	client_id   TEXT,
	server_id   TEXT,
	subject_id  TEXT,
	brought_by  TEXT NOT NULL,
	data        TEXT NOT NULL
) STRICT;

CREATE TABLE subscribers (
	name TEXT NOT NULL PRIMARY KEY
) STRICT;

-- The kinds that subscribers receive. The kind '' means all kinds.
CREATE TABLE subscriptions (
	kind       TEXT NOT NULL,
	subscriber TEXT NOT NULL REFERENCES subscribers (name),
	PRIMARY KEY (kind, subscriber)
) STRICT;

CREATE TABLE deliveries (
	event_id    TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
	subscriber  TEXT NOT NULL,
	version     INTEGER NOT NULL,
	seq         INTEGER NOT NULL,
	at          INTEGER NOT NULL,
	reseller_id TEXT,
	subject_id  TEXT,
	attempts    INTEGER NOT NULL,
	due         INTEGER NOT NULL,
	ready       INTEGER NOT NULL, -- at or after due; claims skip the delivery until then
	lease_until INTEGER NOT NULL,
	delivered   INTEGER NOT NULL,
	dead        INTEGER NOT NULL,
	last_error  TEXT NOT NULL,
	PRIMARY KEY (event_id, subscriber)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (subscriber, ready, seq) WHERE NOT delivered AND NOT dead;
CREATE INDEX deliveries_of_subject ON deliveries (subscriber, subject_id, seq) WHERE NOT delivered AND NOT dead;
CREATE INDEX deliveries_by_time ON deliveries (at, event_id, subscriber);
CREATE INDEX deliveries_of_reseller ON deliveries (reseller_id, at, event_id, subscriber);
CREATE INDEX deliveries_dead ON deliveries (at, event_id, subscriber) WHERE dead;

-- The statistics that SQLite uses until an operator runs ANALYZE. Without them it prefers the index with the most columns to the
-- most selective one. The first number is the number of rows of an index. The next numbers are the average number of rows with the
-- same first column, first two columns, and so on. https://www.sqlite.org/fileformat2.html#stat1tab
ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
	('servers', 'servers_by_name', '100000 5000 2 1'),
	('servers', 'servers_of_client', '100000 5000 10 2 1'),
	('backup_requests', 'backup_requests_by_name', '100000 5000 4 1'),
	('backup_requests', 'backup_requests_of_server', '100000 5000 4 4 1'),
	('backup_requests', 'backup_requests_of_client', '100000 5000 20 4 1'),
	('backup_requests', 'backup_requests_due', '50000 2 1'),
	('backup_tasks', 'backup_tasks_planned', '50000 1'),
	('backup_tasks', 'backup_tasks_pending', '50000 1 1 1'),
	('backup_tasks', 'backup_tasks_of_request', '1000000 20 1 1'),
	('backup_tasks', 'backup_tasks_by_date', '1000000 50000 10 1'),
	('backup_tasks', 'backup_tasks_of_state', '1000000 50000 10000 5 1'),
	('backup_tasks', 'backup_tasks_of_client', '1000000 50000 200 2 1'),
	('backup_tasks', 'backup_tasks_of_server', '1000000 50000 50 2 1'),
	('tickets', 'tickets_unique', '10000 1'),
	('tickets', 'tickets_by_urgency', '100000 5000 2 1'),
	('tickets', 'tickets_by_age', '100000 5000 2 1'),
	('tickets', 'tickets_of_client_by_urgency', '100000 5000 20 1 1'),
	('tickets', 'tickets_of_client_by_age', '100000 5000 20 1 1'),
	('tickets', 'tickets_of_server_by_urgency', '100000 5000 10 1 1'),
	('tickets', 'tickets_of_server_by_age', '100000 5000 10 1 1'),
	('tickets', 'tickets_of_assignee_by_urgency', '100000 5000 500 1 1'),
	('tickets', 'tickets_of_assignee_by_age', '100000 5000 500 1 1'),
	('tickets', 'tickets_due', '10000 2 1'),
	('cancellations', 'cancellations_active', '10000 1'),
	('cancellations', 'cancellations_active_of_server', '10000 1'),
	('cancellations', 'cancellations_stuck', '100 10 2 1'),
	('cancellations', 'cancellations_by_date', '100000 5000 2 1'),
	('cancellations', 'cancellations_of_state', '100000 5000 1000 2 1'),
	('cancellations', 'cancellations_of_client', '100000 5000 10 1 1'),
	('cancellations', 'cancellations_of_server', '100000 5000 3 1 1'),
	('cancellations', 'cancellations_due', '10000 2 1'),
	('deliveries', 'deliveries_due', '1000 500 2 1'),
	('deliveries', 'deliveries_of_subject', '1000 500 2 1'),
	('deliveries', 'deliveries_by_time', '1000000 10 3 1'),
	('deliveries', 'deliveries_of_reseller', '1000000 50000 10 3 1'),
	('deliveries', 'deliveries_dead', '100 2 1 1');
ANALYZE sqlite_schema;
