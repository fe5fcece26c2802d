package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// act is a part of the story that plays on one server.
type act struct {
	name   string
	title  string                    // what is lost without it
	wants  string                    // the server that it takes
	fits   func(*stage, listing) int // how well a server fits; 0: not at all. nil: the act needs none
	scenes []scene
}

// scene is one thing that somebody does.
type scene struct {
	day     int           // of the story, from 1
	at      time.Duration // of that day, in UTC: hm(9, 30)
	who     role
	do      action
	text    string // what is said, the reason, the client's words
	refused bool   // by the rules

	act  string
	when time.Time
}

// role is who acts.
type role uint8

const (
	client   role = iota // who rents the act's server
	stranger             // another client
	reseller
	provider // whose machine the act's server is; its words come by way of the reseller
)

// cue is a scene with its cast.
type cue struct {
	scene
	part
}

// action does something through the library and says what.
type action func(*stage, cue) (line, error)

// line is what an action says of itself. An empty text is not told.
type line struct {
	kind string
	text string
	data data
}

func (s *stage) actor(c cue) dedicated.Actor {
	switch c.who {
	case client:
		return s.client(c.client)
	case stranger:
		return s.client(s.stranger(c.client))
	}
	return s.reseller
}

// subject is who acts, as the subject of a sentence.
func (s *stage) subject(c cue) string {
	if c.who == reseller {
		return "The reseller"
	}
	return s.name(c)
}

// name is who acts.
func (s *stage) name(c cue) string {
	switch c.who {
	case client:
		return c.client.name
	case stranger:
		return s.stranger(c.client).name
	case provider:
		return c.server.owner.Provider
	}
	return resellerName
}

// stranger is a client other than p.
func (s *stage) stranger(p person) person {
	for _, other := range s.stock.clients() {
		if other != p {
			return other
		}
	}
	return person{name: "A stranger", email: "nobody@stranger.example"}
}

// said quotes what somebody says, if anything.
func said(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf(": \"%s\"", text)
}

// local is an instant for people, where a server is.
func local(t time.Time, b dedicated.Billing) string {
	loc := place(b)
	return t.In(loc).Format("Mon 2 Jan 2006 15:04") + " " + loc.String()
}

func place(b dedicated.Billing) *time.Location {
	loc, err := time.LoadLocation(b.Zone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// billing is that of a server of the inventory.
func (s *stage) billing(server uuid.UUID) dedicated.Billing {
	i := slices.IndexFunc(s.stock.servers, func(l listing) bool { return l.id() == server })
	if i < 0 {
		return dedicated.Billing{}
	}
	return s.stock.servers[i].billing
}
