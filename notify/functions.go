package notify

import (
	"fmt"
	"time"
)

// functions are those that texts have of their own. Payloads write times as RFC 3339.
func functions(loc *time.Location) map[string]any {
	if loc == nil {
		loc = time.UTC
	}
	return map[string]any{
		"date":     func(s string) (string, error) { return formatTime(s, loc, time.DateOnly) },
		"datetime": func(s string) (string, error) { return formatTime(s, loc, "2006-01-02 15:04 MST") },
		"plural":   plural,
	}
}

// formatTime leaves an empty time empty.
func formatTime(s string, loc *time.Location, layout string) (string, error) {
	if s == "" {
		return "", nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return "", fmt.Errorf("%q is not a time such as 2026-03-01T14:30:00Z", s)
	}
	return t.In(loc).Format(layout), nil
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// builtins are the functions of text/template that texts may call: none that builds a string, which could be made to grow
// without end. What stands here is compared by name alone.
func builtins() map[string]any {
	allowed := map[string]any{}
	for _, name := range []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index"} {
		allowed[name] = name
	}
	return allowed
}
