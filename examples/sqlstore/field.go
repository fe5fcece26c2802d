package sqlstore

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
)

// field maps a column to a field of a record. The type of ref decides how the value is stored:
//
//	*uuid.UUID   UUID or TEXT; the nil UUID is NULL
//	*time.Time   microseconds since 1970, as an integer; the zero time is zeroTime
//	document     JSON, for nested values that no query searches
//	computed     a value for searches, which is written and never read
//	others       text, integers and booleans
type field struct {
	column string
	ref    any
}

// fields lists all columns of a record: its key, its version, then the others in any order.
type fields []field

// computed is a value that is derived from other fields.
type computed struct{ value any }

// document stores a value as JSON. to is a pointer to it.
type document struct{ to any }

// Scan implements sql.Scanner.
func (d document) Scan(stored any) error {
	switch s := stored.(type) {
	case string:
		return json.Unmarshal([]byte(s), d.to)
	case []byte:
		return json.Unmarshal(s, d.to)
	}
	return fmt.Errorf("a document is stored as %T, expected JSON", stored)
}

// instant reads a time that is stored as microseconds.
type instant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(stored any) error {
	micros, ok := stored.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T, expected an integer", stored)
	}
	*i.to = time.UnixMicro(micros).UTC()
	return nil
}

// zeroTime is the stored value of the zero time. It sorts before all others.
const zeroTime = -62135596800000000

// target returns the Scan target of a column, nil if the column is not read.
func (f field) target() any {
	switch ref := f.ref.(type) {
	case computed:
		return nil
	case *time.Time:
		return instant{ref}
	}
	return f.ref
}

// value returns the argument for a column.
func (f field) value() (any, error) {
	switch ref := f.ref.(type) {
	case computed:
		return argument(ref.value), nil
	case document:
		text, err := json.Marshal(ref.to)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.column, err)
		}
		return string(text), nil
	}
	return argument(reflect.ValueOf(f.ref).Elem().Interface()), nil
}

// argument converts a value to a type that every driver accepts.
func argument(v any) any {
	switch v := v.(type) {
	case uuid.UUID:
		if v == uuid.Nil {
			return nil
		}
		return v.String()
	case time.Time:
		return v.UnixMicro()
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return validText(r.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(r.Uint())
	case reflect.Bool:
		return r.Bool()
	}
	return v
}

// validText replaces bytes that a text column of PostgreSQL refuses. Managers refuse such texts too, but the text of an error
// of other software may contain them.
func validText(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}
