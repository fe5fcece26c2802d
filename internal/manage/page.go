package manage

import (
	"errors"
	"iter"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// All returns every item of a list, page by page. page returns the page after a cursor, and the cursor of the next one, ""
// at the end. The sequence ends with the first error. A cursor that the Store refuses is ErrHost, and so is
// one that comes again, at the latest after twice as many pages.
func All[E any](page func(after string) (items []E, next string, err error)) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		var none E
		after, remembered := "", "" // Brent's algorithm finds a cycle of cursors
		for pages, until := 0, 1; ; pages++ {
			if pages == until {
				remembered, until = after, 2*until
			}
			items, next, err := page(after)
			if err != nil {
				err, _ = OwnCursor(err)
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
			if next == after || next == remembered {
				yield(none, fault.Nonsense(store, errors.New("a cursor of the list came again")))
				return
			}
			after = next
		}
	}
}
