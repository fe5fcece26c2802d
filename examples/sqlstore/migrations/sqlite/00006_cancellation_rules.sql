-- Adds the date that was ordered. Fills in what older records of cancellations say only in their history or in the settings.

-- +goose Up

ALTER TABLE cancellations ADD COLUMN ordered INTEGER NOT NULL DEFAULT -62135596800000000;

-- A reseller's move counts more than a client's: the roles are 1 client, 2 reseller, 3 system.
UPDATE cancellations SET moved_by = COALESCE((
    SELECT MAX(json_extract(entry.value, '$.By.Role')) FROM json_each(cancellations.history) AS entry
    WHERE json_extract(entry.value, '$.What') = 'rescheduled'), 0)
WHERE moved_by = 0 AND json_type(history) = 'array';

UPDATE cancellations SET lock_days = COALESCE((
    SELECT settings.lock_days FROM cancellation_settings AS settings WHERE settings.id = cancellations.reseller_id), 0)
WHERE by_role = 1 AND lock_days = 0;
