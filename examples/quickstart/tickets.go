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
	return func(s *simulation, c call) (event, error) {
		form := ticket.Form{
			ID: idOf("ticket", key), ServerID: c.server.id(), Kind: kind, Subject: subject, Text: c.text,
			Fields: map[string]json.RawMessage{},
		}
		for name, value := range fields {
			b, err := json.Marshal(value)
			if err != nil {
				return event{}, err
			}
			form.Fields[name] = b
		}
		v, err := s.tickets.Open(s.ctx, s.actor(c), form)
		e := newEvent("ticket.opened",
			fmt.Sprintf("%s opens a ticket (%s) for %s, \"%s\"%s", s.subject(c), kind, c.server.name, subject, quotation(c.text)),
			data{"ticket_id": form.ID, "ticket_kind": kind, "subject": subject})
		if err == nil {
			e.Text += "\n-> " + v.Ref
			e.Data["ref"] = v.Ref
		}
		return e, err
	}
}

// move is a method of the ticket Manager that adds a note and may change the status. T is ticket.Ticket or ticket.View.
type move[T any] func(*ticket.Manager, context.Context, dedicated.Actor, uuid.UUID, ticket.Note) (T, error)

// answer makes a move on a ticket. sentence describes it, with %s for the ticket.
func answer[T any](key, kind, sentence string, m move[T]) action {
	return func(s *simulation, c call) (event, error) {
		id := idOf("ticket", key)
		t, err := s.tickets.Ticket(s.ctx, s.reseller, id)
		if err != nil {
			return event{}, err
		}
		_, err = m(s.tickets, s.ctx, s.actor(c), id, ticket.Note{Text: c.text})
		object := fmt.Sprintf("%s (%s, %s)", t.Ref, t.Kind, t.ServerName)
		return newEvent("ticket."+kind, s.subject(c)+" "+fmt.Sprintf(sentence, object)+quotation(c.text), data{
			"ticket_id": id, "ref": t.Ref, "ticket_kind": t.Kind,
		}), err
	}
}

func confirm(key string) action {
	return answer(key, "confirmed", "confirms %s", (*ticket.Manager).Confirm)
}

func reject(key string) action {
	return answer(key, "rejected", "rejects %s", (*ticket.Manager).Reject)
}

func askDetails(key string) action {
	return answer(key, "details_wanted", "asks for details about %s", (*ticket.Manager).AskDetails)
}

func comment(key string) action {
	return answer(key, "commented", "comments on %s", (*ticket.Manager).Comment)
}

func complete(key string) action {
	return answer(key, "done", "completes %s", (*ticket.Manager).Complete)
}

func relay(key string) action {
	return answer(key, "relayed", "relays the provider's reply to %s", (*ticket.Manager).Relay)
}

func forward(key string) action {
	send := answer(key, "forwarded", "forwards %s to the provider", (*ticket.Manager).Forward)
	return func(s *simulation, c call) (event, error) {
		e, err := send(s, c)
		if err != nil {
			return e, err
		}
		t, err := s.tickets.Ticket(s.ctx, s.reseller, idOf("ticket", key))
		if err == nil {
			s.replaceReference(t.Upstream.Ref, key)
			e.Data["provider"], e.Data["reference"] = t.Upstream.Provider, t.Upstream.Reference
		}
		return e, err
	}
}

// providerReplies does what a host's mailbox does with a mail that quotes the reference of the forwarded ticket.
func providerReplies(key string) action {
	return func(s *simulation, c call) (event, error) {
		t, err := s.tickets.Ticket(s.ctx, s.reseller, idOf("ticket", key))
		if err != nil || t.Upstream == nil {
			return event{}, err
		}
		_, err = s.tickets.ProviderReplied(s.ctx, s.reseller, t.Upstream.Ref, ticket.Note{Text: c.text})
		return newEvent("ticket.provider_replied",
			fmt.Sprintf("%s replies about %s%s", s.subject(c), t.Upstream.Reference, quotation(c.text)),
			data{"ticket_id": t.ID, "ref": t.Ref}), err
	}
}

// readTicket reads the ticket of the scenario's client.
func readTicket(key string) action {
	return func(s *simulation, c call) (event, error) {
		v, err := s.tickets.View(s.ctx, s.actor(c), idOf("ticket", key))
		return newEvent("ticket.read", fmt.Sprintf("%s tries to read the ticket of %s", s.subject(c), c.client.name), data{"ref": v.Ref}), err
	}
}

// chargeAddresses adds the price of additional addresses to the account: a tenth of the rent for each.
func chargeAddresses(n int) action {
	return func(s *simulation, c call) (event, error) {
		server, err := s.servers.Server(s.ctx, s.reseller, c.server.id())
		if err != nil {
			return event{}, err
		}
		amount := c.server.price.Shift(-1).Mul(decimal.NewFromInt(int64(n))).RoundBank(c.server.billing.Decimals())
		return event{}, s.biller.addPrice(server, fmt.Sprintf("%d additional addresses", n), amount)
	}
}
