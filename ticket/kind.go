package ticket

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/metalkeep/metalkeep/internal/text"
)

// Kind is the kind of a request. A host registers kinds of its own in Config.Kinds. A stored ticket of a kind that is no longer
// registered keeps it; its label is then the name of the kind.
type Kind string

// The built-in kinds.
const (
	Reboot           Kind = "reboot"
	ExtraIPs         Kind = "extra_ips"
	Upgrade          Kind = "upgrade"
	Reinstall        Kind = "reinstall"
	CancelAtProvider Kind = "cancel_at_provider" // only for a server that a provider owns
	Other            Kind = "other"
)

// KindSpec declares the form of a kind, so that any frontend can draw it and the library can check the answers. A frontend may get
// it as JSON.
type KindSpec struct {
	Kind   Kind    `json:"kind"`   // lower-case letters, digits and underscores
	Label  string  `json:"label"`  // for people, one line, at most MaxLabel bytes; clients and providers read it
	Fields []Field `json:"fields"` // in the order of the form, at most MaxFields
	Unique bool    `json:"unique"` // at most one ticket of the kind may be open for each assignment of a server
}

// Field is one field of a form.
type Field struct {
	Name     string   `json:"name"`              // lower-case letters, digits and underscores; unique in the form
	Label    string   `json:"label"`             // for people, one line, at most MaxLabel bytes
	Type     string   `json:"type"`              // one of the Type constants
	Required bool     `json:"required"`          // the value must be given and not blank
	Min      int64    `json:"min,omitempty"`     // the fewest characters of a text, the least value of an integer
	Max      int64    `json:"max,omitempty"`     // the most; if Min and Max are both 0, only the library's own limits apply
	Choices  []string `json:"choices,omitempty"` // of a choice: one line each, at most MaxChoices
}

// The types of fields, and the JSON value that a Form has for each.
const (
	TypeText     = "text"      // a string of one line
	TypeLongText = "long_text" // a string of several lines
	TypeInteger  = "integer"   // a number without a fraction
	TypeChoice   = "choice"    // a string that is one of Choices
	TypeDateTime = "datetime"  // a string, RFC 3339 section 5.6; stored in UTC, to the microsecond
	TypeBool     = "bool"      // true or false
)

// BuiltInKinds returns the kinds that every Manager has. All their fields are optional, because the text may say the same. A spec
// in Config.Kinds replaces a built-in one of the same Kind.
func BuiltInKinds() []KindSpec {
	return []KindSpec{
		{Kind: Reboot, Label: "Reboot", Unique: true, Fields: []Field{
			{Name: "method", Label: "Method", Type: TypeChoice, Choices: []string{"soft", "hard"}},
			{Name: "at", Label: "Not before", Type: TypeDateTime},
		}},
		{Kind: ExtraIPs, Label: "Additional IP addresses", Fields: []Field{
			{Name: "count", Label: "How many", Type: TypeInteger, Min: 1, Max: 256},
			{Name: "version", Label: "Version", Type: TypeChoice, Choices: []string{"IPv4", "IPv6"}},
			{Name: "purpose", Label: "Purpose", Type: TypeLongText},
		}},
		{Kind: Upgrade, Label: "Upgrade", Fields: []Field{
			{Name: "part", Label: "What to upgrade", Type: TypeChoice, Choices: []string{"memory", "disk", "processor", "network", "other"}},
			{Name: "details", Label: "Details", Type: TypeLongText},
			{Name: "at", Label: "Not before", Type: TypeDateTime},
		}},
		{Kind: Reinstall, Label: "Reinstallation", Unique: true, Fields: []Field{
			{Name: "system", Label: "Operating system", Type: TypeText},
			{Name: "wipe", Label: "Erase all data", Type: TypeBool},
			{Name: "at", Label: "Not before", Type: TypeDateTime},
		}},
		{Kind: CancelAtProvider, Label: "Cancellation of the server", Unique: true, Fields: []Field{
			{Name: "at", Label: "As of", Type: TypeDateTime},
			{Name: "reason", Label: "Reason", Type: TypeLongText},
		}},
		{Kind: Other, Label: "Other request"},
	}
}

// The bounds of a spec.
const (
	MaxFields  = 50  // fields of a form
	MaxChoices = 200 // choices of a field
	MaxLabel   = 200 // bytes of UTF-8 in a label or a choice
)

var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Validate returns an *Error that names everything that is wrong with the spec, or nil.
func (k KindSpec) Validate() error {
	if e := invalidFields(opKindSpec, k.faults()); e != nil {
		return e
	}
	return nil
}

func (k KindSpec) faults() []FieldError {
	var found []FieldError
	add := func(field, format string, args ...any) {
		found = append(found, FieldError{field, fmt.Sprintf(format, args...)})
	}
	if !identifier.MatchString(string(k.Kind)) {
		add("Kind", "%.64q: want a lower-case letter, then lower-case letters, digits and underscores, at most 64 in all", k.Kind)
	}
	if err := text.CheckFilled("Label", k.Label, MaxLabel); err != nil {
		add("Label", "%v", err)
	}
	if len(k.Fields) > MaxFields {
		add("Fields", "%d fields, at most %d are allowed", len(k.Fields), MaxFields)
		return found
	}
	names := map[string]bool{}
	for n, f := range k.Fields {
		at := fmt.Sprintf("Fields[%d].", n)
		if names[f.Name] {
			add(at+"Name", "another field has the name %q", f.Name)
		}
		names[f.Name] = true
		for _, e := range f.faults() {
			found = append(found, FieldError{at + e.Field, e.Msg})
		}
	}
	return found
}

func (f Field) faults() []FieldError {
	var found []FieldError
	add := func(field, format string, args ...any) {
		found = append(found, FieldError{field, fmt.Sprintf(format, args...)})
	}
	if !identifier.MatchString(f.Name) {
		add("Name", "%.64q: want a lower-case letter, then lower-case letters, digits and underscores, at most 64 in all", f.Name)
	}
	if err := text.CheckFilled("Label", f.Label, MaxLabel); err != nil {
		add("Label", "%v", err)
	}
	check, ok := fieldTypes[f.Type]
	if !ok {
		add("Type", "%.20q: want text, long_text, integer, choice, datetime or bool", f.Type)
		return found
	}
	switch {
	case f.Min > f.Max:
		add("Max", "%d is less than the minimum %d", f.Max, f.Min)
	case !check.bounded && (f.Min != 0 || f.Max != 0):
		add("Max", "a %s takes no bounds", f.Type)
	case check.limit > 0 && (f.Min < 0 || f.Max > check.limit):
		add("Max", "%d to %d: a %s may have 0 to %d characters", f.Min, f.Max, f.Type, check.limit)
	}
	if (f.Type == TypeChoice) != (len(f.Choices) > 0) || len(f.Choices) > MaxChoices {
		add("Choices", "%d choices: a field of type choice has 1 to %d, other types have none", len(f.Choices), MaxChoices)
		return found
	}
	for n, c := range f.Choices {
		if err := text.CheckFilled("a choice", c, MaxLabel); err != nil {
			add("Choices", "choice %d: %v", n+1, err)
		} else if slices.Contains(f.Choices[:n], c) {
			add("Choices", "%q appears twice", c)
		}
	}
	return found
}

func (k KindSpec) clone() KindSpec {
	fields := make([]Field, len(k.Fields))
	for i, f := range k.Fields {
		f.Choices = slices.Clone(f.Choices)
		fields[i] = f
	}
	k.Fields = fields
	return k
}

// catalog has the registered kinds.
type catalog struct {
	sequence []Kind // in which Forms returns them: the built-in ones, then the host's
	specs    map[Kind]KindSpec
}

func newCatalog(own []KindSpec) (*catalog, error) {
	c := &catalog{specs: map[Kind]KindSpec{}}
	for _, k := range BuiltInKinds() {
		c.sequence = append(c.sequence, k.Kind)
		c.specs[k.Kind] = k
	}
	registered := map[Kind]bool{}
	var found []FieldError
	for n, k := range own {
		at := fmt.Sprintf("Config.Kinds[%d].", n)
		for _, e := range k.faults() {
			found = append(found, FieldError{at + e.Field, e.Msg})
		}
		if registered[k.Kind] {
			found = append(found, FieldError{at + "Kind", fmt.Sprintf("another spec has the kind %q", k.Kind)})
		}
		registered[k.Kind] = true
		if _, builtIn := c.specs[k.Kind]; !builtIn {
			c.sequence = append(c.sequence, k.Kind)
		}
		c.specs[k.Kind] = k.clone()
	}
	if e := invalidFields(opNew, found); e != nil {
		return nil, e
	}
	return c, nil
}

// label returns the label of a kind; of a kind that is no longer registered, its name.
func (c *catalog) label(k Kind) string {
	if spec, ok := c.specs[k]; ok {
		return spec.Label
	}
	return text.Clean(string(k), MaxLabel)
}
