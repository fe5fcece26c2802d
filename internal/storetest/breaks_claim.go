package storetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// editClaims edits the results of each claim.
func (f Fields[E, Q, C, D]) editClaims(claim ClaimFunc[D], edit func(records *[]E, next *time.Time)) ClaimFunc[D] {
	return func(ctx context.Context, now, until time.Time, limit int) (D, error) {
		due, err := claim(ctx, now, until, limit)
		edit(f.Claimed(&due))
		return due, err
	}
}

// ClaimEarly claims records that are due within an hour.
func (f Fields[E, Q, C, D]) ClaimEarly(claim ClaimFunc[D]) ClaimFunc[D] {
	return func(ctx context.Context, now, until time.Time, limit int) (D, error) {
		return claim(ctx, now.Add(time.Hour), until.Add(time.Hour), limit)
	}
}

// ReverseClaims returns the oldest record last.
func (f Fields[E, Q, C, D]) ReverseClaims(claim ClaimFunc[D]) ClaimFunc[D] {
	return f.editClaims(claim, func(records *[]E, _ *time.Time) { slices.Reverse(*records) })
}

// ForgetNext does not say when the next record is due.
func (f Fields[E, Q, C, D]) ForgetNext(claim ClaimFunc[D]) ClaimFunc[D] {
	return f.editClaims(claim, func(_ *[]E, next *time.Time) { *next = time.Time{} })
}

// HalfLease leases for half the time.
func (f Fields[E, Q, C, D]) HalfLease(claim ClaimFunc[D]) ClaimFunc[D] {
	return func(ctx context.Context, now, until time.Time, limit int) (D, error) {
		return claim(ctx, now, now.Add(until.Sub(now)/2), limit)
	}
}

// BelieveLeases hides a claimed record until the end of its lease, however far ahead that is.
func (f Fields[E, Q, C, D]) BelieveLeases(claim ClaimFunc[D]) ClaimFunc[D] {
	var mu sync.Mutex
	leases := map[uuid.UUID]time.Time{}
	return func(ctx context.Context, now, until time.Time, limit int) (D, error) {
		due, err := claim(ctx, now, until, limit)
		mu.Lock()
		defer mu.Unlock()
		records, _ := f.Claimed(&due)
		*records = slices.DeleteFunc(*records, func(e E) bool { return leases[*f.Meta(&e).ID].After(now) })
		for _, e := range *records {
			leases[*f.Meta(&e).ID] = until
		}
		return due, err
	}
}

// NameReadable names each claimed record as one that it could not read.
func (f Fields[E, Q, C, D]) NameReadable(claim ClaimFunc[D]) ClaimFunc[D] {
	return func(ctx context.Context, now, until time.Time, limit int) (D, error) {
		due, err := claim(ctx, now, until, limit)
		records, _ := f.Claimed(&due)
		for _, e := range *records {
			*f.Unread(&due) = append(*f.Unread(&due), notify.Unreadable{ID: *f.Meta(&e).ID, Reason: "it is not nice"})
		}
		return due, err
	}
}

// ClaimOldVersions returns the versions from before the claim.
func (f Fields[E, Q, C, D]) ClaimOldVersions(claim ClaimFunc[D]) ClaimFunc[D] {
	return f.editClaims(claim, func(records *[]E, _ *time.Time) {
		for i := range *records {
			*f.Meta(&(*records)[i]).Version--
		}
	})
}

// ClaimAgain adds the first record of the claim before to each claim that has records.
func (f Fields[E, Q, C, D]) ClaimAgain(claim ClaimFunc[D]) ClaimFunc[D] {
	var mu sync.Mutex
	var before []E
	return f.editClaims(claim, func(records *[]E, _ *time.Time) {
		mu.Lock()
		defer mu.Unlock()
		if len(*records) > 0 {
			first := (*records)[:1:1]
			*records = append(*records, before...)
			before = slices.Clone(first)
		}
	})
}

// AnyLimit takes a limit below 1 for a larger one.
func (f Fields[E, Q, C, D]) AnyLimit(claim ClaimFunc[D]) ClaimFunc[D] {
	return func(ctx context.Context, now, until time.Time, limit int) (D, error) {
		return claim(ctx, now, until, max(limit, 1))
	}
}

// ClaimAlways ignores the context.
func (f Fields[E, Q, C, D]) ClaimAlways(claim ClaimFunc[D]) ClaimFunc[D] {
	return func(ctx context.Context, now, until time.Time, limit int) (D, error) {
		return claim(context.WithoutCancel(ctx), now, until, limit)
	}
}

// EndLeases stores records without a lease.
func (f Fields[E, Q, C, D]) EndLeases(commit CommitFunc[C]) CommitFunc[C] {
	return f.EditCommitted(commit, func(_ context.Context, e *E) { *f.Meta(e).Lease = time.Time{} })
}
