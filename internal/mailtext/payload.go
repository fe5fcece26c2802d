package mailtext

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// Payload is a decoded JSON object. Its fields are the variables of a template.
type Payload struct{ fields map[string]any }

// MarshalPayload encodes a payload. A value that does not encode to a JSON object is ErrInvalid.
func MarshalPayload(payload any) (json.RawMessage, error) {
	data, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: the payload %T cannot be encoded as JSON: %w", fault.ErrInvalid, payload, err)
	}
	if len(data) == 0 || data[0] != '{' {
		return nil, fmt.Errorf("%w: the payload %T is %.40s in JSON; it must be a JSON object", fault.ErrInvalid, payload, data)
	}
	return data, nil
}

// decodeObject reads a JSON object. A whole number becomes an int64, which templates can compare with their own numbers. Any
// other number stays a json.Number, which prints as it was written.
func decodeObject(data []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("%w: the payload is not a JSON object: %w", fault.ErrInvalid, err)
	}
	if object == nil {
		return nil, fmt.Errorf("%w: the payload is null; it must be a JSON object", fault.ErrInvalid)
	}
	return convertNumbers(object).(map[string]any), nil
}

// convertNumbers replaces each whole json.Number within v by an int64.
func convertNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			v[name] = convertNumbers(field)
		}
	case []any:
		for i, item := range v {
			v[i] = convertNumbers(item)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
	}
	return v
}

// complete adds to v every field that the sample has and v lacks, as a zero value: JSON leaves empty fields out. A field of
// another type than in the sample is ErrInvalid.
func complete(name string, sample, v any) (any, error) {
	if v == nil {
		return zeroOf(sample), nil
	}
	if sample != nil && typeName(sample) != typeName(v) {
		return nil, fmt.Errorf("%w: %s is %s; in the sample of this kind it is %s", fault.ErrInvalid, name, typeName(v), typeName(sample))
	}
	var err error
	switch v := v.(type) {
	case map[string]any:
		fields, _ := sample.(map[string]any)
		for field, example := range fields {
			if v[field], err = complete(name+"."+field, example, v[field]); err != nil {
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

// zeroOf returns the zero value of the sample's type.
func zeroOf(sample any) any {
	switch sample := sample.(type) {
	case map[string]any:
		fields := map[string]any{}
		for name, field := range sample {
			fields[name] = zeroOf(field)
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

// typeName names the JSON type of a value in words for a person.
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
