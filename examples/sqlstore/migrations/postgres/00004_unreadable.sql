-- A record that cannot be read is put aside, so that it holds up no other: claims ignore it until aside_until. The column unreadable
-- counts how often a claim could not read it. Any write of the record ends both.

-- +goose Up

ALTER TABLE backup_requests ADD COLUMN unreadable BIGINT NOT NULL DEFAULT 0;
ALTER TABLE backup_requests ADD COLUMN aside_until BIGINT NOT NULL DEFAULT -62135596800000000;
ALTER TABLE tickets ADD COLUMN unreadable BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN aside_until BIGINT NOT NULL DEFAULT -62135596800000000;
ALTER TABLE cancellations ADD COLUMN unreadable BIGINT NOT NULL DEFAULT 0;
ALTER TABLE cancellations ADD COLUMN aside_until BIGINT NOT NULL DEFAULT -62135596800000000;
ALTER TABLE cancellation_settings ADD COLUMN unreadable BIGINT NOT NULL DEFAULT 0;
ALTER TABLE cancellation_settings ADD COLUMN aside_until BIGINT NOT NULL DEFAULT -62135596800000000;
ALTER TABLE deliveries ADD COLUMN unreadable BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN aside_until BIGINT NOT NULL DEFAULT -62135596800000000;
