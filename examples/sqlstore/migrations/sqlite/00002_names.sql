-- Renames columns, a state and kinds of events to the names that the library uses now.

-- +goose Up

ALTER TABLE servers RENAME COLUMN busy TO locked_by;
UPDATE servers SET state = 'suspended' WHERE state = 'on_hold';

-- Clients may not read the error of a Performer. Older tasks do not store whether the reason is from a person, so all reasons of
-- tasks that a Performer has tried count as errors of the Performer.
ALTER TABLE backup_tasks ADD COLUMN performer_failed INTEGER NOT NULL DEFAULT 0;
UPDATE backup_tasks SET performer_failed = 1 WHERE tries > 0 AND state IN ('pending', 'failed');

ALTER TABLE cancellation_settings RENAME COLUMN client_may_withdraw TO client_may_discard;
ALTER TABLE cancellation_settings RENAME COLUMN hold_unwarned TO min_warning_days;
ALTER TABLE cancellation_settings ADD COLUMN rearm_again INTEGER NOT NULL DEFAULT FALSE;

UPDATE events SET kind = 'dedicated.suspended' WHERE kind = 'dedicated.held';
UPDATE events SET kind = 'dedicated.billing_changed' WHERE kind = 'dedicated.rebilled';
UPDATE events SET kind = 'cancellation.scheduled_by_client' WHERE kind = 'cancellation.ordered';
UPDATE events SET kind = 'cancellation.rescheduled_by_client' WHERE kind = 'cancellation.reordered';
UPDATE events SET kind = 'cancellation.discarded_by_client' WHERE kind = 'cancellation.withdrawn';
UPDATE events SET kind = 'cancellation.server_left' WHERE kind = 'cancellation.left';

UPDATE texts SET kind = 'dedicated.suspended' WHERE kind = 'dedicated.held';
UPDATE texts SET kind = 'cancellation.scheduled_by_client' WHERE kind = 'cancellation.ordered';
UPDATE texts SET kind = 'cancellation.rescheduled_by_client' WHERE kind = 'cancellation.reordered';
UPDATE texts SET kind = 'cancellation.discarded_by_client' WHERE kind = 'cancellation.withdrawn';
UPDATE texts SET kind = 'cancellation.server_left' WHERE kind = 'cancellation.left';

UPDATE subscriptions SET kind = 'dedicated.suspended' WHERE kind = 'dedicated.held';
UPDATE subscriptions SET kind = 'dedicated.billing_changed' WHERE kind = 'dedicated.rebilled';
UPDATE subscriptions SET kind = 'cancellation.scheduled_by_client' WHERE kind = 'cancellation.ordered';
UPDATE subscriptions SET kind = 'cancellation.rescheduled_by_client' WHERE kind = 'cancellation.reordered';
UPDATE subscriptions SET kind = 'cancellation.discarded_by_client' WHERE kind = 'cancellation.withdrawn';
UPDATE subscriptions SET kind = 'cancellation.server_left' WHERE kind = 'cancellation.left';
