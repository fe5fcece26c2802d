package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/notify"
)

// Fields has functions that return pointers to fields of a store's types. Each method of Fields takes a correct method of a store and
// returns a broken one.
type Fields[E, Q, C, D any] struct {
	Meta    func(*E) Meta
	Page    func(*Q) (limit *int, after *string) // nil: there are no lists
	Records func(*C) *[]E
	Events  func(*C) *[]notify.Event
	Claimed func(*D) (records *[]E, next *time.Time) // nil: there are no claims
	Unread  func(*D) *[]notify.Unreadable            // nil: there are no claims
}

// EditRecords edits each record that get returns.
func (f Fields[E, Q, C, D]) EditRecords(get GetFunc[E], edit func(*E)) GetFunc[E] {
	return func(ctx context.Context, id uuid.UUID) (E, error) {
		e, err := get(ctx, id)
		edit(&e)
		return e, err
	}
}

// ReadOldVersions returns the version before the stored one.
func (f Fields[E, Q, C, D]) ReadOldVersions(get GetFunc[E]) GetFunc[E] {
	return f.EditRecords(get, func(e *E) { *f.Meta(e).Version-- })
}

// OwnError returns an error that is not ErrNotFound.
func (f Fields[E, Q, C, D]) OwnError(get GetFunc[E]) GetFunc[E] {
	return func(ctx context.Context, id uuid.UUID) (E, error) {
		e, err := get(ctx, id)
		if err != nil {
			err = errors.New("no rows")
		}
		return e, err
	}
}

// NoError returns no error for a missing record.
func (f Fields[E, Q, C, D]) NoError(get GetFunc[E]) GetFunc[E] {
	return func(ctx context.Context, id uuid.UUID) (E, error) {
		e, err := get(ctx, id)
		if errors.Is(err, fault.ErrNotFound) {
			err = nil
		}
		return e, err
	}
}

// GetAlways ignores the context.
func (f Fields[E, Q, C, D]) GetAlways(get GetFunc[E]) GetFunc[E] {
	return func(ctx context.Context, id uuid.UUID) (E, error) { return get(context.WithoutCancel(ctx), id) }
}

// EditQueries edits each query.
func (f Fields[E, Q, C, D]) EditQueries(list ListFunc[E, Q], edit func(*Q)) ListFunc[E, Q] {
	return func(ctx context.Context, reseller uuid.UUID, q Q) ([]E, string, error) {
		edit(&q)
		return list(ctx, reseller, q)
	}
}

// editLists edits the records and the cursor of each page.
func (f Fields[E, Q, C, D]) editLists(
	list ListFunc[E, Q], edit func(reseller uuid.UUID, items []E, next string) ([]E, string),
) ListFunc[E, Q] {
	return func(ctx context.Context, reseller uuid.UUID, q Q) ([]E, string, error) {
		items, next, err := list(ctx, reseller, q)
		items, next = edit(reseller, items, next)
		return items, next, err
	}
}

// NoPages returns the first page as if it were all.
func (f Fields[E, Q, C, D]) NoPages(list ListFunc[E, Q]) ListFunc[E, Q] {
	return f.editLists(list, func(_ uuid.UUID, items []E, _ string) ([]E, string) { return items, "" })
}

// ReverseList returns each page in reverse.
func (f Fields[E, Q, C, D]) ReverseList(list ListFunc[E, Q]) ListFunc[E, Q] {
	return f.editLists(list, func(_ uuid.UUID, items []E, next string) ([]E, string) {
		slices.Reverse(items)
		return items, next
	})
}

// NoReseller returns a record for the nil reseller.
func (f Fields[E, Q, C, D]) NoReseller(list ListFunc[E, Q]) ListFunc[E, Q] {
	return f.editLists(list, func(reseller uuid.UUID, items []E, next string) ([]E, string) {
		if reseller == uuid.Nil {
			var e E
			*f.Meta(&e).ID = uuid.New()
			items = append(items, e)
		}
		return items, next
	})
}

// CountingCursors has cursors that count the records before them. A record that is added before a cursor moves the others, so that
// one of them is listed twice.
func (f Fields[E, Q, C, D]) CountingCursors(list ListFunc[E, Q]) ListFunc[E, Q] {
	return func(ctx context.Context, reseller uuid.UUID, q Q) ([]E, string, error) {
		limit, after := f.Page(&q)
		from, count := len(*after), max(*limit, 1)
		*limit, *after = 1000, ""
		all, _, err := list(ctx, reseller, q)
		from = min(from, len(all))
		to := min(from+count, len(all))
		next := ""
		if to < len(all) {
			next = strings.Repeat("+", to)
		}
		return all[from:to], next, err
	}
}

// StartAgain returns the first page for a cursor that it does not know.
func (f Fields[E, Q, C, D]) StartAgain(list ListFunc[E, Q]) ListFunc[E, Q] {
	return func(ctx context.Context, reseller uuid.UUID, q Q) ([]E, string, error) {
		items, next, err := list(ctx, reseller, q)
		if errors.Is(err, fault.ErrInvalid) {
			_, after := f.Page(&q)
			*after = ""
			return list(ctx, reseller, q)
		}
		return items, next, err
	}
}

// ListAlways ignores the context.
func (f Fields[E, Q, C, D]) ListAlways(list ListFunc[E, Q]) ListFunc[E, Q] {
	return func(ctx context.Context, reseller uuid.UUID, q Q) ([]E, string, error) {
		return list(context.WithoutCancel(ctx), reseller, q)
	}
}
