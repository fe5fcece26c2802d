package cancellationtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/cancellation/cancellationtest"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// altered is a store with some methods replaced; the others are the good store's.
type altered struct {
	cancellation.Store
	get      func(context.Context, cancellation.Store, uuid.UUID) (cancellation.Cancellation, error)
	list     func(context.Context, cancellation.Store, uuid.UUID, cancellation.Query) ([]cancellation.Cancellation, string, error)
	active   func(context.Context, cancellation.Store, []uuid.UUID) ([]cancellation.Cancellation, error)
	settings func(context.Context, cancellation.Store, uuid.UUID) (cancellation.Settings, error)
	claim    func(context.Context, cancellation.Store, time.Time, time.Time, int) (cancellation.Due, error)
	commit   func(context.Context, cancellation.Store, ...cancellation.Change) error
}

func (a altered) Cancellation(ctx context.Context, id uuid.UUID) (cancellation.Cancellation, error) {
	if a.get != nil {
		return a.get(ctx, a.Store, id)
	}
	return a.Store.Cancellation(ctx, id)
}

func (a altered) Cancellations(ctx context.Context, reseller uuid.UUID, q cancellation.Query) ([]cancellation.Cancellation, string, error) {
	if a.list != nil {
		return a.list(ctx, a.Store, reseller, q)
	}
	return a.Store.Cancellations(ctx, reseller, q)
}

func (a altered) Active(ctx context.Context, servers []uuid.UUID) ([]cancellation.Cancellation, error) {
	if a.active != nil {
		return a.active(ctx, a.Store, servers)
	}
	return a.Store.Active(ctx, servers)
}

func (a altered) Settings(ctx context.Context, reseller uuid.UUID) (cancellation.Settings, error) {
	if a.settings != nil {
		return a.settings(ctx, a.Store, reseller)
	}
	return a.Store.Settings(ctx, reseller)
}

func (a altered) ClaimDue(ctx context.Context, now, until time.Time, limit int) (cancellation.Due, error) {
	if a.claim != nil {
		return a.claim(ctx, a.Store, now, until, limit)
	}
	return a.Store.ClaimDue(ctx, now, until, limit)
}

func (a altered) Commit(ctx context.Context, changes ...cancellation.Change) error {
	if a.commit != nil {
		return a.commit(ctx, a.Store, changes...)
	}
	return a.Store.Commit(ctx, changes...)
}

// current gives every record of the changes the version that is stored, as a store does that checks none.
func current(ctx context.Context, s cancellation.Store, changes []cancellation.Change) []cancellation.Change {
	var all []cancellation.Change
	for _, change := range changes {
		own := cancellation.Change{Events: change.Events}
		for _, c := range change.Cancellations {
			stored, _ := s.Cancellation(ctx, c.ID)
			c.Version = stored.Version
			own.Cancellations = append(own.Cancellations, c)
		}
		for _, set := range change.Settings {
			stored, _ := s.Settings(ctx, set.ResellerID)
			set.Version = stored.Version
			own.Settings = append(own.Settings, set)
		}
		all = append(all, own)
	}
	return all
}

func unchecked(ctx context.Context, s cancellation.Store, changes ...cancellation.Change) error {
	return s.Commit(ctx, current(ctx, s, changes)...)
}

// mangled applies change to every cancellation that is read.
func mangled(change func(*cancellation.Cancellation)) altered {
	return altered{get: func(ctx context.Context, s cancellation.Store, id uuid.UUID) (cancellation.Cancellation, error) {
		c, err := s.Cancellation(ctx, id)
		change(&c)
		return c, err
	}}
}

// broken runs the suite on a good store with methods replaced.
func broken(name, line string, fresh func() altered) storetest.Broken {
	return storetest.Broken{Name: name, Line: line, Run: func(t *testing.T) {
		cancellationtest.TestStore(t, func(t *testing.T) (cancellation.Store, notify.Outbox) {
			a := fresh()
			var outbox notify.Outbox
			a.Store, outbox = open(t)
			return a, outbox
		})
	}}
}

func always(a altered) func() altered { return func() altered { return a } }
