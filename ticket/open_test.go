package ticket_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// refusal returns the typed error in err.
func refusal(t *testing.T, err error) *ticket.Error {
	t.Helper()
	var e *ticket.Error
	require.ErrorAs(t, err, &e)
	return e
}

// rackSpec returns a kind with a field of each type.
func rackSpec() ticket.KindSpec {
	return ticket.KindSpec{Kind: "move_rack", Label: "Move to another rack", Fields: []ticket.Field{
		{Name: "row", Label: "Row", Type: ticket.TypeText, Required: true, Min: 2, Max: 4},
		{Name: "why", Label: "Why", Type: ticket.TypeLongText},
		{Name: "height", Label: "Height", Type: ticket.TypeInteger, Min: 1, Max: 48},
		{Name: "side", Label: "Side", Type: ticket.TypeChoice, Choices: []string{"front", "back"}},
		{Name: "at", Label: "When", Type: ticket.TypeDateTime},
		{Name: "careful", Label: "Careful", Type: ticket.TypeBool, Required: true},
	}}
}

func TestOpenChecksFields(t *testing.T) {
	t.Parallel()
	d := newFixture(t, func(c *ticket.Config) { c.Kinds = []ticket.KindSpec{rackSpec()} })
	raw := func(s string) map[string]json.RawMessage {
		var m map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(s), &m))
		return m
	}
	tests := []struct {
		name, fields string
		wrong        []string // fields named in the error
		stored       string
	}{
		{"all", `{"row":"B7","why":"a\nb","height":3,"side":"back","at":"2026-11-24T10:30:00.1234567+01:00","careful":false}`, nil,
			`{"row":"B7","why":"a\nb","height":3,"side":"back","at":"2026-11-24T09:30:00.123456Z","careful":false}`},
		{"spaces and blanks", `{"row": "B7" ,"why":" ","side":"","at":"","height":null,"careful": true }`, nil, `{"row":"B7","careful":true}`},
		{"required ones missing", `{}`, []string{"Fields.row", "Fields.careful"}, ""},
		{"required ones blank", `{"row":"  ","careful":null}`, []string{"Fields.row", "Fields.careful"}, ""},
		{"all wrong at once", `{"row":"B","why":7,"height":49,"side":"top","at":"tomorrow","careful":"yes","colour":1}`,
			[]string{"Fields.row", "Fields.why", "Fields.height", "Fields.side", "Fields.at", "Fields.careful", "Fields.colour"}, ""},
		{"too long", `{"row":"B7777","careful":true}`, []string{"Fields.row"}, ""},
		{"characters, not bytes", `{"row":"ÄÖÜß","careful":true}`, nil, `{"row":"ÄÖÜß","careful":true}`},
		{"line break in a line", `{"row":"B\n7","careful":true}`, []string{"Fields.row"}, ""},
		{"fraction", `{"row":"B7","careful":true,"height":1.0}`, []string{"Fields.height"}, ""},
		{"exponent", `{"row":"B7","careful":true,"height":1e1}`, []string{"Fields.height"}, ""},
		{"too large for 64 bits", `{"row":"B7","careful":true,"height":99999999999999999999}`, []string{"Fields.height"}, ""},
		{"objects", `{"row":{},"careful":[]}`, []string{"Fields.row", "Fields.careful"}, ""},
		{"far away", `{"row":"B7","careful":true,"at":"9999-12-31T23:59:59-23:00"}`, []string{"Fields.at"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := ticket.Form{ServerID: d.own, Kind: "move_rack", Fields: raw(tt.fields)}
			v, err := d.Open(t.Context(), d.client, f)
			if tt.wrong == nil {
				require.NoError(t, err)
				assert.Equal(t, raw(tt.stored), v.Fields)
				return
			}
			require.ErrorIs(t, err, ticket.ErrInvalid)
			e := refusal(t, err)
			var named []string
			for _, w := range e.Wrong {
				named = append(named, w.Field)
				assert.Contains(t, err.Error(), w.Field)
			}
			assert.Equal(t, tt.wrong, named)
			assert.Equal(t, f, e.Form, "the error has the draft")
		})
	}
}

func TestOpenNamesEverythingWrong(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	_, err := d.Open(t.Context(), d.client, ticket.Form{
		ServerID: d.own, Kind: ticket.ExtraIPs, Subject: "a\nBcc: b", Text: "\x1b[31m",
		Fields: map[string]json.RawMessage{"count": []byte(`0`), "version": []byte(`{`)},
	})
	require.ErrorIs(t, err, ticket.ErrInvalid)
	var named []string
	for _, w := range refusal(t, err).Wrong {
		named = append(named, w.Field)
	}
	assert.Equal(t, []string{"Subject", "Fields.count", "Fields.version", "Text"}, named)
	_, err = d.Open(t.Context(), d.client, ticket.Form{ServerID: d.own, Kind: "nonsense"})
	require.ErrorIs(t, err, ticket.ErrInvalid)
	assert.Equal(t, "Kind", refusal(t, err).Field)
}

// TestOpenManyUnknownFields: the error of a form with very many wrong fields stays short.
func TestOpenManyUnknownFields(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	fields := map[string]json.RawMessage{"method": []byte(`"kick"`)}
	for n := range 10_000 {
		fields[fmt.Sprintf("f%05d", n)] = []byte(`1`)
	}
	_, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: d.own, Kind: ticket.Reboot, Fields: fields})
	require.ErrorIs(t, err, ticket.ErrInvalid)
	wrong := refusal(t, err).Wrong
	require.Len(t, wrong, 1+ticket.MaxFields)
	assert.Equal(t, "Fields.method", wrong[0].Field, "all fields of the form are named")
	assert.Equal(t, "Fields.f00000", wrong[1].Field)
	assert.Less(t, len(err.Error()), 10_000)
}

func TestOpenAgain(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	f := ticket.Form{
		ID: uuid.New(), ServerID: d.own, Kind: ticket.ExtraIPs, Text: "soon",
		Fields: map[string]json.RawMessage{"count": []byte(`2`)},
	}
	first, err := d.Open(ctx, d.client, f)
	require.NoError(t, err)
	assert.Equal(t, "Additional IP addresses", first.Subject, "a blank subject is the kind's label")
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, first.ID, say("seen"))))
	d.events(t)
	again, err := d.Open(ctx, d.client, f)
	require.NoError(t, err)
	assert.Equal(t, first.ID, again.ID)
	assert.Len(t, again.Thread, 2, "as it is stored")
	kinds, _ := d.events(t)
	assert.Empty(t, kinds, "no event is recorded twice")

	for name, other := range map[string]func(*ticket.Form){
		"text":    func(f *ticket.Form) { f.Text = "later" },
		"subject": func(f *ticket.Form) { f.Subject = "other" },
		"kind":    func(f *ticket.Form) { f.Kind, f.Fields = ticket.Other, nil },
		"fields":  func(f *ticket.Form) { f.Fields = map[string]json.RawMessage{"count": []byte(`3`)} },
		"server":  func(f *ticket.Form) { f.ServerID = d.rented },
	} {
		changed := f
		other(&changed)
		_, err := d.Open(ctx, d.client, changed)
		require.ErrorIs(t, err, ticket.ErrConflict, name)
		assert.Equal(t, changed, refusal(t, err).Form, name)
	}
}

func TestUniqueKinds(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Reboot)
	d.opened(t, d.rented, ticket.Reboot)
	_, err := d.Open(ctx, d.client, ticket.Form{ServerID: d.own, Kind: ticket.Reboot, Text: "please"})
	require.ErrorIs(t, err, ticket.ErrConflict)
	e := refusal(t, err)
	require.NotNil(t, e.Existing)
	assert.Equal(t, d.view(t, id), *e.Existing)
	assert.Contains(t, err.Error(), e.Existing.Ref)
	assert.Equal(t, "please", e.Form.Text)
	d.opened(t, d.own, ticket.Other)
	d.opened(t, d.own, ticket.Other)

	d.bring(t, id, ticket.Done)
	second := d.opened(t, d.own, ticket.Reboot)
	err = errorOf(d.Reopen(ctx, d.client, id, say("not yet")))
	require.ErrorIs(t, err, ticket.ErrConflict)
	e = refusal(t, err)
	require.NotNil(t, e.Existing)
	assert.Equal(t, d.view(t, second), *e.Existing)
	assert.Equal(t, say("not yet"), e.Note)

	require.NoError(t, errorOf(d.Close(ctx, d.client, id, ticket.Note{})))
	require.ErrorIs(t, errorOf(d.Comment(ctx, d.client, id, say("again"))), ticket.ErrConflict, "a comment that reopens is refused as well")
	require.NoError(t, errorOf(d.Close(ctx, d.client, second, ticket.Note{})))
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("again"))))
	assert.NotEmpty(t, d.get(t, id).UniqueKey)
}

// TestKindBecomesUnique: tickets that were opened before have no key, and are not affected.
func TestKindBecomesUnique(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	a, b := d.opened(t, d.own, ticket.Other), d.opened(t, d.own, ticket.Other)
	m, err := ticket.New(ticket.Config{Store: d.store, Servers: d.servers, Clock: d.clock, Kinds: []ticket.KindSpec{
		{Kind: ticket.Other, Label: "Other", Unique: true},
	}})
	require.NoError(t, err)
	for _, id := range []uuid.UUID{a, b} {
		require.NoError(t, errorOf(m.Comment(t.Context(), d.client, id, say("go on"))))
		require.NoError(t, errorOf(m.Confirm(t.Context(), d.reseller, id, say("yes"))))
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	asked := 0
	off := dedicated.Refuse("no reinstallations in December")
	d := newFixture(t, func(c *ticket.Config) {
		c.Kinds = []ticket.KindSpec{rackSpec(), {Kind: ticket.Reboot, Label: "Restart"}}
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, a dedicated.Actor, k ticket.Kind, _ dedicated.Server) error {
			asked++
			if k == ticket.Reinstall && a.Role == dedicated.Client {
				return off
			}
			return nil
		})
	})
	kinds := func(a dedicated.Actor, server uuid.UUID) (kinds []ticket.Kind) {
		forms, err := d.Forms(t.Context(), a, server)
		require.NoError(t, err)
		for _, f := range forms {
			kinds = append(kinds, f.Kind)
		}
		return kinds
	}
	assert.Equal(t, []ticket.Kind{ticket.Reboot, ticket.ExtraIPs, ticket.Upgrade, ticket.Other, "move_rack"}, kinds(d.client, d.own))
	assert.Equal(t, []ticket.Kind{ticket.Reboot, ticket.ExtraIPs, ticket.Upgrade, ticket.Reinstall, ticket.Other, "move_rack"}, kinds(d.reseller, d.own))
	assert.Equal(t, []ticket.Kind{ticket.Reboot, ticket.ExtraIPs, ticket.Upgrade, ticket.CancelAtProvider, ticket.Other, "move_rack"}, kinds(d.client, d.rented))

	open := func(server uuid.UUID, k ticket.Kind) error {
		_, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: server, Kind: k})
		return err
	}
	err := open(d.own, ticket.Reinstall)
	require.ErrorIs(t, err, ticket.ErrForbidden)
	require.ErrorIs(t, err, off)
	require.ErrorContains(t, err, off.Error())
	require.NotErrorIs(t, err, ticket.ErrHost)
	require.ErrorIs(t, open(d.own, ticket.CancelAtProvider), ticket.ErrForbidden)
	require.NoError(t, open(d.rented, ticket.CancelAtProvider))
	asked = 0
	require.NoError(t, open(d.own, ticket.Reboot))
	assert.Equal(t, 1, asked)
	require.NoError(t, open(d.own, ticket.Reboot), "the host's own spec is not unique")

	forms, err := d.Forms(t.Context(), d.client, d.own)
	require.NoError(t, err)
	forms[1].Fields[1].Choices[0] = "scribbled"
	again, err := d.Forms(t.Context(), d.client, d.own)
	require.NoError(t, err)
	assert.Equal(t, "IPv4", again[1].Fields[1].Choices[0])
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := ticket.Config{Store: &ticket.MemoryStore{}, Servers: inventory{}}
	_, err := ticket.New(good)
	require.NoError(t, err)
	for field, spoil := range map[string]func(*ticket.Config){
		"Config.Store":         func(c *ticket.Config) { c.Store = nil },
		"Config.Servers":       func(c *ticket.Config) { c.Servers = nil },
		"Config.Kinds[1].Kind": func(c *ticket.Config) { c.Kinds = []ticket.KindSpec{rackSpec(), rackSpec()} },
		"Config.Kinds[0].Kind": func(c *ticket.Config) { c.Kinds = []ticket.KindSpec{{Kind: "A", Label: "A"}} },
		"Config.Working":       func(c *ticket.Config) { c.Working = "\x00" },
		"Config.Epoch":         func(c *ticket.Config) { c.Epoch = "the second" },
		"Config.ForwardText":   func(c *ticket.Config) { c.ForwardText = "{{.client_name}}" },
	} {
		c := good
		spoil(&c)
		_, err := ticket.New(c)
		require.ErrorIs(t, err, ticket.ErrInvalid, field)
		assert.Equal(t, field, refusal(t, err).Field)
	}
	c := good
	c.ForwardText = "{{if"
	_, err = ticket.New(c)
	require.ErrorIs(t, err, ticket.ErrInvalid)
}

// TestGateSwitchesAKindOff: a gate refuses new tickets of a kind. Open ones are not affected, and a repeat returns the stored one.
func TestGateSwitchesAKindOff(t *testing.T) {
	t.Parallel()
	closed, off := false, dedicated.Refuse("no reboots this week")
	d := newFixture(t, func(c *ticket.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, ticket.Kind, dedicated.Server) error {
			if closed {
				return off
			}
			return nil
		})
	})
	ctx, f := t.Context(), ticket.Form{ID: uuid.New(), ServerID: d.own, Kind: ticket.Reboot}
	v, err := d.Open(ctx, d.client, f)
	require.NoError(t, err)
	closed = true
	again, err := d.Open(ctx, d.client, f)
	require.NoError(t, err)
	assert.Equal(t, v, again)
	require.NoError(t, errorOf(d.Confirm(ctx, d.reseller, v.ID, say("yes"))))
	require.NoError(t, errorOf(d.Complete(ctx, d.reseller, v.ID, ticket.Note{})))
	require.NoError(t, errorOf(d.Reopen(ctx, d.client, v.ID, say("not yet"))))
	require.NoError(t, errorOf(d.Close(ctx, d.client, v.ID, ticket.Note{})))
	_, err = d.Open(ctx, d.client, ticket.Form{ServerID: d.own, Kind: ticket.Reboot, Text: "please"})
	require.ErrorIs(t, err, off)
	assert.Equal(t, "please", refusal(t, err).Form.Text)
}

// TestHostileNames: a host's table of servers may contain any text. Unsafe characters are replaced.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	server := d.add(dedicated.Owner{Provider: "Up\r\nBcc: x", Reference: "a\u2028b" + strings.Repeat("ß", 500)}, "web\r\nBcc: victim@example.com\u202e")
	id := d.opened(t, server, ticket.Other)
	require.NoError(t, errorOf(d.Forward(t.Context(), d.reseller, id, ticket.Note{})))
	got := d.get(t, id)
	for _, line := range []string{got.ServerName, got.Upstream.Provider, got.Upstream.Reference} {
		assert.NotContains(t, line, "\n")
		assert.NotContains(t, line, "\r")
		assert.NotContains(t, line, "\u2028")
		assert.NotContains(t, line, "\u202e")
		assert.LessOrEqual(t, len(line), dedicated.MaxName)
	}
	d.events(t)
	gone := d.departure(server)
	gone.Reason = "unpaid\x00\r\nBcc: x\u202e" + strings.Repeat("ß", dedicated.MaxReason)
	require.NoError(t, d.CloseServer(t.Context(), gone))
	_, events := d.events(t)
	var report ticket.Report
	require.NoError(t, json.Unmarshal(events[0].Data, &report))
	assert.Regexp(t, `^unpaid   Bcc: x ß+$`, report.Reason)
	assert.LessOrEqual(t, len(report.Reason), dedicated.MaxReason)
	for _, subject := range []string{"a\nb", "a\r\nBcc: b", "a\u2029b", "a\x00", "a\u202eb", "a\xff", strings.Repeat("x", ticket.MaxSubject+1)} {
		_, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: d.own, Kind: ticket.Other, Subject: subject})
		require.ErrorIs(t, err, ticket.ErrInvalid, "%q", subject)
	}
}

// TestUniqueByServer: a unique kind is bound to the server and its use. A host may have no assignments, or one for all servers of a
// client.
func TestUniqueByServer(t *testing.T) {
	t.Parallel()
	for name, assignment := range map[string]uuid.UUID{"none": uuid.Nil, "a contract": uuid.New()} {
		d := newFixture(t)
		for _, id := range []uuid.UUID{d.own, d.rented} {
			s := d.servers[id]
			s.Assignment = assignment
			d.servers[id] = s
		}
		first := d.opened(t, d.own, ticket.Reboot)
		second := d.opened(t, d.rented, ticket.Reboot)
		_, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: d.rented, Kind: ticket.Reboot})
		require.ErrorIs(t, err, ticket.ErrConflict, name)
		assert.Equal(t, second, refusal(t, err).Existing.ID, name)
		d.bring(t, first, ticket.Closed)
		require.NoError(t, errorOf(d.Reopen(t.Context(), d.client, first, ticket.Note{})), name)
	}
}

// TestUniqueKeyOfAnOlderTicket: a ticket that was stored with a key of another form still prevents a second one.
func TestUniqueKeyOfAnOlderTicket(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	id := d.opened(t, d.own, ticket.Reboot)
	stored, err := d.store.Ticket(t.Context(), id)
	require.NoError(t, err)
	stored.UniqueKey = stored.Assignment.String() + "/reboot"
	require.NoError(t, d.store.Commit(t.Context(), ticket.Change{Tickets: []ticket.Ticket{stored}}))
	_, err = d.Open(t.Context(), d.client, ticket.Form{ServerID: d.own, Kind: ticket.Reboot})
	require.ErrorIs(t, err, ticket.ErrConflict)
	assert.Equal(t, id, refusal(t, err).Existing.ID)
}
