package notify

import (
	"encoding/json"
	"fmt"
	"maps"
)

// Variable is what a text of a kind may name.
type Variable struct {
	Name    string // ".server_name"; ".lines[].paid" is .paid within a range over .lines
	Type    string // "a text", "a number", "yes or no", "a list", "an object"
	Example string // the sample's value; "" for a list and an object
	Meaning string // for who edits the text; "": Spec.Meanings does not say
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
	list := variablesOf("", sample)
	for i := range list {
		list[i].Meaning = s.Meanings[list[i].Name]
	}
	return list, nil
}

// Explain returns the specs with what their variables mean, by the variables' names: each gets the meanings of those that it
// has, beside those that it says itself. It changes none of its arguments. A spec whose sample is wrong is left to
// NewCatalog.
func Explain(specs []Spec, meanings map[string]string) []Spec {
	var explained []Spec
	for _, s := range specs {
		s = s.clone()
		own := s.Meanings
		s.Meanings = map[string]string{}
		list, _ := s.Variables() // none where the sample is wrong
		for _, v := range list {
			if meaning, ok := meanings[v.Name]; ok {
				s.Meanings[v.Name] = meaning
			}
		}
		maps.Copy(s.Meanings, own)
		explained = append(explained, s)
	}
	return explained
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
