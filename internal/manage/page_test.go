package manage_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// numbers lists 0 to total-1 in pages of three. The cursor is the first number of the page.
func numbers(total int, pages *int) func(string) ([]int, string, error) {
	return func(after string) ([]int, string, error) {
		*pages++
		first, _ := strconv.Atoi(after)
		var page []int
		for n := first; n < min(first+3, total); n++ {
			page = append(page, n)
		}
		if first+3 >= total {
			return page, "", nil
		}
		return page, strconv.Itoa(first + 3), nil
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	for total, wantPages := range map[int]int{0: 1, 2: 1, 3: 1, 4: 2, 10: 4} {
		pages, next := 0, 0
		for n, err := range manage.All(numbers(total, &pages)) {
			require.NoError(t, err)
			assert.Equal(t, next, n)
			next++
		}
		assert.Equal(t, total, next)
		assert.Equal(t, wantPages, pages)
	}
}

func TestAllStopsWithItsLoop(t *testing.T) {
	t.Parallel()
	pages := 0
	for n, err := range manage.All(numbers(10, &pages)) {
		require.NoError(t, err)
		if n == 2 {
			break
		}
	}
	assert.Equal(t, 1, pages)
}

func TestAllEndsWithAnError(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	var got []int
	var last error
	for n, err := range manage.All(func(after string) ([]int, string, error) {
		if after != "" {
			return nil, "", down
		}
		return []int{1, 2}, "more", nil
	}) {
		if last = err; err == nil {
			got = append(got, n)
		}
	}
	assert.Equal(t, []int{1, 2}, got)
	assert.Equal(t, down, last)
}

// TestAllOfRefusedCursors: nobody but the Store made these cursors, so its refusal is no fault of a caller.
func TestAllOfRefusedCursors(t *testing.T) {
	t.Parallel()
	var last error
	for _, err := range manage.All(func(after string) ([]int, string, error) {
		return manage.List(t.Context(), after, func() ([]int, string, error) {
			if after != "" {
				return nil, "", fault.ErrInvalid
			}
			return nil, "mine", nil
		})
	}) {
		last = err
	}
	assertSentinel(t, fault.ErrHost, last)
	assert.Equal(t, manage.Failure{Msg: "Withdraw: store failed; nothing was changed"}, manage.Explain("Withdraw", last))
}

// TestAllOfCursorsThatComeAgain: a cycle of cursors ends, however long it is and wherever it begins.
func TestAllOfCursorsThatComeAgain(t *testing.T) {
	t.Parallel()
	for _, cycle := range []int{1, 2, 3, 10} {
		pages := 0
		var last error
		for _, err := range manage.All(func(string) ([]int, string, error) {
			pages++
			return nil, "cursor " + strconv.Itoa(min(pages, 7)+pages%cycle), nil
		}) {
			last = err
		}
		require.ErrorIs(t, last, fault.ErrHost)
		assert.Less(t, pages, 60)
	}
}

// TestAllOfAPageThatDoesNotEnd: a store that returns the same cursor again would hold up everybody.
func TestAllOfAPageThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	pages := 0
	var last error
	for _, err := range manage.All(func(string) ([]int, string, error) {
		pages++
		return []int{1}, "again", nil
	}) {
		last = err
	}
	require.ErrorIs(t, last, fault.ErrHost)
	assert.Equal(t, 2, pages)
}
