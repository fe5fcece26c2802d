package memory

import (
	"slices"

	"github.com/metalkeep/metalkeep/internal/page"
)

// order keeps keys sorted, in blocks: to add, to remove and to find one costs the logarithm of what is kept, and a page
// costs what it holds. The zero value is empty and ready.
type order struct {
	blocks [][]page.Key // none is empty
}

// blockSize is how many keys a block holds before it is split in two.
const blockSize = 1024

// place is where k is, or where it belongs.
func (o *order) place(k page.Key) (block, index int, found bool) {
	block, _ = slices.BinarySearchFunc(o.blocks, k, func(keys []page.Key, k page.Key) int {
		return keys[len(keys)-1].Compare(k)
	})
	if block == len(o.blocks) {
		return block, 0, false
	}
	index, found = slices.BinarySearchFunc(o.blocks[block], k, page.Key.Compare)
	return block, index, found
}

func (o *order) add(k page.Key) {
	block, index, found := o.place(k)
	switch {
	case found:
		return
	case len(o.blocks) == 0:
		o.blocks = [][]page.Key{{k}}
		return
	case block == len(o.blocks):
		block--
		index = len(o.blocks[block])
	}
	keys := slices.Insert(o.blocks[block], index, k)
	o.blocks[block] = keys
	if len(keys) >= blockSize {
		half := len(keys) / 2
		o.blocks = slices.Insert(o.blocks, block+1, slices.Clone(keys[half:]))
		o.blocks[block] = slices.Clip(keys[:half])
	}
}

func (o *order) remove(k page.Key) {
	block, index, found := o.place(k)
	if !found {
		return
	}
	if o.blocks[block] = slices.Delete(o.blocks[block], index, index+1); len(o.blocks[block]) == 0 {
		o.blocks = slices.Delete(o.blocks, block, block+1)
	}
}

// after calls visit with the keys behind k, in order, until it returns false.
func (o *order) after(k page.Key, visit func(page.Key) bool) {
	block, index, found := o.place(k)
	if found {
		index++
	}
	for ; block < len(o.blocks); block, index = block+1, 0 {
		for _, key := range o.blocks[block][index:] {
			if !visit(key) {
				return
			}
		}
	}
}
