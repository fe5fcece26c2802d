package main

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

func assign(s *simulation, c call) (event, error) {
	b := c.server.billing
	b.Anchor = s.clock.Now()
	server, err := s.servers.Assign(s.ctx, s.actor(c), c.server.id(), dedicated.NewAssignment{ClientID: c.client.id(), Billing: b})
	if err == nil {
		s.biller.open(server, c.server.price)
	}
	return newEvent("server.assigned", fmt.Sprintf("%s assigns %s to %s", s.subject(c), c.server.name, c.client.name),
		data{"state": server.State}), err
}

func suspend(s *simulation, c call) (event, error) {
	server, err := s.servers.Suspend(s.ctx, s.actor(c), c.server.id(), c.text)
	return newEvent("server.suspended", fmt.Sprintf("%s suspends %s%s", s.subject(c), c.server.name, quotation(c.text)), data{"state": server.State}), err
}

func resume(s *simulation, c call) (event, error) {
	server, err := s.servers.Resume(s.ctx, s.actor(c), c.server.id())
	return newEvent("server.resumed", fmt.Sprintf("%s resumes %s for %s", s.subject(c), c.server.name, c.client.name), data{"state": server.State}), err
}

// release ends a client's use without a cancellation. An example is a machine that its provider has switched off.
func release(s *simulation, c call) (event, error) {
	server, err := s.servers.Server(s.ctx, s.reseller, c.server.id())
	if err == nil {
		server, err = s.servers.Release(s.ctx, s.actor(c), server.ID, server.Assignment, uuid.Nil, c.text)
	}
	return newEvent("server.released", fmt.Sprintf("%s releases %s%s", s.subject(c), c.server.name, quotation(c.text)), data{"state": server.State}), err
}

func retire(s *simulation, c call) (event, error) {
	server, err := s.servers.Retire(s.ctx, s.actor(c), c.server.id())
	return newEvent("server.retired", fmt.Sprintf("%s retires %s%s", s.subject(c), c.server.name, quotation(c.text)), data{"state": server.State}), err
}

func restock(s *simulation, c call) (event, error) {
	server, err := s.servers.Restock(s.ctx, s.actor(c), c.server.id())
	return newEvent("server.restocked", fmt.Sprintf("%s returns %s to stock%s", s.subject(c), c.server.name, quotation(c.text)), data{"state": server.State}), err
}
