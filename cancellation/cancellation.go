package cancellation

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/refund"
)

// Cancellation is the planned end of a client's use of a server. It belongs to one assignment of the server, so that it never
// reaches the next client. An assignment has at most one active cancellation (scheduled or executing).
//
// All times are in UTC, to the microsecond. A client gets the fields from Steps to Abandoned, Held, Confirmed, Epoch, SettingsVersion, Due
// and LeaseUntil blank: they are for the reseller.
type Cancellation struct {
	ID         uuid.UUID
	ResellerID uuid.UUID
	ClientID   uuid.UUID
	ServerID   uuid.UUID
	Assignment uuid.UUID // of the server to the client, when it was scheduled
	ServerName string    // as the Manager last saw it
	State      State

	When  When      // the date or the intent that was ordered
	Asked time.Time // when it was ordered or moved last; When means the billing period that contains it, or the first one
	At    time.Time // the planned instant that When means; the refund is computed for it, even if the execution is late
	// Ordered is what At was when it was ordered or moved last: At itself follows the billing. Zero: unknown.
	Ordered time.Time
	Zone    string          // the server's zone at the last planning, for dates and days in warnings and mails
	By      dedicated.Actor // the actor that ordered it
	// Reason is one line of at most dedicated.MaxReason bytes, or "". The client sees it.
	Reason     string
	TellClient bool            // Order.TellClient: the client was told of the order at once
	MovedBy    dedicated.Role  // the role that moved it by Reschedule; a reseller's or System's stays; 0: nobody has
	Cycle      dedicated.Cycle // the billing cycle under which the end of a period became At; zero: unknown, or When is no end of a period
	// OrderedCycle is the billing cycle when it was ordered or moved by a person; zero as Cycle.
	OrderedCycle dedicated.Cycle
	NoticeDays   int // Settings.NoticeDays when a client ordered or moved it, frozen; 0 for everyone else
	LockDays     int // Settings.LockDays when a client ordered or moved it, frozen; 0 for everyone else

	Steps        []Step    // of the execution, in order; empty before it
	Attempts     int       // consecutive failures of the current step; a crashed worker counts as one; above 0 it is stuck
	LastError    string    // of the last failure; in the state failed, the reason
	RetryAt      time.Time // the next attempt; zero: nothing has failed
	BegunAt      time.Time // a call of a host's part was begun then and has not returned; zero: no such call is running
	PendingUntil time.Time // a step has begun something that lasts and is asked again then; zero: nothing is pending
	Abandoned    bool      // the reseller has given the execution up

	Held      bool   // above Config.MaxExecutions: it waits for Confirm
	Confirmed bool   // the reseller has let it go on although Config.MaxExecutions was reached
	Epoch     string // Config.Epoch at the last decision of a person

	Postponed time.Time // the execution was postponed to then by Settings.MinWarningDays, once; zero: it was not

	Refund   refund.Result // fixed when the execution begins
	Currency string        // of Refund: ISO 4217
	Places   int32         // of Refund: the currency's decimal places

	Warned  []Warning // the recorded warnings, oldest first: those of At, and the newest hundred
	History []Entry   // the visible changes, oldest first: the first one, and the newest hundred

	SettingsVersion int64     // the Settings.Saved for which Due was computed
	Due             time.Time // when a Tick must look at it next; zero: never
	LeaseUntil      time.Time
	Version         int64
}

// Step is one part of an execution. Done is the instant at which it succeeded, zero before.
type Step struct {
	Name string
	Done time.Time
}

// Warning is one recorded warning of the planned date For, Days calendar days ahead. Sent is when it was recorded; the mail follows.
type Warning struct {
	Days int
	For  time.Time
	Sent time.Time
}

// Entry is one change in the history: its time, its actor, and what changed. If the date moved, From and To are the dates. What is
// one of the words "scheduled", "rescheduled", "moved" (with the billing period), "discarded", "postponed", "executing",
// "executed", "retried", "held" (above Config.MaxExecutions), "confirmed", "abandoned" and "failed". If there is a reason, ": " and
// the reason follow.
type Entry struct {
	At       time.Time
	By       dedicated.Actor
	What     string
	From, To time.Time
}

// maxHistory is how many entries the history keeps besides the first one, and how many warnings are kept for other dates.
const maxHistory = 100

// record adds an entry to the history, in a new slice. The history keeps the first entry and the newest maxHistory.
func (c *Cancellation) record(now time.Time, by dedicated.Actor, what, reason string, from, to time.Time) {
	if reason != "" {
		what += ": " + reason
	}
	history := append(slices.Clip(c.History), Entry{At: now, By: by, What: what, From: from, To: to})
	if len(history) > 1+maxHistory {
		history = append(history[:1:1], history[len(history)-maxHistory:]...)
	}
	c.History = history
}

// recordWarning adds a warning of the planned date, in a new slice. It keeps the newest maxHistory warnings and all of the planned
// date: each of those is nearer than the one before, so there are few.
func (c *Cancellation) recordWarning(days int, now time.Time) {
	warned := append(slices.Clip(c.Warned), Warning{Days: days, For: c.At, Sent: now})
	var kept []Warning
	for i, w := range warned {
		if i >= len(warned)-maxHistory || w.For.Equal(c.At) {
			kept = append(kept, w)
		}
	}
	c.Warned = kept
}

// stepDone reports whether a step of the execution is done.
func (c Cancellation) stepDone(name string) bool {
	return slices.ContainsFunc(c.Steps, func(s Step) bool { return s.Name == name && !s.Done.IsZero() })
}

// finish marks a step as done, in a new slice.
func (c *Cancellation) finish(name string, now time.Time) {
	c.Steps = slices.Clone(c.Steps)
	for i := range c.Steps {
		if c.Steps[i].Name == name {
			c.Steps[i].Done = now
		}
	}
}

// clearFailures clears the failures so far.
func (c *Cancellation) clearFailures() {
	c.Attempts, c.LastError, c.RetryAt = 0, "", time.Time{}
}

// orderedBy reports whether the actor is the client that ordered it.
func (c Cancellation) orderedBy(a dedicated.Actor) bool {
	return c.By.Role == dedicated.Client && a.IsClient(c.ResellerID, c.By.ID)
}

// knownToClient reports whether the client has ordered it, was told of the order or was warned of it.
func (c Cancellation) knownToClient() bool {
	return c.By.Role == dedicated.Client || c.TellClient || len(c.Warned) > 0
}

// holds reports whether the server is still under the assignment of the cancellation.
func (c Cancellation) holds(s dedicated.Server) bool {
	return s.ID == c.ServerID && s.ResellerID == c.ResellerID && s.Assignment == c.Assignment && s.ClientID == c.ClientID
}

// location is the zone of the cancellation's dates.
func (c Cancellation) location() *time.Location { return location(c.Zone) }

// clone returns a copy that shares no slice with c.
func (c Cancellation) clone() Cancellation {
	c.Steps, c.Warned, c.History = slices.Clone(c.Steps), slices.Clone(c.Warned), slices.Clone(c.History)
	c.Refund.Lines = slices.Clone(c.Refund.Lines)
	return c
}

// visibleTo reports whether the actor may know of the cancellation.
func (c Cancellation) visibleTo(a dedicated.Actor) bool {
	return a.Manages(c.ResellerID) || a.IsClient(c.ResellerID, c.ClientID)
}

// view returns what the actor may see of the cancellation.
func (c Cancellation) view(a dedicated.Actor) Cancellation {
	if a.Manages(c.ResellerID) {
		return c
	}
	return c.forClient()
}

// viewOf is view, for an error.
func (c Cancellation) viewOf(a dedicated.Actor) *Cancellation {
	c = c.view(a).clone()
	return &c
}

// forClient returns what the client may see: no steps and failures, and no members of the reseller's staff.
func (c Cancellation) forClient() Cancellation {
	c.Steps, c.Attempts, c.LastError, c.RetryAt, c.Abandoned = nil, 0, "", time.Time{}, false
	c.BegunAt, c.PendingUntil, c.Held, c.Confirmed, c.Epoch = time.Time{}, time.Time{}, false, false, ""
	c.SettingsVersion, c.Due, c.LeaseUntil = 0, time.Time{}, time.Time{}
	c.By = c.anonymous(c.By)
	var visible []Entry
	for _, e := range c.History {
		e.By = c.anonymous(e.By)
		switch what, _, _ := strings.Cut(e.What, ": "); what {
		case entryRetried, entryHeld, entryConfirmed:
			continue
		case entryAbandoned, entryFailed:
			e.What = what
		}
		visible = append(visible, e)
	}
	c.History = visible
	return c
}

// anonymous removes the ID of every actor but the client itself.
func (c Cancellation) anonymous(a dedicated.Actor) dedicated.Actor {
	if !a.IsClient(c.ResellerID, c.ClientID) {
		a.ID = uuid.Nil
	}
	return a
}
