-- Times are microseconds since 1970; the zero time of Go is -62135596800000000. Nested values that no query searches are JSON.
-- Text for searches is in a separate column, in lower case. Text is sorted by its bytes. The statements repeat the conditions of
-- partial indexes exactly.

-- +goose Up

CREATE TABLE servers (
	id             UUID PRIMARY KEY,
	version        BIGINT NOT NULL,
	reseller_id    UUID,
	client_id      UUID,
	name           TEXT COLLATE "C" NOT NULL,
	provider       TEXT NOT NULL,
	reference      TEXT NOT NULL,
	at_provider    BOOLEAN NOT NULL,
	state          TEXT NOT NULL,
	billing_anchor BIGINT NOT NULL,
	billing_unit   BIGINT NOT NULL,
	billing_count  BIGINT NOT NULL,
	billing_zone   TEXT NOT NULL,
	currency       TEXT NOT NULL,
	places         BIGINT NOT NULL,
	billed_at      BIGINT NOT NULL,
	assignment     UUID,
	assigned_at    BIGINT NOT NULL,
	busy           UUID,
	search         TEXT NOT NULL
);
CREATE INDEX servers_by_name ON servers (reseller_id, name, id);
CREATE INDEX servers_of_client ON servers (reseller_id, client_id, name, id);

CREATE TABLE backup_requests (
	id          UUID PRIMARY KEY,
	version     BIGINT NOT NULL,
	reseller_id UUID,
	client_id   UUID,
	server_id   UUID,
	assignment  UUID,
	form        JSON NOT NULL,
	server_name TEXT COLLATE "C" NOT NULL,
	at_provider BOOLEAN NOT NULL,
	planned     BIGINT NOT NULL,
	recorded    BIGINT NOT NULL,
	skipped     UUID,
	revisions   BIGINT NOT NULL,
	ended       BIGINT NOT NULL,
	ending      TEXT NOT NULL,
	end_reason  TEXT NOT NULL,
	due         BIGINT NOT NULL,
	lease_until BIGINT NOT NULL,
	failures    BIGINT NOT NULL
);
CREATE INDEX backup_requests_by_name ON backup_requests (reseller_id, server_name, id);
CREATE INDEX backup_requests_of_server ON backup_requests (reseller_id, server_id, server_name, id);
CREATE INDEX backup_requests_of_client ON backup_requests (reseller_id, client_id, server_name, id);
CREATE INDEX backup_requests_due ON backup_requests (due, id) WHERE due > -62135596800000000;

CREATE TABLE backup_tasks (
	id          UUID PRIMARY KEY,
	version     BIGINT NOT NULL,
	request_id  UUID,
	reseller_id UUID,
	client_id   UUID,
	server_id   UUID,
	assignment  UUID,
	server_name TEXT NOT NULL,
	what        TEXT NOT NULL,
	at          BIGINT NOT NULL,
	state       TEXT NOT NULL,
	missed      BIGINT NOT NULL,
	attempt     BIGINT NOT NULL,
	at_provider BOOLEAN NOT NULL,
	result      JSON NOT NULL,
	reason      TEXT NOT NULL,
	remind_at   BIGINT NOT NULL,
	tries       BIGINT NOT NULL,
	try_at      BIGINT NOT NULL,
	search      TEXT NOT NULL
);
CREATE UNIQUE INDEX backup_tasks_planned ON backup_tasks (request_id) WHERE state = 'pending' AND attempt = 0;
CREATE INDEX backup_tasks_pending ON backup_tasks (request_id, at, id) WHERE state = 'pending';
CREATE INDEX backup_tasks_of_request ON backup_tasks (request_id, at, id);
CREATE INDEX backup_tasks_by_date ON backup_tasks (reseller_id, at, id);
CREATE INDEX backup_tasks_of_state ON backup_tasks (reseller_id, state, at, id);
CREATE INDEX backup_tasks_of_client ON backup_tasks (reseller_id, client_id, at, id);
CREATE INDEX backup_tasks_of_server ON backup_tasks (reseller_id, server_id, at, id);

CREATE TABLE tickets (
	id            UUID PRIMARY KEY,
	version       BIGINT NOT NULL,
	reseller_id   UUID,
	client_id     UUID,
	server_id     UUID,
	assignment    UUID,
	ref           TEXT NOT NULL,
	server_name   TEXT NOT NULL,
	kind          TEXT NOT NULL,
	fields        JSON NOT NULL,
	subject       TEXT NOT NULL,
	status        TEXT NOT NULL,
	decision      TEXT NOT NULL,
	reminded      BIGINT NOT NULL,
	answered_at   BIGINT NOT NULL,
	thread        JSON NOT NULL,
	upstream      JSON NOT NULL,
	assignee      UUID,
	priority      BIGINT NOT NULL,
	urgent_at     BIGINT NOT NULL,
	unique_key    TEXT NOT NULL,
	opened_at     BIGINT NOT NULL,
	closes_at     BIGINT NOT NULL,
	closed_at     BIGINT NOT NULL,
	due           BIGINT NOT NULL,
	lease_until   BIGINT NOT NULL,
	waiting_on    BIGINT NOT NULL,
	search        TEXT NOT NULL,
	search_public TEXT NOT NULL
);
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
	id               UUID PRIMARY KEY,
	version          BIGINT NOT NULL,
	reseller_id      UUID,
	client_id        UUID,
	server_id        UUID,
	assignment       UUID,
	server_name      TEXT NOT NULL,
	state            TEXT NOT NULL,
	when_at          BIGINT NOT NULL,
	end_of_period    BOOLEAN NOT NULL,
	asked            BIGINT NOT NULL,
	at               BIGINT NOT NULL,
	zone             TEXT NOT NULL,
	by_role          BIGINT NOT NULL,
	by_id            UUID,
	by_reseller_id   UUID,
	reason           TEXT NOT NULL,
	steps            JSON NOT NULL,
	attempts         BIGINT NOT NULL,
	last_error       TEXT NOT NULL,
	retry_at         BIGINT NOT NULL,
	postponed        BIGINT NOT NULL,
	abandoned        BOOLEAN NOT NULL,
	refund           JSON NOT NULL,
	currency         TEXT NOT NULL,
	places           BIGINT NOT NULL,
	warned           JSON NOT NULL,
	history          JSON NOT NULL,
	settings_version BIGINT NOT NULL,
	due              BIGINT NOT NULL,
	lease_until      BIGINT NOT NULL
);
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
	id                  UUID PRIMARY KEY,
	version             BIGINT NOT NULL,
	warn                BOOLEAN NOT NULL,
	days_ahead          JSON NOT NULL,
	client_may_withdraw BOOLEAN NOT NULL,
	notice_days         BIGINT NOT NULL,
	lock_days           BIGINT NOT NULL,
	hold_unwarned       BIGINT NOT NULL,
	formula             TEXT NOT NULL,
	saved               BIGINT NOT NULL,
	rearm               TEXT NOT NULL,
	due                 BIGINT NOT NULL,
	lease_until         BIGINT NOT NULL
);
CREATE INDEX cancellation_settings_due ON cancellation_settings (due, id) WHERE due > -62135596800000000;

CREATE TABLE texts (
	reseller_id UUID NOT NULL,
	kind        TEXT COLLATE "C" NOT NULL,
	locale      TEXT COLLATE "C" NOT NULL,
	version     BIGINT NOT NULL,
	subject     TEXT NOT NULL,
	text        TEXT NOT NULL,
	html        TEXT NOT NULL,
	PRIMARY KEY (reseller_id, kind, locale)
);

-- All events of one call of Commit have the same brought_by.
CREATE TABLE events (
	seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id          UUID NOT NULL UNIQUE,
	kind        TEXT NOT NULL,
	at          BIGINT NOT NULL,
	reseller_id UUID,
	client_id   UUID,
	server_id   UUID,
	subject_id  UUID,
	brought_by  UUID NOT NULL,
	data        JSON NOT NULL
);

CREATE TABLE subscribers (
	name TEXT PRIMARY KEY
);

-- The kinds that subscribers receive. The kind '' means all kinds.
CREATE TABLE subscriptions (
	kind       TEXT NOT NULL,
	subscriber TEXT NOT NULL REFERENCES subscribers (name),
	PRIMARY KEY (kind, subscriber)
);

CREATE TABLE deliveries (
	event_id    UUID NOT NULL REFERENCES events (id) ON DELETE CASCADE,
	subscriber  TEXT COLLATE "C" NOT NULL,
	version     BIGINT NOT NULL,
	seq         BIGINT NOT NULL,
	at          BIGINT NOT NULL,
	reseller_id UUID,
	subject_id  UUID,
	attempts    BIGINT NOT NULL,
	due         BIGINT NOT NULL,
	ready       BIGINT NOT NULL, -- at or after due; claims skip the delivery until then
	lease_until BIGINT NOT NULL,
	delivered   BOOLEAN NOT NULL,
	dead        BOOLEAN NOT NULL,
	last_error  TEXT NOT NULL,
	PRIMARY KEY (event_id, subscriber)
);
CREATE INDEX deliveries_due ON deliveries (subscriber, ready, seq) WHERE NOT delivered AND NOT dead;
CREATE INDEX deliveries_of_subject ON deliveries (subscriber, subject_id, seq) WHERE NOT delivered AND NOT dead;
CREATE INDEX deliveries_by_time ON deliveries (at, event_id, subscriber);
CREATE INDEX deliveries_of_reseller ON deliveries (reseller_id, at, event_id, subscriber);
CREATE INDEX deliveries_dead ON deliveries (at, event_id, subscriber) WHERE dead;
