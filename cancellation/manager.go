package cancellation

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/refund"
)

// Manager cancels servers. It enforces all rules, permissions and changes of state. It is safe for concurrent use, in any number
// of processes over one Store. The only state of its own are the calls of a host's parts that ignored their deadline and have not
// returned: use one Manager in a process.
//
// A record that the actor may not know of is ErrNotFound. Everything is ErrNotFound for Role 0 and for an actor without a
// ResellerID. ErrForbidden is what the actor may see but not do, and what a gate refuses. ErrConflict is what the state does
// not allow, and a record that changed five times while an operation decided. ErrHost is a failed part of the host. If
// ctx ends, errors.Is finds its error. All errors are *Error, or are joined from such.
type Manager struct {
	config    *Config
	store     Store               // config.Store, guarded
	servers   dedicated.Inventory // config.Servers, with deadlines
	impatient dedicated.Inventory // config.Servers for a whole batch, with short deadlines
	calls     *fault.Calls
	left      *leftCalls
	counting  sync.Mutex // held while an execution is counted
}

// New returns a Manager, or ErrInvalid if something required is missing.
func New(c Config) (*Manager, error) {
	switch {
	case c.Store == nil:
		return nil, invalid(opNew, "Config.Store", "missing: a MemoryStore will do for a start")
	case c.Servers == nil:
		return nil, invalid(opNew, "Config.Servers", "missing: want a dedicated.Manager or the host's own inventory")
	case c.Lease < 0:
		return nil, invalid(opNew, "Config.Lease", "%s is negative", c.Lease)
	case c.StepTimeout < 0:
		return nil, invalid(opNew, "Config.StepTimeout", "%s is negative", c.StepTimeout)
	case c.Parallel < 0:
		return nil, invalid(opNew, "Config.Parallel", "%d is negative", c.Parallel)
	}
	epoch, err := manage.Epoch(c.Store, c.Epoch)
	if err != nil {
		return nil, &Error{Op: opNew, Field: "Config.Epoch", Msg: err.Error(), Err: ErrInvalid}
	}
	c.Epoch = epoch
	c.Lease = cmp.Or(c.Lease, DefaultLease)
	c.StepTimeout = cmp.Or(c.StepTimeout, min(c.Lease/3, DefaultStepTimeout))
	c.Parallel, c.MaxExecutions = cmp.Or(c.Parallel, DefaultParallel), cmp.Or(c.MaxExecutions, DefaultMaxExecutions)
	if c.StepTimeout > c.Lease/3 {
		return nil, invalid(opNew, "Config.StepTimeout", "%s: want at most a third of Config.Lease, %s", c.StepTimeout, c.Lease/3)
	}
	if c.RefundFormula == nil {
		c.RefundFormula = refund.Prorated{}
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	calls := fault.NewCalls(c.StepTimeout, c.Parallel)
	return &Manager{
		config: &c, store: guardedStore{c.Store}, calls: calls, left: &leftCalls{},
		servers:   inventory.Bind(c.Servers, calls),
		impatient: inventory.Bind(c.Servers, fault.NewCalls(c.patience(), fault.MaxLeft)),
	}, nil
}

// now reads the clock: once an operation, and once a step of an execution.
func (m *Manager) now() time.Time { return zone.Instant(m.config.Clock.Now()) }

// reading is everything that the decision of an operation depends on.
type reading struct {
	cancellation Cancellation
	stored       bool // Schedule: the ID of the order is stored
	settings     Settings
	server       dedicated.Server
	found        bool           // the inventory has the server
	active       []Cancellation // Schedule: of the server
	epoch        string         // the present one
	waited       bool           // the cancellation waited to be confirmed
}

// Schedule plans the cancellation of a server that is in use.
//
// A reseller may choose any date from now on. A date up to a minute ago is now, an earlier one ErrInvalid. With Order.Backdated it may
// be a past one; before the bound it is ErrInvalid, with Error.Earliest.
//
// A client may only choose the end of the current billing period, or with When.FirstAllowed the first one that Settings.NoticeDays and
// Settings.LockDays leave. A date is ErrForbidden, with Error.PeriodEnd and Error.Earliest. With Settings.ClientMayChooseDate a date
// is allowed that NoticeDays, LockDays and at least one day leave. What is too early is ErrForbidden, with Error.Earliest. When.Now and
// Order.Backdated are ErrForbidden. Notice and lock are frozen with the order: later settings do not change it.
//
// A provider's server is ErrForbidden, and nothing is stored: the reseller gets Error.Provider and Error.Reference, the client the
// advice to open a ticket. A second cancellation for the same assignment is ErrConflict, with Error.Existing. A server that is not
// in use is ErrConflict, and ErrNotFound for a client. If the inventory answers with a Billing that has no period to end, it is
// ErrHost.
func (m *Manager) Schedule(ctx context.Context, a dedicated.Actor, o Order) (Cancellation, error) {
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return Cancellation{}, actorError(OpSchedule, a)
	}
	if o.ID == uuid.Nil {
		id, err := uuid.NewRandom()
		if err != nil {
			return Cancellation{}, explain(OpSchedule, uuid.Nil, o.ServerID, err)
		}
		o.ID = id
	}
	now := m.now()
	return m.run(ctx, a, OpSchedule, o.ID, o.ServerID, now, operation{
		read:   func(ctx context.Context) (reading, error) { return m.readForOrder(ctx, a, o) },
		decide: func(r reading) (decision, bool, error) { return o.decide(a, r, now) },
		gated:  true,
	})
}

// readForOrder reads what decides on an order.
func (m *Manager) readForOrder(ctx context.Context, a dedicated.Actor, o Order) (r reading, err error) {
	if o.ID != uuid.Nil { // only a preview has none
		r.cancellation, err = m.store.Cancellation(ctx, o.ID)
		if r.stored = err == nil; r.stored || !errors.Is(err, ErrNotFound) {
			return r, err
		}
	}
	if r.server, r.found, err = inventory.Server(ctx, m.servers, a.ResellerID, o.ServerID); err != nil {
		return r, err
	}
	if r.settings, err = m.readSettings(ctx, a.ResellerID); err != nil {
		return r, err
	}
	r.active, err = m.store.Active(ctx, []uuid.UUID{o.ServerID})
	for _, c := range r.active {
		if c.ID == o.ID {
			return r, ErrConflict // it was stored after this has looked for it: read again
		}
	}
	return r, err
}

// Reschedule moves a scheduled cancellation and starts its warnings anew. It keeps the record and its history. The date that
// it already has changes nothing. The actor must be allowed to schedule for the date; nothing is backdated. A cancellation that
// is not scheduled any more is ErrConflict, and so is one whose server has left its client. A client that knows the date before is
// told the new one.
//
// A client may move its own order if Settings.ClientMayDiscard is set. It is ErrForbidden if a reseller has moved the order, from
// the planned date on, also while the execution is postponed, and in the last days before it that were locked when it was ordered.
func (m *Manager) Reschedule(ctx context.Context, a dedicated.Actor, id uuid.UUID, w When) (Cancellation, error) {
	now := m.now()
	return m.run(ctx, a, OpReschedule, id, uuid.Nil, now, operation{
		read:   func(ctx context.Context) (reading, error) { return m.readForChange(ctx, a, OpReschedule, id) },
		decide: func(r reading) (decision, bool, error) { return r.reschedule(a, w, now) },
		gated:  true,
	})
}

// Discard calls off a scheduled cancellation. The reason is one line of at most dedicated.MaxReason bytes, or "". Permissions are
// those of Reschedule. A client that ordered it or was warned is told. A cancellation that is not scheduled any more is
// ErrConflict. It may be discarded after its server has left the client.
func (m *Manager) Discard(ctx context.Context, a dedicated.Actor, id uuid.UUID, reason string) (Cancellation, error) {
	now := m.now()
	return m.run(ctx, a, OpDiscard, id, uuid.Nil, now, operation{
		read: func(ctx context.Context) (reading, error) { return m.readForChange(ctx, a, OpDiscard, id) },
		decide: func(r reading) (decision, bool, error) {
			d, err := r.discard(a, reason, now)
			return d, true, err
		},
		gated: true,
	})
}

// readForChange reads a cancellation that the actor may know of, its reseller's settings and its server.
func (m *Manager) readForChange(ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID) (r reading, err error) {
	if r.cancellation, err = m.readVisible(ctx, a, op, id); err != nil {
		return r, err
	}
	if r.settings, err = m.readSettings(ctx, r.cancellation.ResellerID); err != nil {
		return r, err
	}
	r.server, r.found, err = inventory.Server(ctx, m.servers, r.cancellation.ResellerID, r.cancellation.ServerID)
	return r, err
}

// Retry makes a stuck cancellation due at once. It is ErrConflict if nothing has failed, if the cancellation is over, and while
// a process works on it. A client gets ErrForbidden. The gates are asked.
func (m *Manager) Retry(ctx context.Context, a dedicated.Actor, id uuid.UUID) (Cancellation, error) {
	now := m.now()
	return m.runStuck(ctx, a, OpRetry, id, now, func(c Cancellation) (Cancellation, error) {
		c.RetryAt, c.LeaseUntil, c.BegunAt, c.PendingUntil = now, time.Time{}, time.Time{}, time.Time{}
		c.Due = c.due(Settings{}, now)
		c.record(now, a, entryRetried, "", time.Time{}, time.Time{})
		return c, nil
	})
}

// Abandon ends a stuck execution as failed: it unlocks the server by Servers.Unlock (the server stays in clean_up), keeps the
// steps done and the refund as recorded, and issues no further refund. The reason is one line of at most
// dedicated.MaxReason bytes, or "". If Unlock fails, Abandon returns the error, and ticks go on to unlock the server;
// they do nothing else any more.
//
// It is ErrConflict if nothing has failed, if the cancellation is over, and while a process works on it. A scheduled one is
// ErrConflict, too: discard it. A client gets ErrForbidden.
func (m *Manager) Abandon(ctx context.Context, a dedicated.Actor, id uuid.UUID, reason string) (Cancellation, error) {
	now := m.now()
	c, err := m.runStuck(ctx, a, OpAbandon, id, now, func(c Cancellation) (Cancellation, error) {
		c.Abandoned, c.BegunAt = true, now
		c.record(now, a, entryAbandoned, reason, time.Time{}, time.Time{})
		m.extendLease(&c, now)
		return c, checkReason(OpAbandon, "reason", reason)
	})
	if err != nil {
		return c, err
	}
	err = m.finishAbandoned(ctx, c)
	if err == nil {
		c, err = m.readVisible(ctx, a, OpAbandon, id)
	}
	if ended := ctx.Err(); err != nil && ended != nil {
		err = ended // whatever failed besides
	}
	if err != nil {
		return Cancellation{}, &Error{Op: OpAbandon, CancellationID: id, ServerID: c.ServerID, OutcomeUnknown: true, Err: err,
			Msg: "Abandon: the cancellation is given up; if it has not ended yet, a later tick unlocks its server and ends it"}
	}
	return c.view(a), nil
}

// runStuck runs an operation on a stuck cancellation.
func (m *Manager) runStuck(
	ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID, now time.Time, rule func(Cancellation) (Cancellation, error),
) (Cancellation, error) {
	return m.run(ctx, a, op, id, uuid.Nil, now, operation{
		read: func(ctx context.Context) (r reading, err error) {
			r.cancellation, err = m.readVisible(ctx, a, op, id)
			return r, err
		},
		decide: func(r reading) (d decision, write bool, err error) {
			if err := r.cancellation.checkOperable(op, a, m.config.Lease, m.left.out(id), now); err != nil {
				return d, false, err
			}
			d.cancellation, err = rule(r.cancellation)
			return d, true, err
		},
		gated: op == OpRetry,
	})
}

// operation is how an operation reads and decides.
type operation struct {
	read   func(context.Context) (reading, error)
	decide func(reading) (d decision, write bool, err error)
	gated  bool // the gates are asked
}

// run runs an operation of an actor on one cancellation.
func (m *Manager) run(
	ctx context.Context, a dedicated.Actor, op Op, id, server uuid.UUID, now time.Time, o operation,
) (Cancellation, error) {
	written, stored := false, ""
	run := manage.Operation[reading, decision]{
		Read: func(ctx context.Context) (reading, error) {
			r, err := o.read(ctx)
			// A person decides, in the present epoch.
			r.waited = m.waits(r.cancellation)
			if err == nil && r.waited && !a.Manages(r.cancellation.ResellerID) {
				return r, waitsError(op, r.cancellation)
			}
			stored, r.cancellation.Epoch, r.epoch = r.cancellation.Epoch, m.config.Epoch, m.config.Epoch
			return r, err
		},
		Decide: o.decide,
		Commit: func(ctx context.Context, d decision) error {
			written = true
			return m.commit(ctx, now, d)
		},
	}
	if o.gated {
		run.Gate = func(ctx context.Context, d decision) error { return m.askGates(ctx, op, a, d.cancellation) }
		run.Covers = func(asked, later decision) bool {
			was, is := asked.cancellation, later.cancellation
			samePlan := is.At.Equal(was.At) || op == OpDiscard || op == OpRetry // which choose no date
			return is.ClientID == was.ClientID && is.Assignment == was.Assignment && samePlan
		}
	}
	d, err := run.Run(ctx)
	if err != nil {
		return Cancellation{}, explain(op, id, server, err)
	}
	if written {
		d.cancellation.Version++
	} else {
		d.cancellation.Epoch = stored
	}
	return d.cancellation.view(a), nil
}

// commit stores one cancellation with the facts about it.
func (m *Manager) commit(ctx context.Context, now time.Time, d decision) error {
	c, err := d.toChange(now)
	if err != nil {
		return err
	}
	return m.store.Commit(ctx, c)
}

// toChange is the decision as a Store takes it.
func (d decision) toChange(now time.Time) (Change, error) {
	// The Epoch is that of the Manager: a cancellation of another one waits, and nothing is recorded about it.
	events, err := manage.Events(d.cancellation.Epoch, now, d.facts)
	return Change{Cancellations: []Cancellation{d.cancellation}, Events: events}, err
}

// readVisible reads a cancellation that the actor may know of, with everything that is stored.
func (m *Manager) readVisible(ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID) (Cancellation, error) {
	if id == uuid.Nil {
		return Cancellation{}, notFound(op, id)
	}
	c, err := m.store.Cancellation(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !c.visibleTo(a) {
		return Cancellation{}, notFound(op, id)
	}
	return c, err
}

// Cancellation returns a cancellation that the actor may see. A client sees the cancellations of its own servers, also after it
// has left the server, without steps and failures.
func (m *Manager) Cancellation(ctx context.Context, a dedicated.Actor, id uuid.UUID) (Cancellation, error) {
	c, err := m.readVisible(ctx, a, opCancellation, id)
	if err != nil {
		return Cancellation{}, explain(opCancellation, id, uuid.Nil, err)
	}
	return c.view(a), nil
}

// Cancellations lists the cancellations of the actor's reseller by planned date, ties by ID. next is the cursor for Query.After,
// "" at the end. A client gets its own, and may not search for stuck ones: that is ErrForbidden. A cursor that is not one of
// this list, a negative limit, an unknown state or role, and a To before From are ErrInvalid.
func (m *Manager) Cancellations(ctx context.Context, a dedicated.Actor, q Query) (items []Cancellation, next string, err error) {
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return nil, "", actorError(opCancellations, a)
	}
	q, possible, err := q.forActor(opCancellations, a)
	if err != nil || !possible {
		return nil, "", err
	}
	q.Epoch = m.config.Epoch
	items, next, err = m.store.Cancellations(ctx, a.ResellerID, q)
	for i := range items {
		items[i] = items[i].view(a)
	}
	return items, next, explain(opCancellations, uuid.Nil, uuid.Nil, err)
}

// readSettings reads a reseller's settings. A reseller that never saved any has the zero settings.
func (m *Manager) readSettings(ctx context.Context, reseller uuid.UUID) (Settings, error) {
	s, err := m.store.Settings(ctx, reseller)
	if errors.Is(err, ErrNotFound) {
		return Settings{ResellerID: reseller}, nil
	}
	return s, err
}
