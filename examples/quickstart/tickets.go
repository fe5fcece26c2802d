package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

func openTicket(key string, kind ticket.Kind, subject string, fields map[string]any) action {
	return func(s *stage, c cue) (line, error) {
		form := ticket.Form{
			ID: idOf("ticket", key), ServerID: c.server.id(), Kind: kind, Subject: subject, Text: c.text,
			Fields: map[string]json.RawMessage{},
		}
		for name, value := range fields {
			b, err := json.Marshal(value)
			if err != nil {
				return line{}, err
			}
			form.Fields[name] = b
		}
		v, err := s.tickets.Open(s.ctx, s.actor(c), form)
		l := line{"ticket.opened", fmt.Sprintf("%s opens a ticket (%s) for %s, \"%s\"%s", s.subject(c), kind, c.server.name, subject, said(c.text)),
			data{"ticket_id": form.ID, "ticket_kind": kind, "subject": subject}}
		if err == nil {
			l.text += "\n-> " + v.Ref
			l.data["ref"] = v.Ref
		}
		return l, err
	}
}

// move is one of the ticket Manager's methods that say something along with a change of status.
type move func(*ticket.Manager, context.Context, dedicated.Actor, uuid.UUID, ticket.Note) error

// answer makes a move on a ticket; sentence says so, with %s for the ticket.
func answer(key, kind, sentence string, m move) action {
	return func(s *stage, c cue) (line, error) {
		id := idOf("ticket", key)
		t, err := s.tickets.Ticket(s.ctx, s.reseller, id)
		if err != nil {
			return line{}, err
		}
		err = m(s.tickets, s.ctx, s.actor(c), id, ticket.Note{Text: c.text})
		object := fmt.Sprintf("%s (%s, %s)", t.Ref, t.Kind, t.ServerName)
		return line{"ticket." + kind, s.subject(c) + " " + fmt.Sprintf(sentence, object) + said(c.text), data{
			"ticket_id": id, "ref": t.Ref, "ticket_kind": t.Kind,
		}}, err
	}
}

func confirm(key string) action {
	return answer(key, "confirmed", "confirms %s", (*ticket.Manager).Confirm)
}

func reject(key string) action {
	return answer(key, "rejected", "rejects %s", (*ticket.Manager).Reject)
}

func ask(key string) action {
	return answer(key, "details_wanted", "asks about %s", (*ticket.Manager).AskDetails)
}

func comment(key string) action {
	return answer(key, "commented", "writes to %s", (*ticket.Manager).Comment)
}

func complete(key string) action {
	return answer(key, "done", "has done %s", (*ticket.Manager).Complete)
}

func relay(key string) action {
	return answer(key, "relayed", "relays the answer in %s", (*ticket.Manager).Relay)
}

func forward(key string) action {
	send := answer(key, "forwarded", "forwards %s to the provider", (*ticket.Manager).Forward)
	return func(s *stage, c cue) (line, error) {
		l, err := send(s, c)
		if err != nil {
			return l, err
		}
		t, err := s.tickets.Ticket(s.ctx, s.reseller, idOf("ticket", key))
		if err == nil {
			s.hide(t.Upstream.Ref, key)
			l.data["provider"], l.data["reference"] = t.Upstream.Provider, t.Upstream.Reference
		}
		return l, err
	}
}

// providerReplies is what the host's mailbox does with an answer that quotes the reference of what was forwarded.
func providerReplies(key string) action {
	return func(s *stage, c cue) (line, error) {
		t, err := s.tickets.Ticket(s.ctx, s.reseller, idOf("ticket", key))
		if err != nil || t.Upstream == nil {
			return line{}, err
		}
		err = s.tickets.ProviderReplied(s.ctx, s.reseller, t.Upstream.Ref, ticket.Note{Text: c.text})
		return line{"ticket.provider_replied", fmt.Sprintf("%s answers about %s%s", s.subject(c), t.Upstream.Reference, said(c.text)),
			data{"ticket_id": t.ID, "ref": t.Ref}}, err
	}
}

// lookInto is somebody trying to read a ticket.
func lookInto(key string) action {
	return func(s *stage, c cue) (line, error) {
		v, err := s.tickets.View(s.ctx, s.actor(c), idOf("ticket", key))
		return line{"ticket.read", fmt.Sprintf("%s looks for %s's ticket", s.subject(c), c.client.name), data{"ref": v.Ref}}, err
	}
}

// chargeAddresses puts the price of additional addresses on the bill: a tenth of the rent each.
func chargeAddresses(n int) action {
	return func(s *stage, c cue) (line, error) {
		server, err := s.servers.Server(s.ctx, s.reseller, c.server.id())
		if err != nil {
			return line{}, err
		}
		amount := c.server.price.Shift(-1).Mul(decimal.NewFromInt(int64(n))).RoundBank(c.server.billing.Places)
		return line{}, s.ledger.extra(server, fmt.Sprintf("%d additional addresses", n), amount)
	}
}
