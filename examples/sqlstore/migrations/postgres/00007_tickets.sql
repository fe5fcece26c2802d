-- Adds what tickets store since the rules of dismissals, pauses of the priority, mails about a client's moves and former providers.

-- +goose Up

ALTER TABLE tickets ADD COLUMN unanswered_since BIGINT NOT NULL DEFAULT -62135596800000000;
ALTER TABLE tickets ADD COLUMN client_mails BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN tell_at BIGINT NOT NULL DEFAULT -62135596800000000;
ALTER TABLE tickets ADD COLUMN former JSON NOT NULL DEFAULT 'null';
ALTER TABLE tickets ADD COLUMN paused_at BIGINT NOT NULL DEFAULT -62135596800000000;
ALTER TABLE tickets ADD COLUMN last_at BIGINT NOT NULL DEFAULT -62135596800000000;

-- What is known of the last change.
UPDATE tickets SET last_at = GREATEST(opened_at, answered_at, closed_at);

-- The unique key gets the server.
UPDATE tickets SET unique_key = COALESCE(CAST(server_id AS TEXT), '00000000-0000-0000-0000-000000000000') || '/' || unique_key WHERE unique_key <> '';

-- A client's comment on what is done or rejected waits for an answer: the reseller is reminded of it. 2 is the reseller.
UPDATE tickets SET unanswered_since = CAST(extract(epoch FROM now()) AS BIGINT) * 1000000, reminded = -62135596800000000, due = CAST(extract(epoch FROM now()) AS BIGINT) * 1000000
WHERE status IN ('done', 'rejected') AND waiting_on = 2 AND closes_at = -62135596800000000;
UPDATE tickets SET waiting_on = 0 WHERE status IN ('done', 'rejected') AND unanswered_since = -62135596800000000;

-- The priority of what does not wait for the reseller pauses as of now: 2000 years later are 63113904000000000 microseconds.
UPDATE tickets SET paused_at = CAST(extract(epoch FROM now()) AS BIGINT) * 1000000, urgent_at = urgent_at + 63113904000000000
WHERE waiting_on <> 2;
