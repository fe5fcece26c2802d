package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// queuedEvent is an event of the current instant that no step caused. Subscribers work in parallel, so such events arrive
// in any order. They are recorded in order of server name and rank.
type queuedEvent struct {
	event
	rank int
	id   uuid.UUID
}

// The ranks of the events of one server.
const (
	rankCharge = iota
	rankDue
	rankWarned
	rankReleased
	rankClosed
	rankRefunded
	rankExecuted
	rankMail
)

func (s *simulation) enqueue(rank int, id uuid.UUID, e event) {
	s.queue = append(s.queue, queuedEvent{e, rank, id})
}

// recordQueue records the queued events in their order.
func (s *simulation) recordQueue() {
	slices.SortStableFunc(s.queue, func(a, b queuedEvent) int {
		return cmp.Or(
			cmp.Compare(a.Server, b.Server), cmp.Compare(a.rank, b.rank), cmp.Compare(a.Kind, b.Kind), slices.Compare(a.id[:], b.id[:]),
		)
	})
	for _, e := range s.queue {
		s.record(e.Kind, e.Who, e.Server, e.Text, e.Data)
	}
	s.queue = nil
}

// collect queues what the biller, the plug-in and the mail server have received. It reports whether there was anything.
func (s *simulation) collect() (bool, error) {
	entries, notified, sent := s.biller.entries.take(), s.notified.take(), s.sent.take()
	var errs []error
	s.queueEntries(entries)
	for _, e := range notified {
		errs = append(errs, s.queueEvent(e))
	}
	for _, m := range sent {
		errs = append(errs, s.queueMail(m))
	}
	return len(entries)+len(notified)+len(sent) > 0, errors.Join(errs...)
}

func (s *simulation) queueEntries(entries []entry) {
	var charges []string
	var all []data
	for _, e := range entries {
		b := e.server.Billing
		amount := money(e.amount, b)
		switch {
		case e.refund != nil:
			s.enqueue(rankRefunded, e.refund.Key, event{Kind: "money.refunded", Who: resellerName, Server: e.server.Name,
				Text: fmt.Sprintf("The reseller refunds %s for %s.%s", amount, e.server.Name, refundText(e.refund.Lines, e.refund.Amount, b)),
				Data: data{"cancellation_id": e.refund.CancellationID, "key": e.refund.Key, "total": e.refund.Amount.StringFixed(b.Decimals()),
					"currency": b.Currency, "lines": refundLines(e.refund.Lines, b)}})
		case e.skipped:
			s.enqueue(rankCharge, e.server.ID, event{Kind: "money.not_charged", Who: resellerName, Server: e.server.Name,
				Text: fmt.Sprintf("Not charged: %s from %s, because it is cancelled.", e.server.Name, local(e.period.Start, b)),
				Data: data{"start": e.period.Start.UTC(), "end": e.period.End.UTC()}})
		default:
			charges = append(charges, e.server.Name+" "+amount)
			all = append(all, data{"server": e.server.Name, "amount": e.amount.StringFixed(b.Decimals()), "currency": b.Currency,
				"start": e.period.Start.UTC(), "end": e.period.End.UTC()})
		}
	}
	if len(charges) > 0 {
		s.enqueue(rankCharge, uuid.Nil, event{Kind: "money.charged", Who: resellerName,
			Text: "Charged: " + strings.Join(charges, ", "), Data: data{"charges": all}})
	}
}

// queueEvent queues an event of the library that a Tick caused. Events that steps caused are recorded by the steps.
func (s *simulation) queueEvent(e notify.Event) error {
	switch e.Kind {
	case cancellation.KindWarning:
		return queuePayload(s, e, rankWarned, func(n cancellation.Notice) event {
			return event{Kind: "cancellation.warned", Server: n.ServerName,
				Text: fmt.Sprintf("The client is warned: %s will be cancelled in %s.", n.ServerName, count(n.DaysLeft, "day")),
				Data: data{"cancellation_id": n.CancellationID, "days_left": n.DaysLeft}}
		})
	case cancellation.KindClosed:
		return s.queueExecution(e)
	case dedicated.KindReleased:
		return s.queueRelease(e)
	case backup.KindClosed:
		return queuePayload(s, e, rankClosed, func(n backup.EndNotice) event {
			return event{Kind: "backup.closed", Server: n.ServerName,
				Text: fmt.Sprintf("All backup requests for %s end. Cancelled: %s.", n.ServerName, count(len(n.Tasks), "pending backup")),
				Data: data{"tasks": len(n.Tasks), "reason": n.Reason}}
		})
	case backup.KindOverdue:
		return queuePayload(s, e, rankDue, func(n backup.TaskNotice) event {
			return event{Kind: "backup.overdue", Server: n.ServerName,
				Text: fmt.Sprintf("The backup of %s for %s is overdue.", n.ServerName, n.Date), Data: data{"task_id": n.TaskID}}
		})
	case ticket.KindUnanswered:
		return queuePayload(s, e, rankDue, func(r ticket.Report) event {
			return event{Kind: "ticket.unanswered", Server: r.ServerName,
				Text: fmt.Sprintf("%s has had no answer for a day.", r.Ref), Data: data{"ticket_id": r.TicketID, "ref": r.Ref}}
		})
	case ticket.KindServerLeft:
		return queuePayload(s, e, rankClosed, func(r ticket.Report) event {
			return event{Kind: "ticket.closed", Server: r.ServerName,
				Text: fmt.Sprintf("%s (%s) is closed: the client no longer uses the server.", r.Ref, r.Subject),
				Data: data{"ticket_id": r.TicketID, "ref": r.Ref}}
		})
	case ticket.KindClosed:
		return queuePayload(s, e, rankClosed, func(n ticket.Notice) event {
			return event{Kind: "ticket.closed", Server: n.ServerName,
				Text: fmt.Sprintf("%s (%s) is closed.", n.Ref, n.Subject), Data: data{"ticket_id": n.TicketID, "ref": n.Ref}}
		})
	}
	return nil
}

// queuePayload queues an event that is made of the payload of an event of the library.
func queuePayload[T any](s *simulation, e notify.Event, rank int, convert func(T) event) error {
	var payload T
	if err := json.Unmarshal(e.Data, &payload); err != nil {
		return fmt.Errorf("event %s: %w", e.Kind, err)
	}
	converted := convert(payload)
	converted.Who = resellerName
	s.enqueue(rank, e.ID, converted)
	return nil
}

func (s *simulation) queueRelease(e notify.Event) error {
	server, err := s.servers.Server(s.ctx, s.reseller, e.ServerID)
	if err != nil {
		return err
	}
	s.enqueue(rankReleased, e.ID, event{Kind: "server.clean_up", Who: resellerName, Server: server.Name,
		Text: fmt.Sprintf("%s is no longer in use and must be wiped.", server.Name), Data: data{"state": server.State}})
	return nil
}

func (s *simulation) queueExecution(e notify.Event) error {
	c, err := s.cancellations.Cancellation(s.ctx, s.reseller, e.SubjectID)
	if err != nil {
		return err
	}
	var steps []string
	for _, step := range c.Steps {
		steps = append(steps, step.Name)
	}
	s.enqueue(rankExecuted, e.ID, event{Kind: "cancellation.executed", Who: resellerName, Server: c.ServerName,
		Text: fmt.Sprintf("%s is cancelled. Steps: %s.", c.ServerName, strings.Join(steps, ", ")),
		Data: data{"cancellation_id": c.ID, "for": c.At, "total": c.Refund.Total.StringFixed(c.Places), "currency": c.Currency,
			"steps": steps}})
	return nil
}

// queueMail queues an event with the subject of a mail and the beginning of its text.
func (s *simulation) queueMail(m notify.Message) error {
	var payload struct {
		ServerName string `json:"server_name"`
	}
	if err := json.Unmarshal(m.Data, &payload); err != nil {
		return fmt.Errorf("mail %s: %w", m.Kind, err)
	}
	replace := strings.NewReplacer(s.replaced...).Replace
	subject, text := replace(m.Subject), replace(m.Text)
	s.enqueue(rankMail+int(m.To.Audience), m.ID, event{
		Kind: "mail." + m.To.Audience.String(), Who: m.Person.Name, Server: payload.ServerName,
		Text: fmt.Sprintf("To %s <%s>: %s\n%s", m.Person.Name, m.Person.Address, subject, excerpt(text)),
		Data: data{"message_id": m.ID, "event": m.Kind, "to": m.Person.Address, "subject": subject, "body": text},
	})
	return nil
}

// replaceReference replaces the reference of a forwarded ticket in the output. The library makes references at random, so
// that nobody can guess them, but the output must be the same in every run.
func (s *simulation) replaceReference(ref, key string) {
	s.replaced = append(s.replaced, ref, "U-"+strings.ToUpper(strings.ReplaceAll(key, " ", "")))
}
