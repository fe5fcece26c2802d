package page_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/page"
)

type item struct {
	name string
	id   uuid.UUID
}

func key(i item) page.Key { return page.Key{Sort: i.name, ID: i.id} }

func TestOfReturnsEachItemOnce(t *testing.T) {
	t.Parallel()
	var all []item
	for n := range 25 {
		all = append(all, item{fmt.Sprint("name", n%3), uuid.New()})
	}
	var returned []item
	for after, pages := "", 0; ; pages++ {
		items, next, err := page.Cut("items", all, key, 10, after)
		require.NoError(t, err)
		returned = append(returned, items...)
		if next == "" {
			assert.Equal(t, 2, pages)
			break
		}
		after = next
	}
	assert.ElementsMatch(t, all, returned)
	for i := 1; i < len(returned); i++ {
		assert.Negative(t, key(returned[i-1]).Compare(key(returned[i])))
	}
}

func TestOfLastPageIsFull(t *testing.T) {
	t.Parallel()
	_, next, err := page.Cut("items", []item{{"a", uuid.New()}, {"b", uuid.New()}}, key, 2, "")
	require.NoError(t, err)
	assert.Empty(t, next)
}

func TestOfInvalidArguments(t *testing.T) {
	t.Parallel()
	otherList := page.Key{Sort: "a", ID: uuid.New()}.Cursor("others")
	for _, after := range []string{"?", "AAAA", otherList} {
		_, _, err := page.Cut("items", []item{}, key, 0, after)
		require.ErrorIs(t, err, fault.ErrInvalid, after)
	}
	_, _, err := page.Cut("items", []item{}, key, -1, "")
	require.ErrorIs(t, err, fault.ErrInvalid)
}

func TestLimit(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{0: page.DefaultLimit, 7: 7, 1 << 30: page.MaxLimit} {
		got, err := page.CheckLimit(limit)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestSortTime(t *testing.T) {
	t.Parallel()
	times := []time.Time{{}, time.Unix(-1, 0), time.Unix(0, 0), time.Unix(0, 1000), time.Unix(1, 0), time.Unix(1<<36, 0)}
	for i := 1; i < len(times); i++ {
		assert.Less(t, page.SortTime(times[i-1]), page.SortTime(times[i]))
	}
}

func FuzzParse(f *testing.F) {
	f.Add("")
	f.Add(page.Key{Sort: "name", ID: uuid.Max}.Cursor("items"))
	f.Fuzz(func(t *testing.T, cursor string) {
		k, err := page.Parse("items", cursor)
		if err != nil {
			require.ErrorIs(t, err, fault.ErrInvalid)
			return
		}
		again, err := page.Parse("items", k.Cursor("items"))
		require.NoError(t, err)
		assert.Equal(t, k, again)
	})
}
