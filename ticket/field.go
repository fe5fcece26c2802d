package ticket

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// fieldType is how values of one type are checked.
type fieldType struct {
	bounded bool  // the type takes Min and Max
	limit   int64 // the most characters if Max is 0; 0: the type is not a text
	// read checks a value and returns it as it is stored; nil: it is blank.
	read func(f Field, raw json.RawMessage) (any, error)
}

var fieldTypes = map[string]fieldType{
	TypeText:     {bounded: true, limit: MaxSubject, read: readText},
	TypeLongText: {bounded: true, limit: MaxText, read: readText},
	TypeInteger:  {bounded: true, read: readInteger},
	TypeChoice:   {read: readChoice},
	TypeDateTime: {read: readDateTime},
	TypeBool:     {read: readBool},
}

// check checks the values of a form and returns them as they are stored, together with everything that is wrong. Of values for
// fields that the form does not have, it names the first MaxFields.
func (k KindSpec) check(values map[string]json.RawMessage) (map[string]json.RawMessage, []FieldError) {
	stored := map[string]json.RawMessage{}
	var found []FieldError
	names := map[string]bool{}
	for _, f := range k.Fields {
		names[f.Name] = true
		value, err := f.check(values[f.Name])
		switch {
		case err != nil:
			found = append(found, FieldError{"Fields." + f.Name, err.Error()})
		case value != nil:
			stored[f.Name] = value
		}
	}
	for _, name := range unknownNames(values, names) {
		found = append(found, FieldError{"Fields." + text.Clean(name, 64), fmt.Sprintf("the form of %s has no such field", k.Kind)})
	}
	if len(stored) == 0 {
		stored = nil
	}
	return stored, found
}

// unknownNames returns the sorted names of values for which the form has no field, at most MaxFields, so that the error stays
// short.
func unknownNames(values map[string]json.RawMessage, form map[string]bool) []string {
	var names []string
	for name := range values {
		if !form[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), MaxFields)]
}

// maxRaw is the most bytes of a value before it is parsed: the longest text with every byte escaped.
const maxRaw = 6*MaxText + 2

func (f Field) check(raw json.RawMessage) (json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > maxRaw {
		return nil, fmt.Errorf("%d bytes, at most %d are allowed", len(raw), maxRaw)
	}
	var value any
	if len(raw) > 0 && !bytes.Equal(raw, []byte("null")) {
		var err error
		if value, err = fieldTypes[f.Type].read(f, raw); err != nil {
			return nil, err
		}
	}
	if value == nil {
		if f.Required {
			return nil, fmt.Errorf("missing: %s is required", f.Label)
		}
		return nil, nil
	}
	return json.Marshal(value)
}

func readString(f Field, raw json.RawMessage) (string, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("expected a JSON string for a %s", f.Type)
	}
	return s, nil
}

func readText(f Field, raw json.RawMessage) (any, error) {
	s, err := readString(f, raw)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	check, limit := text.CheckLine, int64(MaxSubject)
	if f.Type == TypeLongText {
		check, limit = text.CheckBlock, MaxText
	}
	if err := check("the text", s, int(limit)*utf8.UTFMax); err != nil {
		return nil, err
	}
	if f.Max > 0 {
		limit = f.Max
	}
	if n := int64(utf8.RuneCountInString(s)); n < f.Min || n > limit {
		return nil, fmt.Errorf("%d characters, expected %d to %d", n, f.Min, limit)
	}
	return s, nil
}

func readInteger(f Field, raw json.RawMessage) (any, error) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || !json.Valid(raw) {
		return nil, fmt.Errorf("expected a JSON number without a fraction, within 64 bits")
	}
	if (f.Min != 0 || f.Max != 0) && (n < f.Min || n > f.Max) {
		return nil, fmt.Errorf("%d, expected %d to %d", n, f.Min, f.Max)
	}
	return n, nil
}

func readChoice(f Field, raw json.RawMessage) (any, error) {
	s, err := readString(f, raw)
	if err != nil || s == "" {
		return nil, err
	}
	if !slices.Contains(f.Choices, s) {
		return nil, fmt.Errorf("%.40q, expected one of %s", s, quoted(f.Choices))
	}
	return s, nil
}

// quoted lists the first ten choices for an error.
func quoted(choices []string) string {
	shown := make([]string, 0, len(choices))
	for n, c := range choices {
		if n == 10 {
			shown = append(shown, "…")
			break
		}
		shown = append(shown, strconv.Quote(c))
	}
	return strings.Join(shown, ", ")
}

func readDateTime(f Field, raw json.RawMessage) (any, error) {
	s, err := readString(f, raw)
	if err != nil || s == "" {
		return nil, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if t = zone.Instant(t); err != nil || t.Year() < 1 || t.Year() > 9999 {
		return nil, fmt.Errorf("%.40q, expected a date and time such as 2026-11-24T09:30:00Z", s)
	}
	return t.Format(time.RFC3339Nano), nil
}

func readBool(_ Field, raw json.RawMessage) (any, error) {
	var b bool
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("expected true or false")
	}
	return b, nil
}
