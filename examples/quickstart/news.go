package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
	"github.com/metalkeep/metalkeep/ticket"
)

// news is what happened by itself at the present instant. Subscribers work side by side, so it comes in any order; it is
// told in that of the servers' names and the ranks.
type news struct {
	event
	rank int
	id   uuid.UUID
}

// The ranks of news about one server.
const (
	rankMoney = iota
	rankDue
	rankWarned
	rankReleased
	rankClosed
	rankRefunded
	rankExecuted
	rankMail
)

func (s *stage) expect(rank int, id uuid.UUID, e event) { s.news = append(s.news, news{e, rank, id}) }

// flush tells the news of the present instant.
func (s *stage) flush() {
	slices.SortStableFunc(s.news, func(a, b news) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.rank, b.rank), cmp.Compare(a.Kind, b.Kind), slices.Compare(a.id[:], b.id[:]))
	})
	for _, n := range s.news {
		s.tell(n.Kind, n.Who, n.Server, n.Text, n.Data)
	}
	s.news = nil
}

// notice takes in what the ledger, the plug-in and the mail server got, and says whether that was anything.
func (s *stage) notice() (bool, error) {
	entries, facts, sent := s.ledger.entries.take(), s.facts.take(), s.sent.take()
	var errs []error
	s.noticeMoney(entries)
	for _, e := range facts {
		errs = append(errs, s.noticeFact(e))
	}
	for _, m := range sent {
		errs = append(errs, s.noticeMail(m))
	}
	return len(entries)+len(facts)+len(sent) > 0, errors.Join(errs...)
}

func (s *stage) noticeMoney(entries []entry) {
	var charges []string
	var all []data
	for _, e := range entries {
		b := e.server.Billing
		amount := money(e.amount, b)
		switch {
		case e.refund != nil:
			s.expect(rankRefunded, e.refund.Key, event{Kind: "money.refunded", Who: resellerName, Server: e.server.Name,
				Text: fmt.Sprintf("The reseller pays %s back for %s.%s", amount, e.server.Name, bill(e.refund.Lines, e.refund.Amount, b)),
				Data: data{"cancellation_id": e.refund.CancellationID, "key": e.refund.Key, "total": e.refund.Amount.StringFixed(b.Places), "currency": b.Currency,
					"lines": billLines(e.refund.Lines, b)}})
		case e.skipped:
			s.expect(rankMoney, e.server.ID, event{Kind: "money.not_charged", Who: resellerName, Server: e.server.Name,
				Text: fmt.Sprintf("No rent for %s from %s: it is cancelled.", e.server.Name, local(e.period.Start, b)),
				Data: data{"start": e.period.Start.UTC(), "end": e.period.End.UTC()}})
		default:
			charges = append(charges, e.server.Name+" "+amount)
			all = append(all, data{"server": e.server.Name, "amount": e.amount.StringFixed(b.Places), "currency": b.Currency,
				"start": e.period.Start.UTC(), "end": e.period.End.UTC()})
		}
	}
	if len(charges) > 0 {
		s.expect(rankMoney, uuid.Nil, event{Kind: "money.charged", Who: resellerName,
			Text: "Charged: " + strings.Join(charges, ", "), Data: data{"charges": all}})
	}
}

// noticeFact tells of what no scene tells: what happened because its time had come.
func (s *stage) noticeFact(e notify.Event) error {
	switch e.Kind {
	case cancellation.KindWarning:
		return noticed(s, e, rankWarned, func(n cancellation.Notice) event {
			return event{Kind: "cancellation.warned", Server: n.ServerName,
				Text: fmt.Sprintf("A warning: %s will be cancelled in %s.", n.ServerName, count(n.DaysLeft, "day")),
				Data: data{"cancellation_id": n.CancellationID, "days_left": n.DaysLeft}}
		})
	case cancellation.KindClosed:
		return s.noticeExecution(e)
	case dedicated.KindReleased:
		return s.noticeRelease(e)
	case backup.KindClosed:
		return noticed(s, e, rankClosed, func(n backup.EndNotice) event {
			return event{Kind: "backup.closed", Server: n.ServerName,
				Text: fmt.Sprintf("The backups of %s end with it; %s cancelled.", n.ServerName, count(len(n.Tasks), "pending one")),
				Data: data{"tasks": len(n.Tasks), "reason": n.Reason}}
		})
	case backup.KindOverdue:
		return noticed(s, e, rankDue, func(n backup.TaskNotice) event {
			return event{Kind: "backup.overdue", Server: n.ServerName,
				Text: fmt.Sprintf("The backup of %s of %s is overdue.", n.ServerName, n.Date), Data: data{"task_id": n.TaskID}}
		})
	case ticket.KindUnanswered:
		return noticed(s, e, rankDue, func(r ticket.Report) event {
			return event{Kind: "ticket.unanswered", Server: r.ServerName,
				Text: fmt.Sprintf("%s has waited a whole day for its first answer.", r.Ref), Data: data{"ticket_id": r.TicketID, "ref": r.Ref}}
		})
	case ticket.KindServerLeft:
		return noticed(s, e, rankClosed, func(r ticket.Report) event {
			return event{Kind: "ticket.closed", Server: r.ServerName,
				Text: fmt.Sprintf("%s (%s) is closed: the server has left its client.", r.Ref, r.Subject), Data: data{"ticket_id": r.TicketID, "ref": r.Ref}}
		})
	case ticket.KindClosed:
		return noticed(s, e, rankClosed, func(n ticket.Notice) event {
			return event{Kind: "ticket.closed", Server: n.ServerName,
				Text: fmt.Sprintf("%s (%s) is closed.", n.Ref, n.Subject), Data: data{"ticket_id": n.TicketID, "ref": n.Ref}}
		})
	}
	return nil
}

// noticed makes news of an event's payload.
func noticed[T any](s *stage, e notify.Event, rank int, tell func(T) event) error {
	var payload T
	if err := json.Unmarshal(e.Data, &payload); err != nil {
		return fmt.Errorf("event %s: %w", e.Kind, err)
	}
	news := tell(payload)
	news.Who = resellerName
	s.expect(rank, e.ID, news)
	return nil
}

func (s *stage) noticeRelease(e notify.Event) error {
	server, err := s.servers.Server(s.ctx, s.reseller, e.ServerID)
	if err != nil {
		return err
	}
	s.expect(rankReleased, e.ID, event{Kind: "server.cleaned", Who: resellerName, Server: server.Name,
		Text: fmt.Sprintf("%s leaves its client and is to be wiped.", server.Name), Data: data{"state": server.State}})
	return nil
}

func (s *stage) noticeExecution(e notify.Event) error {
	c, err := s.cancellations.Cancellation(s.ctx, s.reseller, e.SubjectID)
	if err != nil {
		return err
	}
	var steps []string
	for _, step := range c.Steps {
		steps = append(steps, step.Name)
	}
	s.expect(rankExecuted, e.ID, event{Kind: "cancellation.executed", Who: resellerName, Server: c.ServerName,
		Text: fmt.Sprintf("%s is cancelled. Steps: %s.", c.ServerName, strings.Join(steps, ", ")),
		Data: data{"cancellation_id": c.ID, "for": c.At, "total": c.Refund.Total.StringFixed(c.Places), "currency": c.Currency, "steps": steps}})
	return nil
}

// noticeMail tells of a mail, with the beginning of what it says.
func (s *stage) noticeMail(m notify.Message) error {
	var payload struct {
		ServerName string `json:"server_name"`
	}
	if err := json.Unmarshal(m.Data, &payload); err != nil {
		return fmt.Errorf("mail %s: %w", m.Kind, err)
	}
	subject, text := s.show(m.Subject), s.show(m.Text)
	s.expect(rankMail+int(m.To.Audience), m.ID, event{
		Kind: "mail." + m.To.Audience.String(), Who: m.Person.Name, Server: payload.ServerName,
		Text: fmt.Sprintf("To %s <%s>: %s\n%s", m.Person.Name, m.Person.Address, subject, beginning(text)),
		Data: data{"message_id": m.ID, "event": m.Kind, "to": m.Person.Address, "subject": subject, "body": text},
	})
	return nil
}

// hide replaces the reference of what was forwarded wherever it is shown. The library makes it at random, for nobody to
// guess; the story is to be the same each time.
func (s *stage) hide(ref, key string) {
	s.shown = append(s.shown, ref, "U-"+strings.ToUpper(strings.ReplaceAll(key, " ", "")))
}

// beginning is what a text begins with, on one line.
func beginning(text string) string {
	const most = 160
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	all := []rune(strings.Join(lines, " / "))
	if len(all) > most {
		return string(all[:most]) + "…"
	}
	return string(all)
}

func (s *stage) show(text string) string { return strings.NewReplacer(s.shown...).Replace(text) }

func money(d decimal.Decimal, b dedicated.Billing) string {
	return d.StringFixed(b.Places) + " " + b.Currency
}

// bill lists what is paid back, line by line. Of what has been used up, one line tells.
func bill(lines []refund.Line, total decimal.Decimal, b dedicated.Billing) string {
	var s strings.Builder
	over := 0
	for _, l := range lines {
		if l.Amount.IsZero() && l.Unused == 0 && l.Charge.Kind == refund.Recurring {
			over++
			continue
		}
		fmt.Fprintf(&s, "\n  %s", l)
	}
	if over > 0 {
		fmt.Fprintf(&s, "\n  %s used up: nothing", count(over, "charge"))
	}
	fmt.Fprintf(&s, "\n  together %s", money(total, b))
	return s.String()
}

// billLine is a line of a bill, for programs.
type billLine struct {
	Label  string `json:"label"`
	Kind   string `json:"kind"`
	Paid   string `json:"paid"`
	Amount string `json:"amount"`
	Unused int64  `json:"unused"`
	Total  int64  `json:"total"`
	Note   string `json:"note"`
}

func billLines(lines []refund.Line, b dedicated.Billing) []billLine {
	all := make([]billLine, len(lines))
	for i, l := range lines {
		all[i] = billLine{
			l.Charge.Label, l.Charge.Kind.String(), l.Charge.Paid.StringFixed(b.Places), l.Amount.StringFixed(b.Places), l.Unused, l.Total, l.Note,
		}
	}
	return all
}
