package main

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

func assign(s *stage, c cue) (line, error) {
	b := c.server.billing
	b.Anchor = s.clock.Now()
	server, err := s.servers.Assign(s.ctx, s.actor(c), c.server.id(), dedicated.NewAssignment{ClientID: c.client.id(), Billing: b})
	if err == nil {
		s.ledger.open(server, c.server.price)
	}
	return line{"server.assigned", fmt.Sprintf("%s rents %s out to %s", s.subject(c), c.server.name, c.client.name),
		data{"state": server.State}}, err
}

func hold(s *stage, c cue) (line, error) {
	server, err := s.servers.Suspend(s.ctx, s.actor(c), c.server.id(), c.text)
	return line{"server.held", fmt.Sprintf("%s holds %s back%s", s.subject(c), c.server.name, said(c.text)), data{"state": server.State}}, err
}

func resume(s *stage, c cue) (line, error) {
	server, err := s.servers.Resume(s.ctx, s.actor(c), c.server.id())
	return line{"server.resumed", fmt.Sprintf("%s gives %s back to %s", s.subject(c), c.server.name, c.client.name), data{"state": server.State}}, err
}

// release ends a client's use by hand, as of a machine that its provider has switched off.
func release(s *stage, c cue) (line, error) {
	server, err := s.servers.Server(s.ctx, s.reseller, c.server.id())
	if err == nil {
		server, err = s.servers.Release(s.ctx, s.actor(c), server.ID, server.Assignment, uuid.Nil, c.text)
	}
	return line{"server.released", fmt.Sprintf("%s takes %s back%s", s.subject(c), c.server.name, said(c.text)), data{"state": server.State}}, err
}

func retire(s *stage, c cue) (line, error) {
	server, err := s.servers.Retire(s.ctx, s.actor(c), c.server.id())
	return line{"server.retired", fmt.Sprintf("%s takes %s out of service%s", s.subject(c), c.server.name, said(c.text)), data{"state": server.State}}, err
}

func restock(s *stage, c cue) (line, error) {
	server, err := s.servers.Restock(s.ctx, s.actor(c), c.server.id())
	return line{"server.restocked", fmt.Sprintf("%s puts %s back in stock%s", s.subject(c), c.server.name, said(c.text)), data{"state": server.State}}, err
}
