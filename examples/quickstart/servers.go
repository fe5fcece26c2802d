package main

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

func serverEvent(kind, text string, server dedicated.Server) event {
	return newEvent("server."+kind, text, data{"state": server.State})
}

func assign(s *simulation, c call) (event, error) {
	b := c.server.billing
	b.Anchor = s.clock.Now()
	server, err := s.servers.Assign(s.ctx, s.actor(c), c.server.id(), dedicated.NewAssignment{ClientID: c.client.id(), Billing: b})
	if err == nil {
		s.biller.open(server, c.server.price)
	}
	return serverEvent("assigned", fmt.Sprintf("%s assigns %s to %s", s.subject(c), c.server.name, c.client.name), server), err
}

func suspend(s *simulation, c call) (event, error) {
	server, err := s.servers.Suspend(s.ctx, s.actor(c), c.server.id(), c.text)
	return serverEvent("suspended", fmt.Sprintf("%s suspends %s%s", s.subject(c), c.server.name, quotation(c.text)), server), err
}

func resume(s *simulation, c call) (event, error) {
	server, err := s.servers.Resume(s.ctx, s.actor(c), c.server.id())
	return serverEvent("resumed", fmt.Sprintf("%s resumes %s for %s", s.subject(c), c.server.name, c.client.name), server), err
}

// release ends a client's use without a cancellation. An example is a machine that its provider has switched off.
func release(s *simulation, c call) (event, error) {
	server, err := s.servers.Server(s.ctx, s.reseller, c.server.id())
	if err == nil {
		server, err = s.servers.Release(s.ctx, s.actor(c), server.ID, server.Assignment, uuid.Nil, c.text)
	}
	return serverEvent("released", fmt.Sprintf("%s releases %s%s", s.subject(c), c.server.name, quotation(c.text)), server), err
}

func retire(s *simulation, c call) (event, error) {
	server, err := s.servers.Retire(s.ctx, s.actor(c), c.server.id())
	return serverEvent("retired", fmt.Sprintf("%s retires %s%s", s.subject(c), c.server.name, quotation(c.text)), server), err
}

func restock(s *simulation, c call) (event, error) {
	server, err := s.servers.Restock(s.ctx, s.actor(c), c.server.id())
	return serverEvent("restocked", fmt.Sprintf("%s returns %s to stock%s", s.subject(c), c.server.name, quotation(c.text)), server), err
}
