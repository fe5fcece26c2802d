package manage

import (
	"bytes"
	"slices"

	"github.com/google/uuid"
)

// Distinct returns the IDs sorted, each once. It leaves ids as they are.
func Distinct(ids []uuid.UUID) []uuid.UUID {
	return slices.Compact(slices.SortedFunc(slices.Values(ids), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }))
}
