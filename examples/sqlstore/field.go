package sqlstore

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
)

// field ties a column to a place in a record. What ref points to says how it is stored:
//
//	*uuid.UUID   UUID or TEXT; the nil UUID is NULL
//	*time.Time   microseconds since 1970 as an integer; the zero time is never
//	document     JSON, for what is nested and not searched
//	computed     written for searching, never read
//	others       text, integers and booleans
type field struct {
	column string
	ref    any
}

// fields are all columns of a record: those of its key, then its version, then the rest in any order.
type fields []field

// computed is the value of a column that follows from others.
type computed struct{ value any }

// document stores what it points to as JSON.
type document struct{ to any }

// Scan implements sql.Scanner.
func (d document) Scan(stored any) error {
	switch s := stored.(type) {
	case string:
		return json.Unmarshal([]byte(s), d.to)
	case []byte:
		return json.Unmarshal(s, d.to)
	}
	return fmt.Errorf("a document is stored as %T: JSON was expected", stored)
}

// instant reads a time that is stored in microseconds.
type instant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(stored any) error {
	micros, ok := stored.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T: an integer was expected", stored)
	}
	*i.to = time.UnixMicro(micros).UTC()
	return nil
}

// never is how the zero time is stored: it sorts before all others.
const never = -62135596800000000

// target is where a column is read to; nil: it is not read.
func (f field) target() any {
	switch ref := f.ref.(type) {
	case computed:
		return nil
	case *time.Time:
		return instant{ref}
	}
	return f.ref
}

// value is what a column is written as.
func (f field) value() (any, error) {
	switch ref := f.ref.(type) {
	case computed:
		return plain(ref.value), nil
	case document:
		text, err := json.Marshal(ref.to)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.column, err)
		}
		return string(text), nil
	}
	return plain(reflect.ValueOf(f.ref).Elem().Interface()), nil
}

// plain makes of a value one of the few types that every driver takes as they are.
func plain(v any) any {
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
		return storable(r.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(r.Uint())
	case reflect.Bool:
		return r.Bool()
	}
	return v
}

// storable replaces what a text column of PostgreSQL refuses. Managers let none of it in; the text of an error that came
// from elsewhere may have it.
func storable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}
