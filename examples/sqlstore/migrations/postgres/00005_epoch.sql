-- Adds the epoch of the database, and the epochs of the decisions about backup requests.

-- +goose Up

CREATE TABLE metalkeep_epoch (
	id    BIGINT PRIMARY KEY CHECK (id = 1),
	epoch TEXT NOT NULL
);
INSERT INTO metalkeep_epoch (id, epoch) VALUES (1, '');

ALTER TABLE backup_requests ADD COLUMN epoch TEXT NOT NULL DEFAULT '';
