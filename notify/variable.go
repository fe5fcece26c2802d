package notify

import (
	"encoding/json"
	"fmt"
)

// Variable is what a text of a kind may name.
type Variable struct {
	Name    string // ".server_name"; ".lines[].paid" is .paid within a range over .lines
	Type    string // "a text", "a number", "yes or no", "a list", "an object"
	Example string // the sample's value; "" for a list and an object
}

// Variables lists what the texts of a kind may name, for an editor and for documentation, by name. A sample that is not a
// JSON object is ErrInvalid.
func (s Spec) Variables() ([]Variable, error) {
	data, err := marshalObject(s.Sample)
	if err != nil {
		return nil, fmt.Errorf("kind %q: %w", s.Kind, err)
	}
	sample, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("kind %q: %w", s.Kind, err)
	}
	return variablesOf("", sample), nil
}

func variablesOf(path string, object map[string]any) []Variable {
	var list []Variable
	for _, name := range names(object) {
		v := Variable{Name: path + "." + name, Type: typeName(object[name])}
		var within []Variable
		switch value := object[name].(type) {
		case map[string]any:
			within = variablesOf(v.Name, value)
		case []any:
			if len(value) > 0 {
				if item, ok := value[0].(map[string]any); ok {
					within = variablesOf(v.Name+"[]", item)
				}
			}
		case string, bool, int64, json.Number:
			v.Example = fmt.Sprint(value)
		}
		list = append(append(list, v), within...)
	}
	return list
}
