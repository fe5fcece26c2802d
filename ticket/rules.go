package ticket

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"text/template"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/text"
)

// rules are the parts of a Config that decisions depend on.
type rules struct {
	kinds    *catalog
	closing  time.Duration // negative: never; 0: at once
	response time.Duration // negative: never
	reopen   time.Duration // negative: never
	aging    aging
	working  string
	template *template.Template // of Config.ForwardText
	epoch    string             // Config.Epoch
}

// checkEvery is how often a Tick checks whether the server of an active ticket is still its client's. It is for hosts that neither
// call CloseServer nor use the Subscriber.
const checkEvery = day

// move is one operation on one ticket while it is decided. Its methods are pure.
type move struct {
	*rules
	reading
	op    Op
	by    dedicated.Actor
	now   time.Time
	note  Note
	ref   string // of the upstream thread that a provider's answer belongs to
	ids   newIDs
	after Ticket
	facts []manage.Fact
}

// decide decides the operation on a stored ticket. rule is the rule of this operation alone; nil: there is none. If write is
// false, nothing has changed.
func (v *move) decide(rule func(*move) (changed bool, err error)) (write bool, err error) {
	v.after = v.before.clone()
	if repeat, err := v.isRepeat(); repeat || err != nil {
		return false, err
	}
	_, required, err := v.before.rowsFor(v.op, v.by)
	if err != nil {
		return false, err
	}
	if err := v.checkUsed(required); err != nil {
		return false, err
	}
	if err := v.checkNote(required); err != nil {
		return false, err
	}
	to, err := v.before.next(v.op, v.by)
	if err != nil {
		return false, err
	}
	if err := v.checkReopen(to); err != nil {
		return false, err
	}
	if err := v.checkRoom(to); err != nil {
		return false, err
	}
	v.after.Status, v.after.Decision = to, v.before.decision(to)
	if rule != nil {
		if changed, err := rule(v); !changed || err != nil {
			return false, err
		}
	}
	if err := v.appendNote(); err != nil {
		return false, err
	}
	return true, v.finish()
}

// needsServer reports whether an operation by an actor depends on the ticket's server.
func (t Ticket) needsServer(op Op, a dedicated.Actor) bool {
	return requirements[op].service || a.Role == dedicated.Client || op == OpRelay && t.Upstream == nil
}

// needsKey reports whether an operation by an actor makes the ticket active again and gives it a unique key.
func (r *rules) needsKey(t Ticket, op Op, a dedicated.Actor) bool {
	to, err := t.next(op, a)
	return err == nil && r.takesKey(t, to)
}

func (r *rules) takesKey(before Ticket, to Status) bool {
	return to.active() && !before.Status.active() && r.kinds.specs[before.Kind].Unique
}

// checkUsed refuses a service, and every move of the client, after the server has left the client.
func (v *move) checkUsed(required requirement) error {
	t := v.before
	client := v.by.Role == dedicated.Client
	if !required.service && !client || v.found && t.isOf(v.server) {
		return nil
	}
	sentinel := ErrConflict
	if client {
		sentinel = ErrForbidden
	}
	return &Error{Op: v.op, TicketID: t.ID, ServerID: t.ServerID, Err: sentinel,
		Msg: fmt.Sprintf("server %s (%s) has left the client of ticket %s: %s is no longer possible", t.ServerName, t.ServerID, t.Ref, v.op)}
}

// checkReopen refuses a client that reopens a closed ticket too late.
func (v *move) checkReopen(to Status) error {
	t := v.before
	if t.Status != Closed || to == Closed || v.by.Role != dedicated.Client {
		return nil
	}
	if v.reopen >= 0 && !v.now.After(t.ClosedAt.Add(v.reopen)) {
		return nil
	}
	return &Error{Op: v.op, TicketID: t.ID, Status: t.Status, Err: ErrConflict,
		Msg: fmt.Sprintf("ticket %s (%s) was closed too long ago to be reopened: open a new one", t.Ref, t.ID)}
}

// draft returns the ticket that a form opens on the server.
func (v *move) draft(f Form) (Ticket, error) {
	spec, ok := v.kinds.specs[f.Kind]
	if !ok {
		return Ticket{}, invalid(v.op, "Kind", "%.64q is not a kind that Forms returns", f.Kind)
	}
	values, found := spec.check(f.Fields)
	subject := f.Subject
	if strings.TrimSpace(subject) == "" {
		subject = spec.Label
	}
	if err := text.CheckLine("Subject", subject, MaxSubject); err != nil {
		found = append([]FieldError{{"Subject", err.Error()}}, found...)
	}
	if err := text.CheckBlock("Text", f.Text, MaxText); err != nil {
		found = append(found, FieldError{"Text", err.Error()})
	}
	if e := invalidFields(v.op, found); e != nil {
		return Ticket{}, e
	}
	s := v.server
	t := Ticket{
		ID: f.ID, ResellerID: s.ResellerID, ClientID: s.ClientID, ServerID: s.ID, Assignment: s.Assignment,
		Ref: shortReference(f.ID), ServerName: text.Clean(s.Name, dedicated.MaxName), Kind: f.Kind, Fields: values, Subject: subject,
		Status: Open, Priority: DefaultPriority, UrgentAt: v.aging.urgentAt(DefaultPriority, v.now), OpenedAt: v.now, LastAt: v.now,
	}
	if strings.TrimSpace(f.Text) != "" {
		t.Thread = []Comment{{ID: uuid.NewSHA1(t.ID, []byte(OpOpen)), By: v.by, At: v.now, Op: v.op, Text: f.Text}}
	}
	return t, nil
}

// open decides to open the ticket of a form. A repeat of a stored one writes nothing.
func (v *move) open(f Form) (write bool, err error) {
	t, err := v.draft(f)
	if err != nil {
		return false, err
	}
	if v.before.Version > 0 {
		v.after = v.before
		return false, v.checkRepeat(f.ServerID, t)
	}
	if !v.server.Used() {
		return false, &Error{Op: v.op, ServerID: t.ServerID, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is %s: Open takes one that a client uses", t.ServerName, t.ServerID, v.server.State)}
	}
	if err := checkOffered(v.op, t.Kind, v.server); err != nil {
		return false, err
	}
	v.after = t
	if v.kinds.specs[t.Kind].Unique {
		v.after.UniqueKey = t.uniqueKey()
	}
	if err := v.checkUnique(); err != nil {
		return false, err
	}
	first := lastPublic(t.Thread)
	v.facts = []manage.Fact{v.after.fact(KindOpened, v.notice(v.after.view(), first))}
	if v.by.Role == dedicated.Client {
		v.facts = append(v.facts, v.after.fact(KindReceived, v.report(first, "")))
	} else {
		v.after.AnsweredAt = v.now
	}
	v.plan()
	return true, nil
}

// checkRepeat refuses a form whose ID is stored, unless the same form opened the stored ticket. Its server may have left the client since.
// t is the ticket that the form opens.
func (v *move) checkRepeat(server uuid.UUID, t Ticket) error {
	stored := v.before
	sameFields := maps.EqualFunc(stored.Fields, t.Fields, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
	if stored.visibleTo(v.by) && stored.ServerID == server && stored.Kind == t.Kind && stored.Subject == t.Subject && sameFields &&
		stored.firstText() == t.firstText() {
		return nil
	}
	return &Error{Op: v.op, TicketID: t.ID, Field: "ID", Existing: stored.viewFor(v.by), Err: ErrConflict,
		Msg: fmt.Sprintf("another ticket has the ID %s", t.ID)}
}

// firstText returns the text that the ticket was opened with.
func (t Ticket) firstText() string {
	if len(t.Thread) > 0 && t.Thread[0].Op == OpOpen {
		return t.Thread[0].Text
	}
	return ""
}

// checkOffered refuses a kind that is not for the server.
func checkOffered(op Op, k Kind, s dedicated.Server) error {
	if k == CancelAtProvider && s.Owner.Own() {
		return &Error{Op: op, ServerID: s.ID, Field: "Kind", Err: ErrForbidden,
			Msg: fmt.Sprintf("server %s takes no ticket of the kind %s: schedule its cancellation instead", s.ID, k)}
	}
	return nil
}

// uniqueKey is the key of an active ticket of a unique kind. It has the server, because a host's own inventory may give several
// servers of a client the same Assignment, or none.
func (t Ticket) uniqueKey() string {
	return t.ServerID.String() + "/" + t.Assignment.String() + "/" + string(t.Kind)
}

// checkUnique refuses a second active ticket of a unique kind. The Store refuses it as well; this error names the first one.
func (v *move) checkUnique() error {
	if v.after.UniqueKey == "" || v.existing == nil {
		return nil
	}
	e := &Error{
		Op: v.op, TicketID: v.before.ID, ServerID: v.after.ServerID, Field: "Kind", Existing: v.existing.viewFor(v.by), Err: ErrConflict,
		Msg: fmt.Sprintf("another ticket of the kind %s is open for server %s", v.after.Kind, v.after.ServerName),
	}
	if e.Existing != nil {
		e.Msg = fmt.Sprintf("ticket %s (%s) of the kind %s is open for server %s already",
			v.existing.Ref, v.existing.ID, v.after.Kind, v.after.ServerName)
	}
	return e
}

func (v *move) setPriority(priority int) error {
	if priority < LowestPriority || priority > HighestPriority {
		return invalid(v.op, "priority", "%d, expected %d to %d", priority, LowestPriority, HighestPriority)
	}
	v.after.Priority = priority
	v.after = v.aging.restarted(v.after, v.now)
	return nil
}

// finish sets the times, the unique key and the facts that follow from the new status and the thread.
func (v *move) finish() error {
	t := &v.after
	t.LastAt = v.now
	if v.op == OpReopen {
		v.after = v.aging.restarted(v.after, v.now)
	}
	v.planAnswer()
	v.planClosing()
	switch {
	case !t.Status.active():
		t.UniqueKey = ""
	case v.takesKey(v.before, t.Status):
		t.UniqueKey = t.uniqueKey()
		if err := v.checkUnique(); err != nil {
			return err
		}
	}
	v.facts = append(v.facts, v.conclusionFacts()...)
	if (t.Status == Done || t.Status == Rejected) && v.closing == 0 && t.ClosesAt.Equal(v.now) {
		t.Status = Closed
		v.planClosing()
	}
	v.plan()
	return nil
}

// bySystem returns a move of the library itself on a stored ticket.
func (r *rules) bySystem(op Op, rd reading, now time.Time) *move {
	return &move{rules: r, reading: rd, op: op, by: inventory.System(rd.before.ResellerID), now: now, after: rd.before.clone()}
}

// closeTicket closes the ticket without a comment, and tells nobody.
func (v *move) closeTicket() error {
	to, err := v.before.next(v.op, v.by)
	if err != nil {
		return err
	}
	v.after.Status, v.after.UniqueKey, v.after.LastAt = to, "", v.now
	v.planAnswer()
	v.planClosing()
	v.plan()
	return nil
}

// closeAsLeft closes a ticket whose server has left its client. The reseller is told if the ticket was active.
func (v *move) closeAsLeft(reason string) error {
	v.op = OpCloseServer
	if err := v.closeTicket(); err != nil {
		return err
	}
	if v.before.Status.active() {
		v.facts = []manage.Fact{v.after.fact(KindServerLeft, v.report(nil, reason))}
	}
	return nil
}

// due decides the move of a Tick on a claimed ticket.
func (v *move) due() error {
	t := v.before
	switch {
	case t.Status == Closed:
	case !v.found || !t.isOf(v.server):
		return v.closeAsLeft("")
	case v.isDue(t.ClosesAt):
		err := v.closeTicket()
		v.facts = v.clientFacts()
		return err
	}
	if v.isDue(v.reminderAt(t)) {
		v.after.Reminded = v.now
		v.facts = append(v.facts, v.after.fact(KindUnanswered, v.report(v.unansweredComment(), "")))
	}
	if v.isDue(t.TellAt) {
		v.after.TellAt = time.Time{}
		v.facts = append(v.facts, v.after.fact(KindMoreFromClient, v.report(lastOfClient(t.Thread), "")))
	}
	v.plan()
	return nil
}
