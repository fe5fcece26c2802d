package cancellation

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/refund"
)

// Cancellation is a server's planned end of use. It belongs to one assignment of the server: what was meant for one use
// of the machine never hits the next. One is active (scheduled or executing) per assignment.
//
// All times are in UTC, to the microsecond. Steps, Attempts, LastError, RetryAt and what a Store needs are for the
// reseller: a client gets them blank.
type Cancellation struct {
	ID         uuid.UUID
	ResellerID uuid.UUID
	ClientID   uuid.UUID
	ServerID   uuid.UUID
	Assignment uuid.UUID // dedicated.Server's, when it was scheduled
	ServerName string    // as the Manager last saw it
	State      State

	When  When            // what was asked for
	Asked time.Time       // when it was asked for: the billing period that When means is the one at this instant, or the first
	At    time.Time       // the planned instant that When means: what a refund is reckoned by, however late the execution is
	Zone  string          // the server's zone as of the last planning: what dates and days mean in warnings and mails
	By    dedicated.Actor // who ordered it
	// Reason is the order's: one line of at most dedicated.MaxReason bytes, or "". The client sees it.
	Reason string

	Steps     []Step    // of the execution, in order; empty before it
	Attempts  int       // failures in a row, of the step that is not done or of the beginning, one for a death; above 0: stuck
	LastError string    // of the last failure; after an end as failed, why
	RetryAt   time.Time // not before then is it tried again; zero: nothing has failed
	Postponed time.Time // Settings.MinWarningDays has moved the execution to then, once; zero: it has not
	Abandoned bool      // an operator has given the execution up

	Refund   refund.Result // fixed when the execution begins
	Currency string        // of Refund: ISO 4217
	Places   int32         // of Refund: the currency's decimal places

	Warned  []Warning // that were recorded, oldest first
	History []Entry   // every visible change, oldest first

	SettingsVersion int64     // the Settings.Saved that Due was reckoned under
	Due             time.Time // when a Manager has to look at it next; zero: never
	LeaseUntil      time.Time
	Version         int64
}

// Step is one part of an execution. Done is zero until it has succeeded.
type Step struct {
	Name string
	Done time.Time
}

// Warning is one warning that was recorded: for the date For, Days ahead. Sent is when it was recorded; the mail follows.
type Warning struct {
	Days int
	For  time.Time
	Sent time.Time
}

// Entry is one visible change: who, when and what, and where the date moved, from and to. What is one of the words
// "scheduled", "rescheduled", "moved" (with the billing period), "discarded", "postponed", "executing", "executed",
// "retried", "abandoned" and "failed", followed by ": " and the reason where there is one.
type Entry struct {
	At       time.Time
	By       dedicated.Actor
	What     string
	From, To time.Time
}

// record adds to the history, in a slice of its own.
func (c *Cancellation) record(now time.Time, by dedicated.Actor, what, reason string, from, to time.Time) {
	if reason != "" {
		what += ": " + reason
	}
	c.History = append(slices.Clip(c.History), Entry{At: now, By: by, What: what, From: from, To: to})
}

// stepDone says whether the execution has got past a step.
func (c Cancellation) stepDone(name string) bool {
	return slices.ContainsFunc(c.Steps, func(s Step) bool { return s.Name == name && !s.Done.IsZero() })
}

// finish marks a step as done, in a slice of its own.
func (c *Cancellation) finish(name string, now time.Time) {
	c.Steps = slices.Clone(c.Steps)
	for i := range c.Steps {
		if c.Steps[i].Name == name {
			c.Steps[i].Done = now
		}
	}
}

// recovered forgets the failures so far.
func (c *Cancellation) recovered() {
	c.Attempts, c.LastError, c.RetryAt = 0, "", time.Time{}
}

// ordered says whether the actor is the client who ordered it.
func (c Cancellation) ordered(a dedicated.Actor) bool {
	return c.By.Role == dedicated.Client && a.IsClient(c.ResellerID, c.By.ID)
}

// known says whether the client knows of it: it has ordered it or was warned of it.
func (c Cancellation) known() bool { return c.By.Role == dedicated.Client || len(c.Warned) > 0 }

// system is who acts where nobody does.
func system(reseller uuid.UUID) dedicated.Actor {
	return dedicated.Actor{Role: dedicated.System, ResellerID: reseller}
}

// clone shares no slice with c.
func (c Cancellation) clone() Cancellation {
	c.Steps, c.Warned, c.History = slices.Clone(c.Steps), slices.Clone(c.Warned), slices.Clone(c.History)
	c.Refund.Lines = slices.Clone(c.Refund.Lines)
	return c
}

// forClient is what the server's client may see: nothing of the work behind it, and of the reseller's people nobody.
func (c Cancellation) forClient() Cancellation {
	c.Steps, c.Attempts, c.LastError, c.RetryAt, c.Abandoned = nil, 0, "", time.Time{}, false
	c.SettingsVersion, c.Due, c.LeaseUntil = 0, time.Time{}, time.Time{}
	c.By = c.anonymous(c.By)
	var seen []Entry
	for _, e := range c.History {
		e.By = c.anonymous(e.By)
		switch what, _, _ := strings.Cut(e.What, ": "); what {
		case didRetry:
			continue
		case didAbandon, didFail:
			e.What = what
		}
		seen = append(seen, e)
	}
	c.History = seen
	return c
}

// anonymous takes the ID from everybody but the client itself.
func (c Cancellation) anonymous(a dedicated.Actor) dedicated.Actor {
	if !a.IsClient(c.ResellerID, c.ClientID) {
		a.ID = uuid.Nil
	}
	return a
}
