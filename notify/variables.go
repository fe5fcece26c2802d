package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// decode reads a payload. Whole numbers become int64, so that they compare with those in templates; others stay as they
// are written.
func decode(data []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("%w: the payload is not a JSON object: %w", ErrInvalid, err)
	}
	if object == nil {
		return nil, fmt.Errorf("%w: the payload is null: a JSON object is wanted", ErrInvalid)
	}
	return whole(object).(map[string]any), nil
}

func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			v[name] = whole(field)
		}
	case []any:
		for i, item := range v {
			v[i] = whole(item)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
	}
	return v
}

// variables are an event's payload, with what its sample has and it has not: a field that was left out for being empty is
// empty. A field of another type than the sample's is ErrInvalid.
func (k *kind) variables(data []byte) (map[string]any, error) {
	payload, err := decode(data)
	if err != nil {
		return nil, err
	}
	completed, err := complete("payload", k.sample, payload)
	if err != nil {
		return nil, err
	}
	return completed.(map[string]any), nil
}

func complete(name string, sample, v any) (any, error) {
	if v == nil {
		return empty(sample), nil
	}
	if sample != nil && typeName(sample) != typeName(v) {
		return nil, fmt.Errorf("%w: %s is %s, in the kind's sample it is %s", ErrInvalid, name, typeName(v), typeName(sample))
	}
	var err error
	switch v := v.(type) {
	case map[string]any:
		fields, _ := sample.(map[string]any)
		for field, like := range fields {
			if v[field], err = complete(name+"."+field, like, v[field]); err != nil {
				return nil, err
			}
		}
	case []any:
		items, _ := sample.([]any)
		for i := range v {
			if len(items) > 0 {
				if v[i], err = complete(name, items[0], v[i]); err != nil {
					return nil, err
				}
			}
		}
	}
	return v, nil
}

// empty is the zero value of the sample's type.
func empty(sample any) any {
	switch sample := sample.(type) {
	case map[string]any:
		fields := map[string]any{}
		for name, field := range sample {
			fields[name] = empty(field)
		}
		return fields
	case []any:
		return []any{}
	case bool:
		return false
	case int64, json.Number:
		return int64(0)
	}
	return ""
}

func typeName(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case bool:
		return "yes or no"
	case int64, json.Number:
		return "a number"
	case string:
		return "a text"
	}
	return "nothing"
}

// names of an object's fields, sorted.
func names(object map[string]any) []string {
	return slices.Sorted(maps.Keys(object))
}
