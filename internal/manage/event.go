package manage

import (
	"time"

	"github.com/metalkeep/metalkeep/notify"
)

// Fact is an event to be recorded with a change: its kind, the record that it is about, and its payload. The record's
// version makes the event's ID: see notify.Subject.
type Fact struct {
	Kind    notify.Kind
	Subject notify.Subject
	Payload any
}

// Events returns the events of facts that became true at an instant. The epoch, that of the process which records them, is part of
// their IDs.
func Events(epoch string, at time.Time, facts []Fact) ([]notify.Event, error) {
	events := make([]notify.Event, 0, len(facts))
	for _, f := range facts {
		f.Subject.Epoch = epoch
		e, err := f.Subject.Event(f.Kind, at, f.Payload)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}
