// Package alive carries the signs of progress of a Tick to the Runner that calls it.
package alive

import (
	"context"
	"sync/atomic"
)

// Watch counts the signs of progress of a Tick. Many goroutines may use it at once.
type Watch struct {
	signs, seen atomic.Int64
	// Heard is called with an error that a Tick reports before it returns. nil: errors wait until it returns.
	Heard func(error)
}

type key struct{}

// With returns a context by which Sign reaches the Watch.
func With(ctx context.Context, w *Watch) context.Context { return context.WithValue(ctx, key{}, w) }

// Sign gives the Watch of a context a sign of progress. Without a Watch it does nothing.
func Sign(ctx context.Context) {
	if w, ok := ctx.Value(key{}).(*Watch); ok {
		w.signs.Add(1)
	}
}

// Progressed reports whether there was a sign since the last call.
func (w *Watch) Progressed() bool {
	signs := w.signs.Load()
	return w.seen.Swap(signs) != signs
}

// Report gives the Runner an error of a Tick that is not about to return. It reports whether there is a Runner that has heard it; if
// not, the Tick must return it.
func Report(ctx context.Context, err error) bool {
	w, ok := ctx.Value(key{}).(*Watch)
	if !ok || w.Heard == nil {
		return false
	}
	w.Heard(err)
	return true
}
