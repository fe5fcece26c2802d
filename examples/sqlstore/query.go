package sqlstore

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// query holds conditions, which must all be true, and their arguments.
type query struct {
	dialect    dialect
	conditions []string
	args       []any
}

// parameter adds an argument and returns its parameter, such as $3.
func (q *query) parameter(value any) string {
	q.args = append(q.args, value)
	return "$" + strconv.Itoa(len(q.args))
}

// where adds a condition. Each %s in it becomes the parameter of one of the values.
func (q *query) where(condition string, values ...any) {
	parameters := make([]any, len(values))
	for i, v := range values {
		parameters[i] = q.parameter(argument(v))
	}
	q.conditions = append(q.conditions, fmt.Sprintf(condition, parameters...))
}

// match adds the condition that a column has a value, unless it is the zero value.
func (q *query) match(column string, value any) {
	if !reflect.ValueOf(value).IsZero() {
		q.where(column+" = %s", value)
	}
}

// matchAny adds the condition that a column has one of the values, unless there are none. It compares a single value with =, so
// that an index that begins with the column can serve the order.
func matchAny[S ~string](q *query, column string, values []S) {
	if len(values) == 1 {
		q.where(column+" = %s", values[0])
		return
	}
	if len(values) > 1 {
		q.conditions = append(q.conditions, q.dialect.inList(column, q.parameter(q.dialect.list(texts(values)))))
	}
}

// contains adds the condition that a column in lower case contains a text, ignoring case.
func (q *query) contains(column, text string) {
	if text != "" {
		q.conditions = append(q.conditions, q.dialect.contains(column, q.parameter(validText(strings.ToLower(text)))))
	}
}

// owner adds the condition that the server is the reseller's own ("own") or a provider's ("provider").
func (q *query) owner(owner string) {
	switch owner {
	case "own":
		q.where("NOT at_provider")
	case "provider":
		q.where("at_provider")
	}
}

// between adds the condition that a time is not before from, and before to. A zero time is no bound.
func (q *query) between(column string, from, to time.Time) {
	if !from.IsZero() {
		q.where(column+" >= %s", from)
	}
	if !to.IsZero() {
		q.where(column+" < %s", to)
	}
}

// String returns the conditions as they follow WHERE.
func (q *query) String() string { return strings.Join(q.conditions, " AND ") }

func texts[S ~string](values []S) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = validText(string(v))
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
