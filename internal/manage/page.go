package manage

import (
	"errors"
	"iter"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// All returns every item of a list, page by page. page returns the page after a cursor, and the cursor of the next one, ""
// at the end. The sequence ends with the first error. A page that returns the cursor it was given is ErrHost.
func All[E any](page func(after string) (items []E, next string, err error)) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		var none E
		after := ""
		for {
			items, next, err := page(after)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			if next == after {
				yield(none, fault.Nonsense("store", errors.New("a page has the cursor of the page before")))
				return
			}
			after = next
		}
	}
}
