package notify_test

import (
	"strings"
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

// TestSubjectEventInAnEpoch pins the IDs: in the first epoch they are those that databases hold already.
func TestSubjectEventInAnEpoch(t *testing.T) {
	t.Parallel()
	s := notify.Subject{ID: uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), Version: 3}
	for epoch, want := range map[string]string{
		"":       "405fe2d9-a765-5ac3-9290-f1f2473204a6",
		"second": "d41dfa0c-5cdc-5426-ad12-632242b27c6d",
	} {
		s.Epoch = epoch
		e, err := s.Event("backup.completed", time.Now(), struct{}{})
		require.NoError(t, err)
		assert.Equal(t, want, e.ID.String(), "epoch %q", epoch)
	}
}

func TestCheckEpoch(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "2", "2026-11-28T09:30", "~!", strings.Repeat("x", 64)} {
		require.NoError(t, notify.CheckEpoch(good), good)
	}
	for bad, says := range map[string]string{
		"the second":            "0x20 at 3",
		"two\nlines":            "0x0a at 3",
		"\x7f":                  "0x7f at 0",
		"zw\u00f6lf":            "0xc3 at 2",
		strings.Repeat("x", 65): "65 bytes, at most 64",
	} {
		err := notify.CheckEpoch(bad)
		require.ErrorIs(t, err, notify.ErrInvalid, bad)
		require.ErrorContains(t, err, says)
	}
}

func TestSubjectEventRefuses(t *testing.T) {
	t.Parallel()
	noID, noVersion, noEpoch := subject(), subject(), subject()
	noEpoch.Epoch = "the second"
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
		"no epoch":      {noEpoch, "k", struct{}{}, "the subject's Epoch has the byte 0x20 at 3"},
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
