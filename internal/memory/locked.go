package memory

import (
	"context"
	"sync"
)

// Locked calls do under the lock of a store. If ctx has ended, it returns the error of ctx instead.
func Locked[T any](ctx context.Context, mu sync.Locker, do func() (T, error)) (T, error) {
	if err := ctx.Err(); err != nil {
		var zero T
		return zero, err
	}
	mu.Lock()
	defer mu.Unlock()
	return do()
}

// LockedPage is Locked for a page of a list.
func LockedPage[E any](ctx context.Context, mu sync.Locker, do func() ([]E, string, error)) (items []E, next string, err error) {
	items, err = Locked(ctx, mu, func() (page []E, err error) {
		page, next, err = do()
		return page, err
	})
	return items, next, err
}
