package ticket

import (
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// tellEvery is how often the reseller is told of a client's moves at most, after MaxClientMails mails without an answer.
const tellEvery = day

// isAnswer reports whether the client sees something new.
func (v *move) isAnswer() bool {
	return v.after.Status.public() != v.before.Status.public() || v.newPublicComment() != nil
}

// newPublicComment returns the public comment that the move added, or nil.
func (v *move) newPublicComment() *Comment {
	if n := len(v.after.Thread); n > len(v.before.Thread) && !v.after.Thread[n-1].Internal {
		return &v.after.Thread[n-1]
	}
	return nil
}

// answers reports whether the reseller answers the client by the move, or says that the client needs no answer.
func (v *move) answers() bool {
	return v.by.Role != dedicated.Client && (v.op == OpDismiss || v.isAnswer())
}

// over reports whether a ticket in this status is decided and carried out, but not closed.
func (s Status) over() bool { return s == Done || s == Rejected }

// planAnswer records whether the client waits for an answer to a comment on what is done or rejected. An answer also lets mails
// about the client's moves go out at once again.
func (v *move) planAnswer() {
	t := &v.after
	switch {
	case v.op == OpTick || v.op == OpCloseServer:
	case v.answers():
		t.UnansweredSince, t.ClientMails, t.TellAt = time.Time{}, 0, time.Time{}
		if t.AnsweredAt.IsZero() {
			t.AnsweredAt = v.now
		}
	case v.by.Role == dedicated.Client && t.Status.over() && t.UnansweredSince.IsZero() && v.newPublicComment() != nil:
		t.UnansweredSince, t.Reminded = v.now, time.Time{}
	}
	if !t.Status.over() {
		t.UnansweredSince = time.Time{}
	}
}

// takeMail reports whether a mail tells the reseller of the client's move now, and counts it. Otherwise a Tick tells the reseller
// of this move and the following ones together.
func (v *move) takeMail() bool {
	t := &v.after
	if t.ClientMails < MaxClientMails {
		t.ClientMails++
		return true
	}
	if t.TellAt.IsZero() {
		t.TellAt = v.now.Add(tellEvery)
	}
	return false
}

// planClosing sets when the ticket closes by itself: some time after the reseller's answer, and not while a comment of the client
// on what is done or rejected is unanswered.
func (v *move) planClosing() {
	t := &v.after
	wait := v.closing
	switch t.Status {
	case Closed:
		if v.before.Status != Closed {
			t.ClosedAt = v.now
		}
		t.ClosesAt = time.Time{}
		return
	case NeedsDetails:
		if wait == 0 {
			wait = DefaultAutoClose
		}
	case Done, Rejected:
	default:
		t.ClosesAt, t.ClosedAt = time.Time{}, time.Time{}
		return
	}
	t.ClosedAt = time.Time{}
	switch {
	case wait < 0, !t.UnansweredSince.IsZero():
		t.ClosesAt = time.Time{}
	case v.answers():
		t.ClosesAt = v.now.Add(wait)
	}
}

// reminderAt returns when the reseller is to be reminded to answer the ticket, or the client's comment on what is done or rejected;
// zero: never.
func (r *rules) reminderAt(t Ticket) time.Time {
	switch {
	case r.response < 0 || !t.Reminded.IsZero():
		return time.Time{}
	case t.Status == Open && t.AnsweredAt.IsZero():
		return t.OpenedAt.Add(r.response)
	case !t.UnansweredSince.IsZero():
		return t.UnansweredSince.Add(r.response)
	}
	return time.Time{}
}

// unansweredComment returns the client's comment on what is done or rejected that the reseller is reminded of, or nil.
func (v *move) unansweredComment() *Comment {
	if v.before.UnansweredSince.IsZero() {
		return nil
	}
	return lastOfClient(v.before.Thread)
}

// plan sets when a Tick next looks at the ticket, ends the lease, and begins or ends the pause of its priority.
func (v *move) plan() {
	v.after = paced(v.after, v.now)
	t := &v.after
	t.LeaseUntil = time.Time{}
	t.Due = zone.Earlier(v.reminderAt(*t), zone.Earlier(t.ClosesAt, t.TellAt))
	if t.Due.IsZero() && t.Status.active() {
		t.Due = v.now.Add(checkEvery)
	}
}

// isDue reports whether a planned time has come; a zero time stands for never.
func (v *move) isDue(at time.Time) bool { return !at.IsZero() && !at.After(v.now) }
