package manage

import (
	"context"
	"errors"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// Item is the change of one claimed record in a batch.
type Item[C any] struct {
	Change C
	// Refused is called if the Store does not take the change. It returns the change that gives the record back, to be
	// tried again later, and the error to report.
	Refused func(failure error) (giveBack C, report error)
}

// CommitBatch stores the changes of all items in one call. If that fails, and the context has not ended, it stores them
// one by one, so that a record which the Store refuses holds up no other, and gives each refused record back.
//
// It returns the indexes of the items that somebody else has changed meanwhile, the indexes of the items that it could not
// even give back, and the joined reports of all failures but conflicts. The lease of a record that it could not give back ends
// by itself.
func CommitBatch[C any](
	ctx context.Context, commit func(context.Context, ...C) error, items []Item[C],
) (conflicts, kept []int, err error) {
	if len(items) == 0 {
		return nil, nil, nil
	}
	changes := make([]C, len(items))
	for i, item := range items {
		changes[i] = item.Change
	}
	if err := commit(ctx, changes...); err == nil || ctx.Err() != nil {
		return nil, nil, err
	}
	var reports []error
	for i, item := range items {
		err := commit(ctx, item.Change)
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return conflicts, kept, errors.Join(append(reports, err)...)
		case errors.Is(err, fault.ErrConflict):
			conflicts = append(conflicts, i)
			continue
		}
		giveBack, report := item.Refused(err)
		reports = append(reports, report)
		if err := commit(ctx, giveBack); err != nil && !errors.Is(err, fault.ErrConflict) {
			_, report = item.Refused(err)
			reports = append(reports, report)
			kept = append(kept, i)
		}
	}
	return conflicts, kept, errors.Join(reports...)
}
