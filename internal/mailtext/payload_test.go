package mailtext_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/mailtext"
)

func newSchema(t *testing.T, sample string) *mailtext.Schema {
	t.Helper()
	s, err := mailtext.NewSchema(json.RawMessage(sample))
	require.NoError(t, err)
	return s
}

// render renders a text with a payload.
func render(t *testing.T, s *mailtext.Schema, text, payload string) string {
	t.Helper()
	p, err := s.Payload([]byte(payload))
	require.NoError(t, err)
	m, err := mailtext.Template{Locale: "en", Subject: "s", Text: text}.Render(p, time.UTC)
	require.NoError(t, err)
	return m.Text
}

func TestPayloadCompletesMissingFields(t *testing.T) {
	t.Parallel()
	s := newSchema(t, `{"text":"a","number":1,"decimal":1.5,"yes":true,"list":[{"name":"a"}],"object":{"name":"a"}}`)
	const text = "[{{.text}}|{{.number}}|{{.decimal}}|{{.yes}}|{{len .list}}|{{.object.name}}]"
	assert.Equal(t, "[|0|0|false|0|]", render(t, s, text, `{}`))
	assert.Equal(t, "[b|9007199254740993|0.10|true|1|c]", render(t, s, text,
		`{"text":"b","number":9007199254740993,"decimal":0.10,"yes":true,"list":[{}],"object":{"name":"c"}}`))
	assert.Equal(t, "x", render(t, s, "{{range .list}}{{.name}}{{end}}x", `{"list":[{}]}`))
}

func TestPayloadRefuses(t *testing.T) {
	t.Parallel()
	s := newSchema(t, `{"text":"a","list":[{"name":"a"}]}`)
	for payload, reason := range map[string]string{
		"":                       "is not a JSON object",
		"[]":                     "is not a JSON object",
		"null":                   "the payload is null",
		`{"text":1}`:             "payload.text is a number; in the sample of this kind it is a text",
		`{"list":{}}`:            "payload.list is an object",
		`{"list":[{"name":[]}]}`: "payload.list.name is a list",
	} {
		_, err := s.Payload([]byte(payload))
		require.ErrorIs(t, err, fault.ErrInvalid, payload)
		require.ErrorContains(t, err, reason)
	}
}

func TestMarshalPayload(t *testing.T) {
	t.Parallel()
	data, err := mailtext.MarshalPayload(map[string]int{"a": 1})
	require.NoError(t, err)
	assert.JSONEq(t, `{"a":1}`, string(data))
	for _, bad := range []any{nil, 1, []int{}, "{}", make(chan int)} {
		_, err := mailtext.MarshalPayload(bad)
		require.ErrorIs(t, err, fault.ErrInvalid)
		_, err = mailtext.NewSchema(bad)
		require.ErrorIs(t, err, fault.ErrInvalid)
	}
}

func TestSampleIsACopy(t *testing.T) {
	t.Parallel()
	s := newSchema(t, `{"a":1}`)
	clear(s.Sample())
	assert.JSONEq(t, `{"a":1}`, string(s.Sample()))
}
