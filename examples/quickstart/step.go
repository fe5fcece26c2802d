package main

import (
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
)

// scenario is a sequence of steps on one server.
type scenario struct {
	name  string
	title string                         // one sentence; it is printed if the scenario is left out
	needs string                         // describes the server that it needs
	rank  func(*simulation, listing) int // how well a server fits, 0 for not at all; nil if it needs no server
	steps []step
}

// step is one action of one person.
type step struct {
	day     int           // of the simulation, from 1
	at      time.Duration // time of that day, in UTC: hm(9, 30)
	who     role
	do      action
	text    string // a message, a reason or a note of the person
	refused bool   // the library must refuse the step

	scenario string
	time     time.Time
}

// role says which person executes a step.
type role uint8

const (
	client      role = iota // the client of the scenario's server
	otherClient             // any other client
	reseller
	provider // the owner of the scenario's server; the reseller enters its answers
)

// call is a step with the server and the client of its scenario.
type call struct {
	step
	fixture
}

// action calls the library. It returns an event that describes the call, of which only Kind, Text and Data are set. An
// event without a Text is not recorded.
type action func(*simulation, call) (event, error)

// newEvent makes the event that an action returns.
func newEvent(kind, text string, d data) event { return event{Kind: kind, Text: text, Data: d} }

func (s *simulation) actor(c call) dedicated.Actor {
	switch c.who {
	case client:
		return s.client(c.client)
	case otherClient:
		return s.client(s.otherClient(c.client))
	}
	return s.reseller
}

// subject names the person as the subject of a sentence.
func (s *simulation) subject(c call) string {
	if c.who == reseller {
		return "The reseller"
	}
	return s.name(c)
}

// name returns the name of the person.
func (s *simulation) name(c call) string {
	switch c.who {
	case client:
		return c.client.name
	case otherClient:
		return s.otherClient(c.client).name
	case provider:
		return c.server.owner.Provider
	}
	return resellerName
}

// otherClient returns a client other than p.
func (s *simulation) otherClient(p person) person {
	for _, other := range s.inventory.clients() {
		if other != p {
			return other
		}
	}
	return person{name: "Another Client", email: "nobody@other.example"}
}
