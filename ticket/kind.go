package ticket

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/metalkeep/metalkeep/internal/text"
)

// Kind says what is asked for. A host registers kinds of its own in Config.Kinds; a kind in the store that is registered
// no more is still shown, as its name.
type Kind string

// The built-in kinds.
const (
	Reboot           Kind = "reboot"
	ExtraIPs         Kind = "extra_ips"
	Upgrade          Kind = "upgrade"
	Reinstall        Kind = "reinstall"
	CancelAtProvider Kind = "cancel_at_provider" // for a provider's server alone
	Other            Kind = "other"
)

// KindSpec declares a kind's form, so that any frontend can draw it and the library validates what comes back. Its JSON
// is what a frontend gets.
type KindSpec struct {
	Kind   Kind    `json:"kind"`   // lower-case letters, digits and underscores
	Label  string  `json:"label"`  // for people, one line; clients and providers read it
	Fields []Field `json:"fields"` // in the order of the form, MaxFields at the most
	Unique bool    `json:"unique"` // one open ticket of the kind per server
}

// Field is one field of a form.
type Field struct {
	Name     string   `json:"name"`              // lower-case letters, digits and underscores; unique in the form
	Label    string   `json:"label"`             // for people, one line
	Type     string   `json:"type"`              // one of the Type constants
	Required bool     `json:"required"`          // must be given, and not be blank
	Min      int64    `json:"min,omitempty"`     // characters of a text, value of an integer
	Max      int64    `json:"max,omitempty"`     // likewise; Min and Max both 0: bounded by the library's limits alone
	Choices  []string `json:"choices,omitempty"` // of a choice, one line each
}

// The types of fields, with the JSON that a Form holds for each.
const (
	TypeText     = "text"      // a string of one line
	TypeLongText = "long_text" // a string of several lines
	TypeInteger  = "integer"   // a number without a fraction
	TypeChoice   = "choice"    // a string that is one of Choices
	TypeDateTime = "datetime"  // a string, RFC 3339 section 5.6; stored in UTC, to the microsecond
	TypeBool     = "bool"      // true or false
)

// BuiltInKinds are the kinds that every Manager knows. None of their fields is required: the text may say it all. A spec
// in Config.Kinds takes the place of a built-in one of the same Kind.
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

// Bounds of a spec.
const (
	MaxFields  = 50
	MaxChoices = 200
	MaxLabel   = 200 // bytes of UTF-8
)

var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Validate returns an *Error that names everything that is wrong with the spec, or nil.
func (k KindSpec) Validate() error {
	if e := wrong("KindSpec", k.faults()); e != nil {
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
		add("Kind", "%.64q: a lower-case letter, then lower-case letters, digits and underscores, 64 at the most", k.Kind)
	}
	if err := text.Filled("Label", k.Label, MaxLabel); err != nil {
		add("Label", "%v", err)
	}
	if len(k.Fields) > MaxFields {
		add("Fields", "%d of them, at most %d are allowed", len(k.Fields), MaxFields)
		return found
	}
	names := map[string]bool{}
	for n, f := range k.Fields {
		at := fmt.Sprintf("Fields[%d].", n)
		if names[f.Name] {
			add(at+"Name", "%q is there already", f.Name)
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
		add("Name", "%.64q: a lower-case letter, then lower-case letters, digits and underscores, 64 at the most", f.Name)
	}
	if err := text.Filled("Label", f.Label, MaxLabel); err != nil {
		add("Label", "%v", err)
	}
	check, ok := types[f.Type]
	if !ok {
		add("Type", "%.20q is none of text, long_text, integer, choice, datetime, bool", f.Type)
		return found
	}
	switch {
	case f.Min > f.Max:
		add("Max", "%d is less than the minimum %d", f.Max, f.Min)
	case !check.bounded && (f.Min != 0 || f.Max != 0):
		add("Max", "a %s has no bounds", f.Type)
	case check.limit > 0 && (f.Min < 0 || f.Max > check.limit):
		add("Max", "%d to %d: a %s has 0 to %d characters", f.Min, f.Max, f.Type, check.limit)
	}
	if (f.Type == TypeChoice) != (len(f.Choices) > 0) || len(f.Choices) > MaxChoices {
		add("Choices", "%d of them: a choice has 1 to %d, other types none", len(f.Choices), MaxChoices)
		return found
	}
	for n, c := range f.Choices {
		if err := text.Filled("a choice", c, MaxLabel); err != nil {
			add("Choices", "number %d: %v", n+1, err)
		} else if slices.Contains(f.Choices[:n], c) {
			add("Choices", "%q is there twice", c)
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

// catalog keeps the registered kinds in the order in which forms are offered: the built-in ones, then the host's.
type catalog struct {
	order []Kind
	specs map[Kind]KindSpec
}

func newCatalog(own []KindSpec) (*catalog, error) {
	c := &catalog{specs: map[Kind]KindSpec{}}
	for _, k := range BuiltInKinds() {
		c.order = append(c.order, k.Kind)
		c.specs[k.Kind] = k
	}
	seen := map[Kind]bool{}
	var found []FieldError
	for n, k := range own {
		at := fmt.Sprintf("Config.Kinds[%d].", n)
		for _, e := range k.faults() {
			found = append(found, FieldError{at + e.Field, e.Msg})
		}
		if seen[k.Kind] {
			found = append(found, FieldError{at + "Kind", fmt.Sprintf("%q is there already", k.Kind)})
		}
		seen[k.Kind] = true
		if _, builtIn := c.specs[k.Kind]; !builtIn {
			c.order = append(c.order, k.Kind)
		}
		c.specs[k.Kind] = k.clone()
	}
	if e := wrong("New", found); e != nil {
		return nil, e
	}
	return c, nil
}

// label is the kind for people; of a kind that is registered no more, its name.
func (c *catalog) label(k Kind) string {
	if spec, ok := c.specs[k]; ok {
		return spec.Label
	}
	return text.Clean(string(k), MaxLabel)
}
