package notify_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

func subject() notify.Subject {
	return notify.Subject{ResellerID: uuid.New(), ClientID: uuid.New(), ServerID: uuid.New(), ID: uuid.New(), Version: 3}
}

func TestSubjectEvent(t *testing.T) {
	t.Parallel()
	s := subject()
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("east", 7200))
	e, err := s.Event("backup.completed", at, map[string]string{"server": "web1"})
	require.NoError(t, err)
	assert.Equal(t, notify.Event{
		ID: e.ID, Kind: "backup.completed", At: time.Date(2026, 3, 1, 10, 0, 0, 123456000, time.UTC),
		ResellerID: s.ResellerID, ClientID: s.ClientID, ServerID: s.ServerID, SubjectID: s.ID, Data: []byte(`{"server":"web1"}`),
	}, e)
	assert.EqualValues(t, 5, e.ID.Version())
}

func TestSubjectEventIDs(t *testing.T) {
	t.Parallel()
	s := subject()
	id := func(s notify.Subject, kind notify.Kind) uuid.UUID {
		e, err := s.Event(kind, time.Now(), struct{}{})
		require.NoError(t, err)
		return e.ID
	}
	first := id(s, "a")
	assert.Equal(t, first, id(s, "a"), "the same change, tried again later")
	later := s
	later.Version++
	assert.NotEqual(t, first, id(later, "a"))
	assert.NotEqual(t, first, id(s, "b"))
	assert.NotEqual(t, first, id(subject(), "a"))
	later.Version = 31
	other := s
	other.Version = 3
	assert.NotEqual(t, id(later, " a"), id(other, "1 a"), "version and kind are separated")
}

func TestSubjectEventRefuses(t *testing.T) {
	t.Parallel()
	noID, noVersion := subject(), subject()
	noID.ID, noVersion.Version = uuid.Nil, 0
	for name, tt := range map[string]struct {
		subject notify.Subject
		kind    notify.Kind
		payload any
		says    string
	}{
		"no kind":       {subject(), "", struct{}{}, "without a kind"},
		"no ID":         {noID, "k", struct{}{}, "without an ID"},
		"no version":    {noVersion, "k", struct{}{}, "version 0"},
		"not encodable": {subject(), "k", make(chan int), "cannot be encoded as JSON"},
		"no object":     {subject(), "k", []int{1}, "must be a JSON object"},
		"null":          {subject(), "k", nil, "must be a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tt.subject.Event(tt.kind, time.Now(), tt.payload)
			require.ErrorIs(t, err, notify.ErrInvalid)
			assert.ErrorContains(t, err, tt.says)
		})
	}
}
