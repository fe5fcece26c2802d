package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/notify"
)

// editChanges commits edited copies of the changes.
func editChanges[C any](commit CommitFunc[C], edit func(context.Context, *C)) CommitFunc[C] {
	return func(ctx context.Context, changes ...C) error {
		changes = slices.Clone(changes)
		for i := range changes {
			edit(ctx, &changes[i])
		}
		return commit(ctx, changes...)
	}
}

// EditCommitted edits copies of the records of each change.
func (f Fields[E, Q, C, D]) EditCommitted(commit CommitFunc[C], edit func(context.Context, *E)) CommitFunc[C] {
	return editChanges(commit, func(ctx context.Context, c *C) {
		records := slices.Clone(*f.Records(c))
		for i := range records {
			edit(ctx, &records[i])
		}
		*f.Records(c) = records
	})
}

// Overwrite checks no versions.
func (f Fields[E, Q, C, D]) Overwrite(get GetFunc[E], commit CommitFunc[C]) CommitFunc[C] {
	return f.EditCommitted(commit, func(ctx context.Context, e *E) {
		*f.Meta(e).Version = 0
		if stored, err := get(ctx, *f.Meta(e).ID); err == nil {
			*f.Meta(e).Version = *f.Meta(&stored).Version
		}
	})
}

// CheckFirst checks all versions and then writes, in two steps.
func (f Fields[E, Q, C, D]) CheckFirst(get GetFunc[E], commit CommitFunc[C]) CommitFunc[C] {
	var mu sync.Mutex
	overwrite := f.Overwrite(get, commit)
	return func(ctx context.Context, changes ...C) error {
		for _, c := range changes {
			for _, e := range *f.Records(&c) {
				if stored, err := get(ctx, *f.Meta(&e).ID); err == nil && *f.Meta(&stored).Version != *f.Meta(&e).Version {
					return fault.ErrConflict
				}
			}
		}
		time.Sleep(time.Microsecond)
		mu.Lock()
		defer mu.Unlock()
		return overwrite(ctx, changes...)
	}
}

// CommitEach commits each change by itself.
func (f Fields[E, Q, C, D]) CommitEach(commit CommitFunc[C]) CommitFunc[C] {
	return func(ctx context.Context, changes ...C) error {
		var all error
		for _, c := range changes {
			all = errors.Join(all, commit(ctx, c))
		}
		return all
	}
}

// ReverseChanges applies the last change first.
func (f Fields[E, Q, C, D]) ReverseChanges(commit CommitFunc[C]) CommitFunc[C] {
	return func(ctx context.Context, changes ...C) error {
		changes = slices.Clone(changes)
		slices.Reverse(changes)
		return commit(ctx, changes...)
	}
}

// CommitAlways ignores the context.
func (f Fields[E, Q, C, D]) CommitAlways(commit CommitFunc[C]) CommitFunc[C] {
	return func(ctx context.Context, changes ...C) error { return commit(context.WithoutCancel(ctx), changes...) }
}

// DropEvents stores no events.
func (f Fields[E, Q, C, D]) DropEvents(commit CommitFunc[C]) CommitFunc[C] {
	return editChanges(commit, func(_ context.Context, c *C) { *f.Events(c) = nil })
}

// EventsFirst stores the events of all changes before it checks the records.
func (f Fields[E, Q, C, D]) EventsFirst(commit CommitFunc[C]) CommitFunc[C] {
	return func(ctx context.Context, changes ...C) error {
		var events C
		for _, c := range changes {
			*f.Events(&events) = append(*f.Events(&events), *f.Events(&c)...)
		}
		return errors.Join(commit(ctx, events), f.DropEvents(commit)(ctx, changes...))
	}
}

// ShareEvents has an outbox that returns the data of events which Commit received, and no copies.
func (f Fields[E, Q, C, D]) ShareEvents(commit CommitFunc[C], outbox notify.Outbox) (CommitFunc[C], notify.Outbox) {
	shared := &sharedEvents{Outbox: outbox}
	return editChanges(commit, func(_ context.Context, c *C) {
		for _, e := range *f.Events(c) {
			shared.data.Store(e.ID, e.Data)
		}
	}), shared
}

type sharedEvents struct {
	notify.Outbox
	data sync.Map
}

func (s *sharedEvents) Deliveries(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
	items, next, err := s.Outbox.Deliveries(ctx, q)
	for i := range items {
		if data, ok := s.data.Load(items[i].Event.ID); ok {
			items[i].Event.Data = data.(json.RawMessage)
		}
	}
	return items, next, err
}

// ShareRecords has a read that returns the records which Commit received, and no copies.
func (f Fields[E, Q, C, D]) ShareRecords(commit CommitFunc[C], get GetFunc[E]) (CommitFunc[C], GetFunc[E]) {
	var shared sync.Map
	share := func(ctx context.Context, changes ...C) error {
		if err := commit(ctx, changes...); err != nil {
			return err
		}
		for _, c := range changes {
			for _, e := range *f.Records(&c) {
				shared.Store(*f.Meta(&e).ID, e)
			}
		}
		return nil
	}
	return share, func(ctx context.Context, id uuid.UUID) (E, error) {
		stored, err := get(ctx, id)
		record, ok := shared.Load(id)
		if !ok || err != nil {
			return stored, err
		}
		e := record.(E)
		own, current := f.Meta(&e), f.Meta(&stored)
		*own.Version = *current.Version
		if own.Due != nil {
			*own.Due, *own.Lease = *current.Due, *current.Lease
		}
		return e, nil
	}
}
