package metalkeep_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
	"github.com/metalkeep/metalkeep/ticket"
)

// entities returns a zero value of everything that a Store keeps: what the Changes of the packages hold, the deliveries and texts
// of package notify, and what they consist of. The payload with an amount is one of them.
func entities() []any {
	all := []any{
		notify.Delivery{}, notify.Text{}, refund.Charge{}, refund.Line{}, refund.Result{}, dedicated.Actor{}, ticket.View{},
		cancellation.Closed{}, cancellation.Statement{}, cancellation.Refund{}, dedicated.Released{},
	}
	for _, change := range []any{dedicated.Change{}, backup.Change{}, ticket.Change{}, cancellation.Change{}} {
		for i := range reflect.TypeOf(change).NumField() {
			all = append(all, reflect.Zero(reflect.TypeOf(change).Field(i).Type.Elem()).Interface())
		}
	}
	return all
}

// TestEntitiesAsJSON shows that a Store may keep any entity as its JSON: everything comes back as it was, decimals with their scale,
// times to the microsecond, and nil apart from empty.
func TestEntitiesAsJSON(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, entity := range entities() {
		kind := reflect.TypeOf(entity)
		if names[kind.String()] {
			continue // every Change has events
		}
		names[kind.String()] = true
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(300) {
				f := filler{rand.New(rand.NewPCG(seed, 20))}
				want, got := reflect.New(kind), reflect.New(kind)
				f.fill(t, want.Elem())
				text, err := json.Marshal(want.Interface())
				require.NoError(t, err)
				require.NoError(t, json.Unmarshal(text, got.Interface()))
				require.Equal(t, exactly(want.Elem()), exactly(got.Elem()), "%s", text)
			}
		})
	}
	assert.Subset(t, names, map[string]bool{
		"dedicated.Server": true, "backup.Request": true, "backup.Task": true, "ticket.Ticket": true, "cancellation.Cancellation": true,
		"cancellation.Settings": true, "notify.Event": true, "notify.Delivery": true, "notify.Text": true, "refund.Result": true,
	})
}

// TestAmountsAsJSON: the exact JSON of amounts, also in the form that older stores wrote.
func TestAmountsAsJSON(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]decimal.Decimal{
		`"40.00"`: decimal.New(4000, -2), `"40"`: decimal.New(40, 0), `"5e1"`: decimal.New(5, 1), `"-13.540"`: decimal.New(-13540, -3),
		`"0.00"`: decimal.New(0, -2), `"0e3"`: decimal.New(0, 3), `"0"`: {}, `"-0.05"`: decimal.New(-5, -2),
	} {
		for name, entity := range map[string]any{
			"Paid": refund.Charge{Paid: d}, "Refunded": refund.Charge{Refunded: d}, "Amount": refund.Line{Amount: d},
			"Total": refund.Result{Total: d}, "total": cancellation.Closed{Total: d},
			"Amount ": cancellation.Refund{Amount: d},
		} {
			text, err := json.Marshal(entity)
			require.NoError(t, err)
			assert.Contains(t, string(text), `"`+strings.TrimSpace(name)+`":`+want)
		}
	}
	var c refund.Charge
	require.NoError(t, json.Unmarshal([]byte(`{"Paid": "1250e-2", "Refunded": 12.5}`), &c))
	assert.Equal(t, "1250e-2 125e-1", exactly(reflect.ValueOf(c.Paid))+" "+exactly(reflect.ValueOf(c.Refunded)))
}

// filler fills values with random ones that a Manager may store.
type filler struct{ *rand.Rand }

func (f filler) fill(t *testing.T, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(f.time()))
		return
	case decimal.Decimal:
		v.Set(reflect.ValueOf(decimal.New(f.integer(), int32(f.IntN(16)-10))))
		return
	case uuid.UUID:
		v.Set(reflect.ValueOf(f.uuid()))
		return
	case json.RawMessage:
		subject := notify.Subject{ID: uuid.New(), Version: 1}
		e, err := subject.Event("test", f.time(), map[string]any{"text": f.text(), "number": 1.5})
		require.NoError(t, err)
		v.SetBytes(e.Data)
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(f.integer() >> (64 - v.Type().Bits()))
	case reflect.Uint8:
		v.SetUint(f.Uint64N(256))
	case reflect.String:
		v.SetString(f.text())
	case reflect.Struct:
		for i := range v.NumField() {
			require.True(t, v.Type().Field(i).IsExported(), "JSON has no place for %s.%s", v.Type(), v.Type().Field(i).Name)
			f.fill(t, v.Field(i))
		}
	default:
		f.fillReference(t, v)
	}
}

// fillReference fills a slice, a map or a pointer, which may be nil, and a slice or a map may be empty.
func (f filler) fillReference(t *testing.T, v reflect.Value) {
	n := f.IntN(5) - 1
	if n < 0 {
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(t, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range n {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(t, key)
			f.fill(t, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(t, v.Elem())
	default:
		require.Fail(t, "unknown kind", "%s: tell the filler how to fill it, if JSON can hold it", v.Type())
	}
}

// time returns the zero time, or one to the microsecond in the years 1 to 9999, in UTC.
func (f filler) time() time.Time {
	const first, last = -62135596800000000, 253402300799999999
	if f.IntN(4) == 0 {
		return time.Time{}
	}
	return time.UnixMicro(first + f.Int64N(last-first)).UTC()
}

func (f filler) integer() int64 {
	edges := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 4000}
	if n := f.IntN(2 * len(edges)); n < len(edges) {
		return edges[n]
	}
	return int64(f.Uint64()) >> f.IntN(64)
}

func (f filler) uuid() (id uuid.UUID) {
	if f.IntN(4) > 0 {
		for i := range id {
			id[i] = byte(f.IntN(256))
		}
	}
	return id
}

// text returns valid UTF-8 without zero bytes, also what JSON escapes.
func (f filler) text() string {
	parts := []string{"web-01", "é", "<b>&amp;", `"\`, "\n\t", "\u2028\u2029", "日本", "\u007f\u0001", "😀", "null", "1e5", " "}
	var s strings.Builder
	for range f.IntN(4) {
		s.WriteString(parts[f.IntN(len(parts))])
	}
	return s.String()
}

// exactly describes a value so that two values have one description only if nothing differs: not the scale of a decimal, not the
// zone of a time, and not nil from empty.
func exactly(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Time:
		return value.Format(time.RFC3339Nano) + " " + value.Location().String()
	case decimal.Decimal:
		return fmt.Sprintf("%de%d", value.Coefficient(), value.Exponent())
	case json.RawMessage:
		return fmt.Sprintf("%q", []byte(value))
	}
	var parts []string
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			parts = append(parts, v.Type().Field(i).Name+": "+exactly(v.Field(i)))
		}
	case reflect.Slice:
		if v.IsNil() {
			return "nil"
		}
		for i := range v.Len() {
			parts = append(parts, exactly(v.Index(i)))
		}
	case reflect.Map:
		if v.IsNil() {
			return "nil"
		}
		for _, key := range v.MapKeys() {
			parts = append(parts, exactly(key)+": "+exactly(v.MapIndex(key)))
		}
		slices.Sort(parts)
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return "&" + exactly(v.Elem())
	default:
		return fmt.Sprintf("%#v", v.Interface())
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
