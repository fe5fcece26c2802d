package notify_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// payload is the payload of every kind in these tests.
type payload struct {
	Server   string  `json:"server"`
	Days     int     `json:"days"`
	Amount   string  `json:"amount"`
	At       string  `json:"at"`
	Note     string  `json:"note,omitempty"`
	Provider string  `json:"provider,omitempty"`
	Last     bool    `json:"last,omitempty"`
	Lines    []line  `json:"lines,omitempty"`
	Contact  contact `json:"contact"`
}

type line struct {
	Label string `json:"label"`
	Paid  string `json:"paid"`
}

type contact struct {
	Name string `json:"name"`
}

func sample() payload {
	return payload{
		Server: "web1", Days: 3, Amount: "12.50", At: "2026-03-01T13:30:00Z", Note: "n", Provider: "Upstream", Last: true,
		Lines: []line{{"rent", "10.00"}, {"IPs", "2.50"}}, Contact: contact{"Ada"},
	}
}

// spec returns the spec of the kind "test.warned", whose audience is the client.
func spec() notify.Spec {
	return notify.Spec{
		Kind: "test.warned", Audience: notify.ToClient, Group: "tests", Description: "Somebody is warned.", Sample: sample(),
		Subject: map[string]string{"en": "{{.server}} ends in {{.days}} {{plural .days `day` `days`}}", "de": "{{.server}} endet"},
		Text:    map[string]string{"en": "On {{date .at}}: {{.note}}", "de": "Am {{date .at}}"},
		HTML:    map[string]string{"en": "<p>{{.server}}</p>"},
	}
}

// specWith returns a changed spec().
func specWith(change func(*notify.Spec)) notify.Spec {
	s := spec()
	change(&s)
	return s
}

func newCatalog(t *testing.T, specs ...notify.Spec) *notify.Catalog {
	t.Helper()
	if len(specs) == 0 {
		specs = []notify.Spec{spec()}
	}
	c, err := notify.NewCatalog(specs)
	require.NoError(t, err)
	return c
}

func TestNewCatalogRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		specs []notify.Spec
		says  string
	}{
		"twice":         {[]notify.Spec{spec(), spec()}, `kind "test.warned": invalid: two specs have this kind`},
		"no name":       {[]notify.Spec{specWith(func(s *notify.Spec) { s.Kind = "" })}, "the name is empty"},
		"line break":    {[]notify.Spec{specWith(func(s *notify.Spec) { s.Kind = "a\nb" })}, "the name has the character U+000A"},
		"no audience":   {[]notify.Spec{specWith(func(s *notify.Spec) { s.Audience = 0 })}, "audience 0 does not exist"},
		"bad audience":  {[]notify.Spec{specWith(func(s *notify.Spec) { s.Audience = 9 })}, "audience 9 does not exist"},
		"no sample":     {[]notify.Spec{specWith(func(s *notify.Spec) { s.Sample = nil })}, "it must be a JSON object"},
		"bad sample":    {[]notify.Spec{specWith(func(s *notify.Spec) { s.Sample = make(chan int) })}, "cannot be encoded as JSON"},
		"no English":    {[]notify.Spec{specWith(func(s *notify.Spec) { delete(s.Text, "en") })}, "it has no English text"},
		"no subject":    {[]notify.Spec{specWith(func(s *notify.Spec) { delete(s.Subject, "de") })}, `in "de" lack the subject or the text`},
		"HTML alone":    {[]notify.Spec{specWith(func(s *notify.Spec) { s.HTML["fr"] = "<p>" })}, `in "fr" lack the subject or the text`},
		"bad language":  {[]notify.Spec{specWith(func(s *notify.Spec) { s.Text["pt_br"] = "x" })}, `in the language "pt_br"; use a language tag`},
		"bad variable":  {[]notify.Spec{specWith(func(s *notify.Spec) { s.HTML["en"] = "{{.servr}}" })}, "there is no .servr"},
		"does not run":  {[]notify.Spec{specWith(func(s *notify.Spec) { s.Text["de"] = "{{len .days}}" })}, "len of type int64"},
		"does not open": {[]notify.Spec{specWith(func(s *notify.Spec) { s.Text["de"] = "{{if .last}}" })}, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := notify.NewCatalog(nil, tt.specs)
			require.ErrorIs(t, err, notify.ErrInvalid)
			assert.ErrorContains(t, err, tt.says)
		})
	}
	_, err := notify.NewCatalog(
		[]notify.Spec{specWith(func(s *notify.Spec) { s.Kind, s.Audience = "first", 0 })},
		[]notify.Spec{specWith(func(s *notify.Spec) { s.Kind, s.Sample = "second", nil })})
	require.ErrorContains(t, err, `kind "first"`)
	require.ErrorContains(t, err, `kind "second"`, "the error names every invalid spec")
}

func TestCatalogListsItsKinds(t *testing.T) {
	t.Parallel()
	plugin := notify.Spec{Kind: "test.host", Audience: notify.ToHost, Sample: struct{}{}}
	c := newCatalog(t, plugin, spec())
	specs := c.Specs()
	require.Len(t, specs, 2)
	assert.Equal(t, []notify.Spec{plugin, spec()}, specs)
	specs[1].Subject["en"] = "overwritten"
	assert.Equal(t, spec(), c.Specs()[1])
	assert.Empty(t, new(notify.Catalog).Specs())
	assert.Equal(t, []string{"client", "reseller", "provider", "host", "audience 0"}, []string{
		notify.ToClient.String(), notify.ToReseller.String(), notify.ToProvider.String(), notify.ToHost.String(),
		notify.Audience(0).String(),
	})
}

func TestPreview(t *testing.T) {
	t.Parallel()
	c := newCatalog(t)
	m, err := c.Preview(notify.Text{
		Kind: "test.warned", Locale: "de_at", Subject: " {{.server}}: {{.contact.name}} ",
		Text: "{{range $i, $l := .lines}}{{if $i}}, {{end}}{{$l.label}} {{.paid}}{{end}}; {{datetime .at}}; {{.amount}}; {{$.days}}; " +
			"{{if and (gt .days 1) (eq .server `web1`)}}yes{{else}}{{.note}}{{end}}; {{(index .lines 0).label}}; {{with .contact}}{{.name}}{{end}}",
		HTML: `<a title="{{.server}}">{{len .lines}}</a>`,
	})
	require.NoError(t, err)
	assert.Equal(t, "de-AT", m.Locale)
	assert.Equal(t, "web1: Ada", m.Subject)
	assert.Equal(t, "rent 10.00, IPs 2.50; 2026-03-01 13:30 UTC; 12.50; 3; yes; rent; Ada", m.Text)
	assert.Equal(t, `<a title="web1">2</a>`, m.HTML)
	assert.Equal(t, notify.ToClient, m.To.Audience)
	assert.JSONEq(t, `"web1"`, string(m.Data[len(`{"server":`):][:6]))

	m, err = c.Preview(notify.Text{Kind: "test.warned", Subject: "s", Text: "t"})
	require.NoError(t, err)
	assert.Equal(t, "en", m.Locale)
	assert.Empty(t, m.HTML)
}
