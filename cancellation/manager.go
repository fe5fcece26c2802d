package cancellation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/refund"
)

// Servers is all that this package needs of the host's inventory; *dedicated.Manager fits. It is always asked as
// dedicated.System of one reseller, and the holder and the owner are checked here: what a client would get has a blank
// Owner, which must never be read as "own".
//
// Release ends the assignment, marks the server as busy with the cancellation, and succeeds again when that is so
// already. Unlock lifts the mark, and succeeds when there is none. Both must survive concurrent calls. One that is a
// dedicated.BulkInventory besides is asked for many servers at once before warnings.
type Servers interface {
	Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error)
	Release(ctx context.Context, a dedicated.Actor, id, assignment, busy uuid.UUID, reason string) (dedicated.Server, error)
	Unlock(ctx context.Context, a dedicated.Actor, id, busy uuid.UUID) (dedicated.Server, error)
}

var _ Servers = (*dedicated.Manager)(nil)

// RefundFormula says what is owed back. See package refund.
type RefundFormula = refund.Formula

// DefaultLease is Config's Lease where none is set.
const DefaultLease = 15 * time.Minute

// Config is what a Manager works with.
type Config struct {
	Store         Store         // required
	Servers       Servers       // required
	Biller        Biller        // nil: no refunds
	RefundFormula RefundFormula // of resellers who have none of their own; nil: refund.Prorated{}
	Hooks         Hooks         // zero: nobody is asked, nothing is wiped or closed down
	Clock         clock.Clock   // nil: real time
	// Lease is how long a step of an execution may take, hooks and the biller included, before another process may run it
	// too. What a process was doing when it died stays untouched for as long. 0: DefaultLease; negative is ErrInvalid.
	Lease time.Duration
}

// Manager cancels servers: all rules, permissions and changes of state are here. It holds no state of its own and is safe
// for concurrent use, in any number of processes over one Store.
//
// A record that the actor may not know of is ErrNotFound; so is everything for Role 0 and for an actor without a
// ResellerID. What the actor may see but not do is ErrForbidden, as is what a gate refuses. What the state does not allow
// is ErrConflict, as is what kept changing meanwhile. All errors are *Error, or wrapped in one, with the cause behind.
type Manager struct {
	config *Config
}

// New returns a Manager, or ErrInvalid where something required is missing.
func New(c Config) (*Manager, error) {
	const op = "New"
	switch {
	case c.Store == nil:
		return nil, invalid(op, "Config.Store", "missing: a MemoryStore will do for a start")
	case c.Servers == nil:
		return nil, invalid(op, "Config.Servers", "missing: a dedicated.Manager, or the host's own inventory, is wanted")
	case c.Lease < 0:
		return nil, invalid(op, "Config.Lease", "%s is negative", c.Lease)
	case c.Lease == 0:
		c.Lease = DefaultLease
	}
	if c.RefundFormula == nil {
		c.RefundFormula = refund.Prorated{}
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	return &Manager{config: &c}, nil
}

// now reads the clock: once per operation, and once per step of an execution.
func (m *Manager) now() time.Time { return zone.Instant(m.config.Clock.Now()) }

// Schedule plans the cancellation of a server that is in use.
//
// A client may choose the end of the current billing period only: a date is ErrForbidden, with Error.PeriodEnd; less than
// Settings.NoticeDays before it is ErrForbidden, with Error.Earliest; in the last Settings.LockDays before it is
// ErrForbidden. A reseller may choose any date from now on; a past one is ErrInvalid. For a provider's server
// everybody gets ErrForbidden, and nothing is stored: the reseller with Error.Provider and Error.Reference, the client
// with the advice to open a ticket. A second one for the same use of the server is ErrConflict, with Error.Existing. A
// server that is not in use is ErrConflict, or ErrNotFound for a client. No billing period to end is ErrInvalid, never now.
func (m *Manager) Schedule(ctx context.Context, a dedicated.Actor, o Order) (Cancellation, error) {
	const op = "Schedule"
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return Cancellation{}, nobody(op, a)
	}
	id := o.ID
	if id == uuid.Nil {
		fresh, err := uuid.NewRandom()
		if err != nil {
			return Cancellation{}, asError(op, uuid.Nil, o.ServerID, err)
		}
		id = fresh
	}
	now := m.now()
	var result Cancellation
	asked := false
	err := fault.Retry(ctx, func() error {
		if o.ID != uuid.Nil {
			var found bool
			var err error
			if result, found, err = m.repeated(ctx, a, o); found || err != nil {
				return err
			}
		}
		c, err := m.draft(ctx, a, o, now)
		if err != nil {
			return err
		}
		c.ID = id
		if !asked {
			if err := m.config.Hooks.ask(ctx, op, c); err != nil {
				return err
			}
			asked = true
		}
		result = c
		result.Version++
		return m.commit(ctx, now, c, c.announced(now)...)
	})
	if err != nil {
		return Cancellation{}, asError(op, o.ID, o.ServerID, err)
	}
	return result.view(a), nil
}

// Reschedule moves a scheduled cancellation and begins its warnings anew; it keeps the record and its history. The same
// When again changes nothing. The date must be one that the actor could schedule. A client may move what it has ordered
// itself, if Settings.ClientMayDiscard, and not in the last Settings.LockDays: ErrForbidden else. One that is not
// scheduled any more is ErrConflict, as is one whose server has left its client. Whoever was warned is told the new date.
func (m *Manager) Reschedule(ctx context.Context, a dedicated.Actor, id uuid.UUID, w When) (Cancellation, error) {
	const op = "Reschedule"
	asked := false
	return m.change(ctx, a, op, id, func(c Cancellation, now time.Time) (*outcome, error) {
		settings, err := m.mayWithdraw(ctx, op, a, c, now)
		if err != nil {
			return nil, err
		}
		s, err := m.holder(ctx, op, a, c)
		if err != nil {
			return nil, err
		}
		w, at, err := m.choose(op, a, s, w, now)
		if err != nil || w.same(c.When) && at.Equal(c.At) {
			return nil, err
		}
		if a.Role == dedicated.Client {
			if err := settings.clientMay(op, at, now, s.Billing); err != nil {
				return nil, err
			}
		}
		next := c
		next.When, next.Asked, next.ServerName = w, now, s.Name
		next.move(a, didReschedule, at, s, now)
		if !asked {
			if err := m.config.Hooks.ask(ctx, op, next); err != nil {
				return nil, err
			}
			asked = true
		}
		return &outcome{before: c, after: next, facts: next.correction(now, c.At, a)}, nil
	})
}

// move sets another planned date: what was said about the one before no longer counts. The next tick looks at it: a batch
// that reckons everything anew after settings were saved may have passed the place that it moves to.
func (c *Cancellation) move(by dedicated.Actor, what string, at time.Time, s dedicated.Server, now time.Time) {
	c.record(now, by, what, "", c.At, at)
	c.At, c.Zone, c.Postponed = at, s.Billing.Zone, time.Time{}
	c.Due, c.LeaseUntil = now, time.Time{}
	c.recovered()
}

// correction is what is told of a date that has moved: the client, if it knows the one before; the reseller, if the
// client has done it.
func (c Cancellation) correction(now, from time.Time, by dedicated.Actor) []fact {
	var facts []fact
	if c.known() {
		facts = append(facts, c.tellMoved(KindRescheduled, now, from))
	}
	if by.Role == dedicated.Client {
		facts = append(facts, c.tellMoved(KindRescheduledByClient, now, from))
	}
	return facts
}

// Discard calls a scheduled cancellation off. The reason is one line of at most dedicated.MaxReason bytes, or "". Who may is
// as for Reschedule. Whoever was warned is told. One that is not scheduled any more is ErrConflict.
func (m *Manager) Discard(ctx context.Context, a dedicated.Actor, id uuid.UUID, reason string) (Cancellation, error) {
	const op = "Discard"
	return m.change(ctx, a, op, id, func(c Cancellation, now time.Time) (*outcome, error) {
		if _, err := m.mayWithdraw(ctx, op, a, c, now); err != nil {
			return nil, err
		}
		var left *Error
		// A server that has left its client is no reason to keep its cancellation.
		if _, err := m.holder(ctx, op, a, c); err != nil && !(errors.As(err, &left) && left.Field == fieldAssignment) {
			return nil, err
		}
		if err := checkReason(op, "reason", reason); err != nil {
			return nil, err
		}
		next, facts, err := c.discarded(op, a, reason, now)
		if a.Role == dedicated.Client {
			facts = append(facts, next.tell(KindDiscardedByClient, now, reason))
		}
		return &outcome{before: c, after: next, facts: facts}, err
	})
}

// discarded ends a scheduled cancellation without doing anything.
func (c Cancellation) discarded(op string, by dedicated.Actor, reason string, now time.Time) (Cancellation, []fact, error) {
	next, err := c.moved(op)
	if err != nil {
		return c, nil, err
	}
	next.record(now, by, didDiscard, reason, c.At, time.Time{})
	next.recovered()
	next.Due, next.LeaseUntil = time.Time{}, time.Time{}
	if next.known() {
		return next, []fact{next.tell(KindDiscarded, now, reason)}, nil
	}
	return next, nil, nil
}

// mayWithdraw refuses a client what only the reseller may change, and everybody what is not scheduled any more.
func (m *Manager) mayWithdraw(ctx context.Context, op string, a dedicated.Actor, c Cancellation, now time.Time) (Settings, error) {
	settings, err := m.settings(ctx, c.ResellerID)
	if err != nil {
		return settings, err
	}
	_, over := c.moved(op)
	if a.Manages(c.ResellerID) {
		return settings, over
	}
	refuse := &Error{Op: op, CancellationID: c.ID, ServerID: c.ServerID, Existing: c.sign(), Err: ErrForbidden}
	switch {
	case !c.ordered(a):
		refuse.Msg = fmt.Sprintf("the cancellation of server %s for %s is not the client's own: ask the reseller",
			c.ServerName, date(c.At, c.place()))
		return settings, refuse
	case !settings.ClientMayDiscard:
		refuse.Field = "Settings.ClientMayDiscard"
		refuse.Msg = fmt.Sprintf("the cancellation of server %s for %s is final for its client: ask the reseller",
			c.ServerName, date(c.At, c.place()))
		return settings, refuse
	case over != nil:
		return settings, over
	}
	return settings, settings.unlocked(op, c.At, now, c.place())
}

// outcome is what becomes of a cancellation, and what is told of it.
type outcome struct {
	before, after Cancellation
	facts         []fact
}

// change reads a cancellation that the actor may know of, lets do decide what becomes of it and commits; after a conflict
// it reads and decides again. Where do returns no outcome, nothing is written.
func (m *Manager) change(
	ctx context.Context, a dedicated.Actor, op string, id uuid.UUID,
	do func(c Cancellation, now time.Time) (*outcome, error),
) (Cancellation, error) {
	now := m.now()
	var result Cancellation
	err := fault.Retry(ctx, func() error {
		c, err := m.seen(ctx, a, op, id)
		if err != nil {
			return err
		}
		o, err := do(c, now)
		if err != nil || o == nil {
			result = c
			return err
		}
		result = o.after
		result.Version++
		return m.commit(ctx, now, o.after, o.facts...)
	})
	if err != nil {
		return Cancellation{}, asError(op, id, uuid.Nil, err)
	}
	return result.view(a), nil
}

// seen reads a cancellation that the actor may know of, unredacted.
func (m *Manager) seen(ctx context.Context, a dedicated.Actor, op string, id uuid.UUID) (Cancellation, error) {
	if id == uuid.Nil {
		return Cancellation{}, notFound(op, id)
	}
	c, err := m.config.Store.Cancellation(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !a.Manages(c.ResellerID) && !a.IsClient(c.ResellerID, c.ClientID) {
		return Cancellation{}, notFound(op, id)
	}
	return c, err
}

// nobody refuses who may not do what concerns no record yet.
func nobody(op string, a dedicated.Actor) error {
	if a.IsClient(a.ResellerID, a.ID) {
		return &Error{Op: op, Err: ErrForbidden, Msg: op + " is the reseller's, not a client's"}
	}
	return &Error{Op: op, Err: ErrNotFound, Msg: op + ": no reseller to act for: Actor needs a Role and a ResellerID"}
}

// commit stores one cancellation with the facts about it.
func (m *Manager) commit(ctx context.Context, now time.Time, c Cancellation, facts ...fact) error {
	events, err := c.events(now, facts)
	if err != nil {
		return err
	}
	return m.config.Store.Commit(ctx, Change{Cancellations: []Cancellation{c}, Events: events})
}

// view is what the actor may see of a cancellation.
func (c Cancellation) view(a dedicated.Actor) Cancellation {
	if a.Manages(c.ResellerID) {
		return c
	}
	return c.forClient()
}
