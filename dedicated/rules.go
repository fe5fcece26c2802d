package dedicated

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/notify"
)

// The rules of each operation are pure functions of the server as it is stored. They return the server as it becomes, and
// the facts to be recorded with it.

// assign returns the server in the use of a client, under a fresh assignment.
func (s Server) assign(n NewAssignment, assignment uuid.UUID, now time.Time) (Server, []manage.Fact, error) {
	if n.ClientID == uuid.Nil {
		return s, nil, invalid(OpAssign, "ClientID", "missing: the client that gets the server")
	}
	b, err := n.Billing.normalize(OpAssign)
	if err != nil {
		return s, nil, err
	}
	since := now
	if !n.Since.IsZero() {
		since = zone.Instant(n.Since)
		if y := since.Year(); since.IsZero() || y < 1 || y > maxYear {
			return s, nil, invalid(OpAssign, "Since", "year %d: want 1 to %d, or zero for now", y, maxYear)
		}
	}
	if since.After(now) {
		return s, nil, invalid(OpAssign, "Since", "%s is in the future: want %s or earlier, or zero for now",
			since.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	if s, err = s.move(OpAssign); err != nil {
		return s, nil, err
	}
	s.ClientID, s.Billing, s.BilledAt, s.Assignment, s.AssignedAt = n.ClientID, b, now, assignment, since
	return s, []manage.Fact{s.notice(KindAssigned, "")}, nil
}

// changeBilling returns the server under another billing.
func (s Server) changeBilling(b Billing, now time.Time) (Server, []manage.Fact, error) {
	b, err := b.normalize(OpChangeBilling)
	if err != nil {
		return s, nil, err
	}
	if s, err = s.move(OpChangeBilling); err != nil || s.Billing == b {
		return s, nil, err
	}
	s.Billing, s.BilledAt = b, now
	changed := BillingChanged{ServerID: s.ID, Assignment: s.Assignment, At: now}
	return s, []manage.Fact{{Kind: KindBillingChanged, Subject: s.subject(), Payload: changed}}, nil
}

// normalize returns the billing as it is stored, or an error that names the wrong field.
func (b Billing) normalize(op Op) (Billing, error) {
	b.Anchor = zone.Instant(b.Anchor)
	err := b.Validate()
	var e *Error
	if errors.As(err, &e) {
		e.Op, e.Field = op, "Billing."+e.Field
	}
	return b, err
}

func (s Server) rename(name string) (Server, []manage.Fact, error) {
	if err := checkName(OpRename, name); err != nil {
		return s, nil, err
	}
	s, err := s.move(OpRename)
	s.Name = name
	return s, nil, err
}

func (s Server) suspend(reason string) (Server, []manage.Fact, error) {
	if err := checkLine(OpSuspend, "reason", reason, MaxReason); err != nil {
		return s, nil, err
	}
	s, err := s.move(OpSuspend)
	return s, []manage.Fact{s.notice(KindSuspended, reason)}, err
}

func (s Server) resume() (Server, []manage.Fact, error) {
	s, err := s.move(OpResume)
	return s, []manage.Fact{s.notice(KindResumed, "")}, err
}

// release returns the server after the end of an assignment. In clean_up under this assignment it only sets the lock.
func (s Server) release(assignment, lockedBy uuid.UUID, reason string, now time.Time) (Server, []manage.Fact, error) {
	if err := checkLine(OpRelease, "reason", reason, MaxReason); err != nil {
		return s, nil, err
	}
	if assignment == uuid.Nil || s.Assignment != assignment {
		return s, nil, &Error{Op: OpRelease, ServerID: s.ID, Field: "assignment", State: s.State, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is no longer under assignment %s", s.Name, s.ID, assignment)}
	}
	if s.State == CleanUp {
		s, err := s.lock(lockedBy)
		return s, nil, err
	}
	s, err := s.move(OpRelease)
	s.LockedBy = lockedBy
	return s, s.releaseFacts(now, reason), err
}

func (s Server) releaseFacts(now time.Time, reason string) []manage.Fact {
	released := Released{
		ResellerID: s.ResellerID, ServerID: s.ID, ClientID: s.ClientID, Assignment: s.Assignment,
		CancellationID: s.LockedBy, At: now, Reason: reason,
	}
	facts := []manage.Fact{{Kind: KindReleased, Subject: s.subject(), Payload: released}}
	if s.LockedBy == uuid.Nil {
		facts = append(facts, s.notice(KindEnded, reason))
	}
	return facts
}

// lock returns the server in clean_up with the lock of a cancellation. A nil key changes nothing.
func (s Server) lock(key uuid.UUID) (Server, error) {
	switch {
	case key == uuid.Nil || s.LockedBy == key:
		return s, nil
	case s.LockedBy != uuid.Nil:
		return s, s.lockedError(OpRelease)
	}
	s.LockedBy = key
	return s, nil
}

func (s Server) lockedError(op Op) error {
	return &Error{Op: op, ServerID: s.ID, State: s.State, Err: ErrConflict,
		Msg: fmt.Sprintf("server %s (%s) is locked: cancellation %s is still wiping it", s.Name, s.ID, s.LockedBy)}
}

func (s Server) unlock(key uuid.UUID) (Server, []manage.Fact, error) {
	if key == uuid.Nil {
		return s, nil, invalid(OpUnlock, "key", "missing: the key that Release was given")
	}
	if s.LockedBy != uuid.Nil && s.LockedBy != key {
		return s, nil, s.lockedError(OpUnlock)
	}
	s, err := s.move(OpUnlock)
	s.LockedBy = uuid.Nil
	return s, nil, err
}

// vacate returns the server without anything of its last assignment, back in stock or retired.
func (s Server) vacate(op Op) (Server, []manage.Fact, error) {
	if s.LockedBy != uuid.Nil {
		return s, nil, s.lockedError(op)
	}
	s, err := s.move(op)
	s.ClientID, s.Assignment, s.AssignedAt, s.Billing, s.BilledAt = uuid.Nil, uuid.Nil, time.Time{}, Billing{}, time.Time{}
	return s, nil, err
}

// sameContent reports whether a repeated Add describes the stored server.
func (s Server) sameContent(stored Server) bool {
	return stored.ResellerID == s.ResellerID && stored.Name == s.Name && stored.Owner == s.Owner
}

// forClient returns what a client may see of a server that it uses.
func (s Server) forClient() Server {
	s.Owner, s.LockedBy = Owner{}, uuid.Nil
	return s
}

// subject is the server in events about the change that is about to be stored.
func (s Server) subject() notify.Subject {
	return notify.Subject{ResellerID: s.ResellerID, ClientID: s.ClientID, ServerID: s.ID, ID: s.ID, Version: s.Version + 1}
}

// notice makes a fact for the server's client.
func (s Server) notice(kind notify.Kind, reason string) manage.Fact {
	return manage.Fact{Kind: kind, Subject: s.subject(), Payload: Notice{ServerID: s.ID, ServerName: s.Name, Reason: reason}}
}

// forClient narrows a query to the servers that a client uses. possible is false if none can match.
func (q Query) forClient(client uuid.UUID) (narrowed Query, possible bool) {
	if q.ClientID != uuid.Nil && q.ClientID != client {
		return q, false
	}
	q.ClientID = client
	var states []State
	for _, state := range []State{InUse, Suspended} {
		if len(q.States) == 0 || slices.Contains(q.States, state) {
			states = append(states, state)
		}
	}
	q.States = states
	return q, len(states) > 0
}
