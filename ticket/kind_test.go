package ticket_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/ticket"
)

func TestSpecJSON(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(rackSpec())
	require.NoError(t, err)
	assert.JSONEq(t, `{"kind":"move_rack","label":"Move to another rack","unique":false,"fields":[
		{"name":"row","label":"Row","type":"text","required":true,"min":2,"max":4},
		{"name":"why","label":"Why","type":"long_text","required":false},
		{"name":"height","label":"Height","type":"integer","required":false,"min":1,"max":48},
		{"name":"side","label":"Side","type":"choice","required":false,"choices":["front","back"]},
		{"name":"at","label":"When","type":"datetime","required":false},
		{"name":"careful","label":"Careful","type":"bool","required":true}]}`, string(data))
	var back ticket.KindSpec
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, rackSpec(), back)
}

func TestSpecValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, rackSpec().Validate())
	for _, k := range ticket.BuiltInKinds() {
		require.NoError(t, k.Validate(), k.Kind)
	}
	field := func(f ticket.Field) ticket.KindSpec {
		return ticket.KindSpec{Kind: "k", Label: "K", Fields: []ticket.Field{f}}
	}
	tests := []struct {
		name  string
		spec  ticket.KindSpec
		wrong []string
	}{
		{"zero", ticket.KindSpec{}, []string{"Kind", "Label"}},
		{"names", ticket.KindSpec{Kind: "Re boot", Label: "a\nb"}, []string{"Kind", "Label"}},
		{"no field", field(ticket.Field{}), []string{"Fields[0].Name", "Fields[0].Label", "Fields[0].Type"}},
		{"bounds", field(ticket.Field{Name: "a", Label: "A", Type: ticket.TypeInteger, Min: 3, Max: 2}), []string{"Fields[0].Max"}},
		{"text bounds", field(ticket.Field{Name: "a", Label: "A", Type: ticket.TypeText, Max: 1 << 40}), []string{"Fields[0].Max"}},
		{"bounded choice", field(ticket.Field{Name: "a", Label: "A", Type: ticket.TypeChoice, Choices: []string{"x"}, Max: 2}), []string{"Fields[0].Max"}},
		{"no choices", field(ticket.Field{Name: "a", Label: "A", Type: ticket.TypeChoice}), []string{"Fields[0].Choices"}},
		{"choices", field(ticket.Field{Name: "a", Label: "A", Type: ticket.TypeChoice, Choices: []string{"x", "x", " "}}), []string{"Fields[0].Choices", "Fields[0].Choices"}},
		{"choices of text", field(ticket.Field{Name: "a", Label: "A", Type: ticket.TypeText, Choices: []string{"x"}}), []string{"Fields[0].Choices"}},
		{"twice", ticket.KindSpec{Kind: "k", Label: "K", Fields: []ticket.Field{
			{Name: "a", Label: "A", Type: ticket.TypeBool}, {Name: "a", Label: "B", Type: ticket.TypeBool},
		}}, []string{"Fields[1].Name"}},
		{"too many", ticket.KindSpec{Kind: "k", Label: "K", Fields: make([]ticket.Field, 51)}, []string{"Fields"}},
	}
	for _, tt := range tests {
		err := tt.spec.Validate()
		require.ErrorIs(t, err, ticket.ErrInvalid, tt.name)
		var named []string
		for _, w := range refusal(t, err).Wrong {
			named = append(named, w.Field)
		}
		assert.Equal(t, tt.wrong, named, tt.name)
	}
}
