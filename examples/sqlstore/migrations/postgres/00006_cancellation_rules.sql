-- Adds the date that was ordered. Fills in what older records of cancellations say only in their history or in the settings.

-- +goose Up

ALTER TABLE cancellations ADD COLUMN ordered BIGINT NOT NULL DEFAULT -62135596800000000;

-- A reseller's move counts more than a client's: the roles are 1 client, 2 reseller, 3 system. The history is searched as a text, because
-- a document that nobody can read must not keep the program from starting.
UPDATE cancellations SET moved_by = CASE
	WHEN history::TEXT LIKE '%"role":3,"id":"________-____-____-____-____________","reseller_id":"________-____-____-____-____________"},"What":"rescheduled"%' THEN 3
	WHEN history::TEXT LIKE '%"role":2,"id":"________-____-____-____-____________","reseller_id":"________-____-____-____-____________"},"What":"rescheduled"%' THEN 2
	WHEN history::TEXT LIKE '%"role":1,"id":"________-____-____-____-____________","reseller_id":"________-____-____-____-____________"},"What":"rescheduled"%' THEN 1
	ELSE 0 END
WHERE moved_by = 0;

UPDATE cancellations SET lock_days = COALESCE((
    SELECT settings.lock_days FROM cancellation_settings AS settings WHERE settings.id = cancellations.reseller_id), 0)
WHERE by_role = 1 AND lock_days = 0;
