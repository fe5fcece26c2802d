package mailtext

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Schema describes the payloads of one kind of mail by a sample. NewSchema makes one.
type Schema struct {
	data   json.RawMessage
	sample map[string]any
}

// Variable is a variable that the templates of a Schema may name.
type Variable struct {
	Name    string // ".server_name"; ".lines[].paid" is .paid inside a range over .lines
	Type    string // "a text", "a number", "yes or no", "a list", "an object"; "nothing" for null
	Example string // the value in the sample; "" for a list, an object and null
}

// NewSchema makes a Schema of a sample: a payload in which every field is set. A sample that does not encode to a JSON
// object is ErrInvalid.
func NewSchema(sample any) (*Schema, error) {
	data, err := MarshalPayload(sample)
	if err != nil {
		return nil, err
	}
	fields, err := decodeObject(data)
	if err != nil {
		return nil, err
	}
	return &Schema{data, fields}, nil
}

// Sample returns a copy of the sample as JSON.
func (s *Schema) Sample() json.RawMessage { return slices.Clone(s.data) }

// Payload decodes a payload of this kind. Fields that it lacks get the zero value of their type in the sample. A payload
// that is not a JSON object, or has a field of another type than the sample, is ErrInvalid.
func (s *Schema) Payload(data []byte) (Payload, error) {
	fields, err := decodeObject(data)
	if err != nil {
		return Payload{}, err
	}
	completed, err := complete("payload", s.sample, fields)
	if err != nil {
		return Payload{}, err
	}
	return Payload{completed.(map[string]any)}, nil
}

// Variables lists the variables that templates of this kind may name. It sorts them by name; the fields of an object or a
// list follow it.
func (s *Schema) Variables() []Variable { return variables("", s.sample) }

func variables(path string, object map[string]any) []Variable {
	var list []Variable
	for _, name := range fieldNames(object) {
		v := Variable{Name: path + "." + name, Type: typeName(object[name])}
		var fields []Variable
		switch value := object[name].(type) {
		case map[string]any:
			fields = variables(v.Name, value)
		case []any:
			if len(value) > 0 {
				if item, ok := value[0].(map[string]any); ok {
					fields = variables(v.Name+"[]", item)
				}
			}
		case string, bool, int64, json.Number:
			v.Example = fmt.Sprint(value)
		}
		list = append(append(list, v), fields...)
	}
	return list
}

// fieldNames returns the names of an object's fields, sorted.
func fieldNames(object map[string]any) []string {
	return slices.Sorted(maps.Keys(object))
}
