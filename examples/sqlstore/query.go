package sqlstore

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// query collects conditions that all must hold, and their arguments.
type query struct {
	dialect    dialect
	conditions []string
	args       []any
}

// parameter adds an argument and returns how to refer to it.
func (q *query) parameter(value any) string {
	q.args = append(q.args, value)
	return "$" + strconv.Itoa(len(q.args))
}

// where adds a condition; each %s in it stands for one of the values.
func (q *query) where(condition string, values ...any) {
	parameters := make([]any, len(values))
	for i, v := range values {
		parameters[i] = q.parameter(plain(v))
	}
	q.conditions = append(q.conditions, fmt.Sprintf(condition, parameters...))
}

// match demands a value in a column, unless it is the zero value.
func (q *query) match(column string, value any) {
	if !reflect.ValueOf(value).IsZero() {
		q.where(column+" = %s", value)
	}
}

// matchAny demands one of the values, unless there are none. One alone is compared with =, so that an index that begins
// with the column can serve the order.
func matchAny[S ~string](q *query, column string, values []S) {
	if len(values) == 1 {
		q.where(column+" = %s", values[0])
		return
	}
	if len(values) > 1 {
		q.conditions = append(q.conditions, q.dialect.isIn(column, q.parameter(q.dialect.list(texts(values)))))
	}
}

// contains demands that a column in lower case holds a text, whatever the case of its letters.
func (q *query) contains(column, text string) {
	if text != "" {
		q.conditions = append(q.conditions, q.dialect.holds(column, q.parameter(storable(strings.ToLower(text)))))
	}
}

// owner narrows to the reseller's own servers or a provider's.
func (q *query) owner(owner string) error {
	switch owner {
	case "":
	case "own":
		q.where("NOT at_provider")
	case "provider":
		q.where("at_provider")
	default:
		return fmt.Errorf(`%w: the owner %.20q is none of "", "own", "provider"`, dedicated.ErrInvalid, owner)
	}
	return nil
}

// String is the conditions as they follow WHERE.
func (q *query) String() string { return strings.Join(q.conditions, " AND ") }

func texts[S ~string](values []S) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = storable(string(v))
	}
	return list
}

func ids(values []uuid.UUID) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.String()
	}
	return list
}

// between demands a time from one instant on and before another; the zero time is no bound.
func (q *query) between(column string, from, to time.Time) {
	if !from.IsZero() {
		q.where(column+" >= %s", from)
	}
	if !to.IsZero() {
		q.where(column+" < %s", to)
	}
}
