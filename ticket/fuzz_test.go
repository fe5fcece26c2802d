package ticket_test

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// within fails if a call takes more than two seconds.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("%s took %v", what, took)
	}
}

// FuzzSpec: a spec is valid, and New takes it, or the error names the wrong fields.
func FuzzSpec(f *testing.F) {
	for _, k := range append(ticket.BuiltInKinds(), rackSpec(), ticket.KindSpec{}) {
		data, err := json.Marshal(k)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"kind":"k","label":"K","fields":[{"name":"a","label":"A","type":"text","min":-9223372036854775808,"max":9223372036854775807}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var k ticket.KindSpec
		if json.Unmarshal(data, &k) != nil {
			return
		}
		within(t, "Validate", func() {
			err := k.Validate()
			_, configured := ticket.New(ticket.Config{Store: &ticket.MemoryStore{}, Servers: inventory{}, Kinds: []ticket.KindSpec{k}})
			if (err == nil) != (configured == nil) {
				t.Fatalf("Validate says %v, New says %v", err, configured)
			}
			var e *ticket.Error
			if err != nil && (!errors.Is(err, ticket.ErrInvalid) || !errors.As(err, &e) || len(e.Wrong) == 0 || e.Field == "") {
				t.Fatalf("the error does not name the wrong fields: %v", err)
			}
		})
	})
}

// FuzzFields: any JSON in any field is stored in a normal form, or the error names the field.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{
		`"B7"`, `"a\nb"`, `7`, `-0`, `1e400`, `99999999999999999999`, `true`, `null`, `""`, `"2026-11-24T09:30:00.1234567+23:59"`,
		`"\ud800"`, `"\u202e"`, `"\u0000"`, `{"a":[]}`, `[`, ` 3 `, `"0000-01-01T00:00:00Z"`, `"back"`, "\"\xff\"", `"+5"`, `+5`, `007`,
	} {
		f.Add([]byte(seed), "row")
	}
	f.Add([]byte(`1`), "a\r\nb")
	spec := rackSpec()
	for i := range spec.Fields {
		spec.Fields[i].Required = false
	}
	f.Fuzz(func(t *testing.T, raw []byte, extra string) {
		d := newFixture(t, func(c *ticket.Config) { c.Kinds = []ticket.KindSpec{spec} })
		for _, field := range spec.Fields {
			form := ticket.Form{ServerID: d.own, Kind: spec.Kind, Fields: map[string]json.RawMessage{field.Name: raw}}
			within(t, "Open", func() { opens(t, d, form) })
		}
		known := map[string]bool{}
		for _, field := range spec.Fields {
			known[field.Name] = true
		}
		if !known[extra] {
			_, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: d.own, Kind: spec.Kind, Fields: map[string]json.RawMessage{extra: raw}})
			if !errors.Is(err, ticket.ErrInvalid) || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Fatalf("a field that the form does not have: %q", err)
			}
		}
	})
}

// opens checks that the error of a form names the field, or that a form of the stored values stores the same values.
func opens(t *testing.T, d *fixture, form ticket.Form) {
	v, err := d.Open(t.Context(), d.client, form)
	var e *ticket.Error
	if err != nil {
		if !errors.Is(err, ticket.ErrInvalid) || !errors.As(err, &e) || len(e.Wrong) != 1 {
			t.Fatalf("the error does not name the field: %v", err)
		}
		return
	}
	for name, value := range v.Fields {
		if !json.Valid(value) || !utf8.Valid(value) {
			t.Fatalf("%s is stored as %q", name, value)
		}
		var text string
		if json.Unmarshal(value, &text) == nil && strings.ContainsAny(text, "\x00\x1b\u2028\u202e") {
			t.Fatalf("%s is stored with control characters: %q", name, value)
		}
	}
	form.Fields = v.Fields
	again, err := d.Open(t.Context(), d.client, form)
	if err != nil {
		t.Fatalf("the stored values are refused: %v", err)
	}
	for name, value := range v.Fields {
		if string(again.Fields[name]) != string(value) {
			t.Fatalf("%s was stored as %q, and again as %q", name, value, again.Fields[name])
		}
	}
}

// FuzzUpstreamRef: only the whole upstream reference finds a ticket.
func FuzzUpstreamRef(f *testing.F) {
	for _, seed := range []string{"", "U-", "[U-7F3K9QXM2RTVWYZ4]", "u-7f3k9qxm2rtvwyz4", "U-0000000000000000", "U-7F3K9QXM2RTVWYZ4\r\n", "ſ", "\xff"} {
		f.Add(seed, uint8(0))
	}
	f.Fuzz(func(t *testing.T, quoted string, cut uint8) {
		d := newFixture(t)
		id := d.opened(t, d.rented, ticket.Other)
		if err := errorOf(d.Forward(t.Context(), d.reseller, id, ticket.Note{})); err != nil {
			t.Fatal(err)
		}
		ref := d.get(t, id).Upstream.Ref
		within(t, "ProviderReplied", func() {
			if err := errorOf(d.ProviderReplied(t.Context(), d.reseller, quoted, say("x"))); !errors.Is(err, ticket.ErrNotFound) {
				t.Fatalf("%q found something: %v", quoted, err)
			}
			if n := int(cut) % len(ref); n > 0 {
				if err := errorOf(d.ProviderReplied(t.Context(), d.reseller, ref[:n], say("x"))); !errors.Is(err, ticket.ErrNotFound) {
					t.Fatalf("a part of the reference found something: %v", err)
				}
			}
		})
		if err := errorOf(d.ProviderReplied(t.Context(), d.reseller, ref, say("x"))); err != nil {
			t.Fatal(err)
		}
	})
}

var shortRef = regexp.MustCompile(`^T-[2-9A-HJKMNP-TV-Z]{6}$`)

// FuzzRef: every ID has a short reference. A search finds it in any case of letters.
func FuzzRef(f *testing.F) {
	f.Add(make([]byte, 16))
	f.Add([]byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := uuid.FromBytes(data)
		if err != nil || id == uuid.Nil {
			return
		}
		d := newFixture(t)
		v, err := d.Open(t.Context(), d.client, ticket.Form{ID: id, ServerID: d.own, Kind: ticket.Other})
		if err != nil || !shortRef.MatchString(v.Ref) {
			t.Fatalf("%s has the reference %q, %v", id, v.Ref, err)
		}
		for _, text := range []string{v.Ref, strings.ToLower(v.Ref), v.Ref[2:]} {
			found, _, err := d.Tickets(t.Context(), d.reseller, ticket.Query{Text: text})
			if err != nil || len(found) != 1 {
				t.Fatalf("%q finds %d tickets, %v", text, len(found), err)
			}
		}
	})
}

// FuzzSearch: a text finds the tickets that contain all its words, or is refused. A client finds nothing by internal words.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{"", "please", "PLEASE now", "%", "_", "\\", "'; drop table", "ß", "İ", "a\x00", "\xff", strings.Repeat("a ", 100), "hidden"} {
		f.Add(seed, "hidden words")
	}
	f.Fuzz(func(t *testing.T, text, hidden string) {
		d := newFixture(t)
		id := d.opened(t, d.rented, ticket.Other)
		secret := errorOf(d.Comment(t.Context(), d.reseller, id, ticket.Note{Text: hidden, Internal: true})) == nil
		public := strings.ToLower("please\nnow\n" + d.get(t, id).Ref + "\ndb-01\n" + d.rented.String())
		within(t, "a search", func() {
			items, _, err := d.Tickets(t.Context(), d.reseller, ticket.Query{Text: text})
			views, _, errViews := d.Views(t.Context(), d.client, ticket.Query{Text: text})
			if (err == nil) != (errViews == nil) || err != nil && !errors.Is(err, ticket.ErrInvalid) {
				t.Fatalf("%q: %v and %v", text, err, errViews)
			}
			if err != nil {
				return
			}
			inAll, inPublic := true, true
			for _, word := range strings.Fields(strings.ToLower(text)) {
				inPublic = inPublic && strings.Contains(public, word)
				inAll = inAll && (strings.Contains(public, word) || secret && strings.Contains(strings.ToLower(hidden), word))
			}
			if inAll != (len(items) == 1) || inPublic != (len(views) == 1) {
				t.Fatalf("%q finds %d tickets and %d views, hidden is %q", text, len(items), len(views), hidden)
			}
		})
	})
}

// FuzzHostileText: no name or subject adds a line to the header of a mail, or changes the writing direction.
func FuzzHostileText(f *testing.F) {
	for _, seed := range []string{
		"a\r\nBcc: victim@example.com", "a\nb", "\u2028", "\u202eabc", "\x00", "\xff\xfe", "{{.client_id}}", "<script>", "a\u0085b", "\u2066x",
	} {
		f.Add(seed, seed, seed)
	}
	catalog, err := notify.NewCatalog(ticket.Kinds())
	if err != nil {
		f.Fatal(err)
	}
	audience := map[notify.Kind]notify.Audience{}
	for _, spec := range ticket.Kinds() {
		audience[spec.Kind] = spec.Audience
	}
	f.Fuzz(func(t *testing.T, subject, name, words string) {
		d := newFixture(t)
		server := d.add(dedicated.Owner{Provider: "Up " + name, Reference: "r" + name}, name)
		v, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: server, Kind: ticket.Other, Subject: subject, Text: words})
		if err != nil {
			if !errors.Is(err, ticket.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if err := errorOf(d.Forward(t.Context(), d.reseller, v.ID, say(words))); err != nil && !errors.Is(err, ticket.ErrInvalid) {
			t.Fatal(err)
		}
		_, events := d.events(t)
		for _, e := range events {
			n := notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
				if strings.ContainsAny(m.Subject+m.To.Name, "\r\n\x00\u0085\u2028\u2029\u202a\u202b\u202d\u202e\u2066\u2067\u2068") {
					t.Fatalf("%s to %q has the subject %q", e.Kind, m.To.Name, m.Subject)
				}
				return nil
			})
			if err := catalog.Mail("mail", audience[e.Kind], n).Handle(t.Context(), e); err != nil {
				t.Fatalf("%s: %v", e.Kind, err)
			}
		}
	})
}
