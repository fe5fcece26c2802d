package notify_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	type want = notify.TextError
	for name, tt := range map[string]struct {
		change func(*notify.Text)
		want   want // Known and Reason are compared in part
	}{
		"unknown variable": {
			func(x *notify.Text) { x.Text = "Dear\n  ß {{.servr}}" },
			want{Part: "text", Line: 2, Column: 7, Variable: ".servr", Nearest: ".server", Reason: "there is no .servr (did you mean .server?); there are: amount, at"},
		},
		"in a branch not taken": {
			func(x *notify.Text) { x.HTML = "{{if not .last}}{{.contact.nme}}{{end}}" },
			want{Part: "html", Line: 1, Column: 27, Variable: ".contact.nme", Nearest: ".contact.name",
				Reason: "there is no .contact.nme (did you mean .contact.name?); there are: name"},
		},
		"in an else": {
			func(x *notify.Text) { x.Text = "{{if .last}}{{else}}{{.x}}{{end}}" },
			want{Part: "text", Line: 1, Column: 23, Variable: ".x", Reason: "there is no .x"},
		},
		"in a list": {
			func(x *notify.Text) { x.Text = "{{range .lines}}{{.server}}{{end}}" },
			want{Part: "text", Line: 1, Column: 19, Variable: ".server", Reason: "there is no .server; there are: label, paid"},
		},
		"of a variable": {
			func(x *notify.Text) { x.Text = "{{$c := .contact}}{{$c.age}}" },
			want{Part: "text", Line: 1, Column: 23, Variable: "$c.age", Reason: "there is no $c.age; there are: name"},
		},
		"in an argument": {
			func(x *notify.Text) { x.Text = "{{if (eq .days (len .x))}}{{end}}" },
			want{Part: "text", Line: 1, Column: 21, Variable: ".x", Reason: "there is no .x"},
		},
		"of the root": {
			func(x *notify.Text) { x.Text = "{{with .contact}}{{$.name}}{{end}}" },
			want{Part: "text", Line: 1, Column: 21, Variable: "$.name", Nearest: "$.note", Reason: "there is no $.name"},
		},
		"of a text": {
			func(x *notify.Text) { x.Text = "{{.server.name}}" },
			want{Part: "text", Line: 1, Column: 10, Variable: ".server.name", Reason: ".server is a text, which has no fields"},
		},
		"does not parse": {
			func(x *notify.Text) { x.Text = "a\nb {{.server}" },
			want{Part: "text", Line: 2, Column: 3, Reason: "bad character U+007D '}'"},
		},
		"the second of three does not parse": {
			func(x *notify.Text) { x.Text = "\nß {{.server}} {{.at)}} {{.days}}" },
			want{Part: "text", Line: 2, Column: 15, Reason: "unexpected right paren"},
		},
		"does not end": {
			func(x *notify.Text) { x.Text = "{{if .last}}\n{{.server}}" },
			want{Part: "text", Line: 2, Reason: "unexpected EOF"},
		},
		"not an amount": {
			func(x *notify.Text) { x.Text = "{{money .server `EUR`}}" },
			want{Part: "text", Line: 1, Column: 3, Reason: `"web1" is not an amount such as 12.50`},
		},
		"HTML does not end": {
			func(x *notify.Text) { x.HTML = "<p>\n<a href='{{.server}}" },
			want{Part: "html", Reason: "ends in a non-text context"},
		},
		"fails with the sample": {
			func(x *notify.Text) { x.Text = "{{date .server}}" },
			want{Part: "text", Line: 1, Column: 3, Reason: `"web1" is not a time such as`},
		},
		"function of strings": {
			func(x *notify.Text) { x.Text = "{{printf `%1000000d` 1}}" },
			want{Part: "text", Line: 1, Column: 1, Reason: `function "printf" not defined`},
		},
		"unknown function": {
			func(x *notify.Text) { x.Text = "\n{{dat .at}}" },
			want{Part: "text", Line: 2, Column: 1, Nearest: "date", Reason: `function "dat" not defined (did you mean date?)`},
		},
		"template defined": {
			func(x *notify.Text) { x.Text = "{{define `a`}}{{template `a`}}{{end}}" },
			want{Part: "text", Reason: "define and block are not allowed"},
		},
		"template called": {
			func(x *notify.Text) { x.Text = "x {{template `text`}}" },
			want{Part: "text", Line: 1, Column: 14, Reason: "is not allowed in a text"},
		},
		"range over a number": {
			func(x *notify.Text) { x.Text = "{{range 1000000000}}{{end}}" },
			want{Part: "text", Line: 1, Column: 9, Reason: "range takes a list of the payload; 1000000000 is not one"},
		},
		"range over a number of the payload": {
			func(x *notify.Text) { x.Text = "{{range .days}}{{end}}" },
			want{Part: "text", Line: 1, Column: 9, Reason: "range takes a list of the payload; .days is not one"},
		},
		"range over a variable's number": {
			func(x *notify.Text) { x.Text = "{{$n := 1000000000}}{{range $n}}{{end}}" },
			want{Part: "text", Line: 1, Column: 29, Reason: "$n is not one"},
		},
		"range over a function's number": {
			func(x *notify.Text) { x.Text = "{{range len .server}}{{end}}" },
			want{Part: "text", Line: 1, Column: 9, Reason: "range takes a list"},
		},
		"a variable changed": {
			func(x *notify.Text) {
				x.Text = "{{$n := .lines}}{{if .last}}{{$n = 1000000000}}{{end}}{{range $n}}{{end}}"
			},
			want{Part: "text", Line: 1, Column: 31, Reason: "a variable cannot be changed"},
		},
		"range in a range": {
			func(x *notify.Text) { x.Text = "{{range .lines}}{{range $.lines}}{{end}}{{end}}" },
			want{Part: "text", Line: 1, Column: 25, Reason: "no range inside another"},
		},
		"too many ranges": {
			func(x *notify.Text) { x.Text = strings.Repeat("{{range .lines}}{{end}}", 17) },
			want{Part: "text", Line: 1, Column: 377, Reason: "at most 16 ranges"},
		},
		"too many variables": {
			func(x *notify.Text) { x.Text = strings.Repeat("{{$x := 1}}", 33) },
			want{Part: "text", Line: 1, Column: 355, Reason: "at most 32 variables"},
		},
		"renders to spaces": {
			func(x *notify.Text) { x.Text = "{{if not .last}}x{{end}} " },
			want{Part: "text", Reason: "produces only spaces"},
		},
		"renders to too much": {
			func(x *notify.Text) { x.Text = "{{range .lines}}" + strings.Repeat("{{$.lines}}", 5900) + "{{end}}" },
			want{Part: "text", Reason: "produces more than 262144 bytes"},
		},
		"line break in the subject": {
			func(x *notify.Text) { x.Subject = "a\nBcc: b" },
			want{Part: "subject", Reason: "the character U+000A at byte 1"},
		},
		"large and wrong": {
			func(x *notify.Text) { x.Text = strings.Repeat("{{.at}}", 9000) + "{{.at .}" },
			want{Part: "text", Line: 1, Column: 63001, Reason: "bad character U+007D '}'"},
		},
		"empty subject":          {func(x *notify.Text) { x.Subject = " " }, want{Part: "subject", Reason: "is empty"}},
		"empty text":             {func(x *notify.Text) { x.Text = "\n" }, want{Part: "text", Reason: "is empty"}},
		"large subject":          {func(x *notify.Text) { x.Subject = strings.Repeat("x", 501) }, want{Part: "subject", Reason: "at most 500"}},
		"large text":             {func(x *notify.Text) { x.Text = strings.Repeat("x", 65537) }, want{Part: "text", Reason: "at most 65536"}},
		"large HTML":             {func(x *notify.Text) { x.HTML = strings.Repeat("x", 65537) }, want{Part: "html", Reason: "at most 65536"}},
		"not UTF-8":              {func(x *notify.Text) { x.HTML = "\xff" }, want{Part: "html", Reason: "not valid UTF-8"}},
		"right-to-left override": {func(x *notify.Text) { x.Text = "\u202Ex" }, want{Part: "text", Reason: "U+202E"}},
		"language":               {func(x *notify.Text) { x.Locale = "../en" }, want{Part: "locale", Reason: "is not a language tag"}},
		"long language":          {func(x *notify.Text) { x.Locale = strings.Repeat("x", 99) }, want{Part: "locale", Reason: "99 bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCatalog(t)
			x := notify.Text{Kind: "test.warned", Locale: "en", Subject: "s", Text: "t", HTML: "h"}
			tt.change(&x)
			err := c.Check(x)
			require.ErrorIs(t, err, notify.ErrInvalid)
			var got *notify.TextError
			require.ErrorAs(t, err, &got)
			assert.Contains(t, got.Reason, tt.want.Reason)
			assert.NotContains(t, got.Reason, "invalid", "the sentinel's name is not repeated")
			assert.Equal(t, tt.want.Variable != "" && strings.Contains(got.Reason, "there are"), len(got.Known) > 0)
			assert.Equal(t,
				want{Kind: "test.warned", Locale: x.Locale, Part: tt.want.Part, Line: tt.want.Line, Column: tt.want.Column,
					Variable: tt.want.Variable, Nearest: tt.want.Nearest},
				want{Kind: got.Kind, Locale: got.Locale, Part: got.Part, Line: got.Line, Column: got.Column,
					Variable: got.Variable, Nearest: got.Nearest}, got.Error())
			_, err = c.Preview(x)
			require.Error(t, err)
		})
	}
}

func TestCheckKinds(t *testing.T) {
	t.Parallel()
	c := newCatalog(t, notify.Spec{Kind: "test.host", Audience: notify.ToHost, Sample: struct{}{}})
	require.ErrorIs(t, c.Check(notify.Text{Kind: "test.other"}), notify.ErrNotFound)
	err := c.Check(notify.Text{Kind: "test.host", Subject: "s", Text: "t"})
	require.ErrorContains(t, err, "no mail is sent for this kind")
	require.ErrorIs(t, new(notify.Catalog).Check(notify.Text{Kind: "test.host"}), notify.ErrNotFound)
}

func TestTextErrorText(t *testing.T) {
	t.Parallel()
	err := newCatalog(t).Check(notify.Text{Kind: "test.warned", Locale: "de", Subject: "{{.x}}", Text: "t"})
	assert.EqualError(t, err, "text of test.warned in de: subject, line 1, column 3: "+
		"there is no .x; there are: amount, at, contact, days, last, lines, note, provider, server")
}

func TestSave(t *testing.T) {
	t.Parallel()
	c, reseller := newCatalog(t), uuid.New()
	x := notify.Text{ResellerID: reseller, Kind: "test.warned", Locale: "pt_br", Subject: "s", Text: "t"}
	require.ErrorIs(t, c.Save(t.Context(), x), notify.ErrInvalid, "Catalog.Texts is nil")
	c.Texts = &notify.MemoryTexts{}
	require.NoError(t, c.Save(t.Context(), x))
	require.ErrorIs(t, c.Save(t.Context(), x), notify.ErrConflict, "it is stored now")
	bad := x
	bad.Version, bad.Text = 1, "{{.x}}"
	require.ErrorIs(t, c.Save(t.Context(), bad), notify.ErrInvalid)
	bad = x
	bad.ResellerID = uuid.Nil
	require.ErrorIs(t, c.Save(t.Context(), bad), notify.ErrInvalid)
	stored, err := c.Texts.Text(t.Context(), reseller, "test.warned", "pt-BR")
	require.NoError(t, err)
	x.Locale, x.Version = "pt-BR", 1
	assert.Equal(t, x, stored, "a refused text changes nothing")
}

func TestCatalogTextForAnEditor(t *testing.T) {
	t.Parallel()
	c, reseller := newCatalog(t), uuid.New()
	get := func(locale string) notify.Text {
		x, err := c.Text(t.Context(), reseller, "test.warned", locale)
		require.NoError(t, err)
		return x
	}
	builtin := notify.Text{ResellerID: reseller, Kind: "test.warned", Locale: "fr",
		Subject: spec().Subject["en"], Text: spec().Text["en"], HTML: spec().HTML["en"]}
	assert.Equal(t, builtin, get("fr"))
	c.Texts = &notify.MemoryTexts{}
	own := notify.Text{ResellerID: reseller, Kind: "test.warned", Locale: "en", Subject: "own", Text: "own"}
	require.NoError(t, c.Save(t.Context(), own))
	own.Version = 1
	assert.Equal(t, own, get(""))
	own.Version, own.Locale = 0, "fr-CA"
	assert.Equal(t, own, get("fr_ca"), "it is used for all languages that were not edited")
	require.NoError(t, c.Save(t.Context(), own))
	own.Version = 1
	assert.Equal(t, own, get("fr-CA"))
	_, err := c.Text(t.Context(), reseller, "test.other", "en")
	require.ErrorIs(t, err, notify.ErrNotFound)
	_, err = c.Text(t.Context(), reseller, "test.warned", "/")
	require.ErrorIs(t, err, notify.ErrInvalid)
}

func TestReset(t *testing.T) {
	t.Parallel()
	c, reseller := newCatalog(t), uuid.New()
	require.NoError(t, c.Reset(t.Context(), reseller, "test.warned", ""), "without a store there is nothing to reset")
	c.Texts = &notify.MemoryTexts{}
	for _, locale := range []string{"", "pt-BR"} {
		require.NoError(t, c.Save(t.Context(), notify.Text{
			ResellerID: reseller, Kind: "test.warned", Locale: locale, Subject: "own", Text: "own",
		}))
	}
	subjectIn := func(locale string) string {
		x, err := c.Text(t.Context(), reseller, "test.warned", locale)
		require.NoError(t, err)
		return x.Subject
	}
	require.Equal(t, []string{"own", "own"}, []string{subjectIn("de"), subjectIn("pt-BR")}, "it is used for all languages that were not edited")
	require.NoError(t, c.Reset(t.Context(), reseller, "test.warned", ""))
	assert.Equal(t, []string{spec().Subject["de"], "own"}, []string{subjectIn("de"), subjectIn("pt-BR")})
	require.NoError(t, c.Reset(t.Context(), reseller, "test.warned", "pt_br"))
	require.NoError(t, c.Reset(t.Context(), reseller, "test.warned", "pt_br"))
	assert.Equal(t, spec().Subject["en"], subjectIn("pt-BR"))
	require.ErrorIs(t, c.Reset(t.Context(), reseller, "test.other", "en"), notify.ErrNotFound)
	require.ErrorIs(t, c.Reset(t.Context(), reseller, "test.warned", "/"), notify.ErrInvalid)
}
