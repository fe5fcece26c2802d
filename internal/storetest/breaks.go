package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// The methods of a store.
type (
	// GetFunc is a method that reads one record.
	GetFunc[E any] = func(ctx context.Context, id uuid.UUID) (E, error)
	// ListFunc is a method that lists the records of a reseller; Q is the type of its queries.
	ListFunc[E, Q any] = func(ctx context.Context, reseller uuid.UUID, q Q) ([]E, string, error)
	// CommitFunc is the method Commit; C is the type of changes.
	CommitFunc[C any] = func(ctx context.Context, changes ...C) error
	// ClaimFunc is the method ClaimDue; D is the type of its results.
	ClaimFunc[D any] = func(ctx context.Context, now, until time.Time, limit int) (D, error)
)

// Methods are the methods of a store for one kind of record, and the outbox that receives the events of Commit. List is nil for
// records without a list, Claim for records that are never claimed.
type Methods[E, Q, C, D any] struct {
	Get    GetFunc[E]
	List   ListFunc[E, Q]
	Commit CommitFunc[C]
	Claim  ClaimFunc[D]
	Outbox notify.Outbox
}

// Breaks makes stores that break a line of the contract on purpose. S is the type of the stores, and E one kind of their records.
type Breaks[S, E, Q, C, D any] struct {
	Suite[S]
	Fields[E, Q, C, D]
	// Path is the path of the sub-tests for this kind of record within the suite: "tasks/".
	Path string
	// References means that the records have slices, maps or pointers.
	References bool
	// Methods returns the methods of a store, without the outbox.
	Methods func(S) Methods[E, Q, C, D]
	// Replace returns a store with the given methods. Its other methods are those of S.
	Replace func(S, Methods[E, Q, C, D]) S
}

// BreakMethods returns a run of the suite on broken stores: change breaks the methods of a correct store. The run must fail at line.
func (b Breaks[S, E, Q, C, D]) BreakMethods(line, name string, change func(*Methods[E, Q, C, D])) Broken {
	return Broken{Name: name, Line: line, Run: func(t *testing.T) {
		b.Test(t, func(t *testing.T) (S, notify.Outbox) {
			store, outbox := b.Open(t)
			m := b.Methods(store)
			m.Outbox = outbox
			change(&m)
			return b.Replace(store, m), m.Outbox
		})
	}}
}

// BreakRecords returns a run on stores that edit the records which they read.
func (b Breaks[S, E, Q, C, D]) BreakRecords(line, name string, edit func(*E)) Broken {
	return b.BreakMethods(line, name, func(m *Methods[E, Q, C, D]) { m.Get = b.EditRecords(m.Get, edit) })
}

// BreakQueries returns a run on stores that edit the queries of their lists.
func (b Breaks[S, E, Q, C, D]) BreakQueries(line, name string, edit func(*Q)) Broken {
	return b.BreakMethods(line, name, func(m *Methods[E, Q, C, D]) { m.List = b.EditQueries(m.List, edit) })
}

// All returns runs on the broken stores that all kinds of record have in common. Together they break each line that Test tests,
// except the line about fields: each suite adds stores that forget or change a field.
func (b Breaks[S, E, Q, C, D]) All() []Broken {
	all := append(b.brokenCommits(), b.brokenReads()...)
	if b.Page != nil {
		all = append(all, b.brokenLists()...)
	}
	if b.Claimed != nil {
		all = append(all, b.brokenClaims()...)
	}
	return all
}

// breakLines returns a run that must fail at several lines below Path.
func (b Breaks[S, E, Q, C, D]) breakLines(name string, change func(*Methods[E, Q, C, D]), line string, also ...string) Broken {
	broken := b.BreakMethods(b.Path+line, name, change)
	for _, line := range also {
		broken.Also = append(broken.Also, b.Path+line)
	}
	return broken
}

func (b Breaks[S, E, Q, C, D]) brokenCommits() []Broken {
	type methods = Methods[E, Q, C, D]
	versions := []string{"4 atomicity: a stale version"}
	if b.Claimed != nil {
		versions = append(versions, "10 leases: Commit after a lost lease")
	}
	commit := func(name string, change func(CommitFunc[C]) CommitFunc[C], line string) Broken {
		return b.breakLines(name, func(m *methods) { m.Commit = change(m.Commit) }, line)
	}
	checkFirst := func(m *methods) { m.Commit = b.CheckFirst(m.Get, m.Commit) }
	overwrite := func(m *methods) { m.Commit = b.Overwrite(m.Get, m.Commit) }
	shareEvents := func(m *methods) { m.Commit, m.Outbox = b.ShareEvents(m.Commit, m.Outbox) }
	shareRecords := func(m *methods) { m.Commit, m.Get = b.ShareRecords(m.Commit, m.Get) }
	all := []Broken{
		b.breakLines("checks versions before it writes", checkFirst, "1 concurrency: one of two writers"),
		b.breakLines("checks no versions", overwrite, "3 duplicate create", versions...),
		commit("commits change by change", b.CommitEach, "4 atomicity: a failed call"),
		commit("stores the events of failed calls", b.EventsFirst, "4 atomicity: a failed call"),
		commit("drops events", b.DropEvents, "4 atomicity: events"),
		commit("applies changes in reverse", b.ReverseChanges, "4 atomicity: changes of a call"),
		b.breakLines("shares the data of events", shareEvents, "5 ownership: Commit"),
		commit("ignores the context of Commit", b.CommitAlways, "9 context: a cancelled context is an error, and"),
	}
	if b.References {
		all = append(all, b.breakLines("shares records", shareRecords, "5 ownership: Commit", "5 ownership: reads"))
	}
	return all
}

func (b Breaks[S, E, Q, C, D]) brokenReads() []Broken {
	get := func(name string, change func(GetFunc[E]) GetFunc[E], line string) Broken {
		return b.breakLines(name, func(m *Methods[E, Q, C, D]) { m.Get = change(m.Get) }, line)
	}
	return []Broken{
		get("has its own error for a missing record", b.OwnError, "2 missing"),
		get("returns a zero record for a missing one", b.NoError, "2 missing"),
		get("returns the version before", b.ReadOldVersions, "4 atomicity: Commit raises"),
		get("ignores the context of reads", b.GetAlways, "9 context: a cancelled context is an error, and"),
	}
}

func (b Breaks[S, E, Q, C, D]) brokenLists() []Broken {
	list := func(name string, change func(ListFunc[E, Q]) ListFunc[E, Q], line string) Broken {
		return b.breakLines(name, func(m *Methods[E, Q, C, D]) { m.List = change(m.List) }, line)
	}
	return []Broken{
		list("has no pages", b.NoPages, "8 order: pages"),
		list("lists records in reverse", b.ReverseList, "8 order: pages"),
		list("has cursors that count records", b.CountingCursors, "8 order: a cursor stays"),
		list("starts again after an unknown cursor", b.StartAgain, "8 order: an unknown cursor"),
		list("lists records without a reseller", b.NoReseller, "8 order: a list"),
		list("ignores the context of lists", b.ListAlways, "9 context: a cancelled context is an error, and"),
	}
}

func (b Breaks[S, E, Q, C, D]) brokenClaims() []Broken {
	type methods = Methods[E, Q, C, D]
	claim := func(name string, change func(ClaimFunc[D]) ClaimFunc[D], line string) Broken {
		return b.breakLines(name, func(m *methods) { m.Claim = change(m.Claim) }, line)
	}
	endLeases := func(m *methods) { m.Commit = b.EndLeases(m.Commit) }
	return []Broken{
		claim("claims an hour too early", b.ClaimEarly, "10 leases: ClaimDue returns"),
		claim("claims the latest first", b.ReverseClaims, "10 leases: ClaimDue returns"),
		claim("forgets when the next record is due", b.ForgetNext, "10 leases: ClaimDue says"),
		claim("leases for half the time", b.HalfLease, "10 leases: a claimed record"),
		claim("hides a record however far ahead its lease ends", b.BelieveLeases, "10 leases: a lease too far"),
		claim("returns records as they were before the claim", b.ClaimOldVersions, "10 leases: ClaimDue sets"),
		claim("returns a record of the claim before again", b.ClaimAgain, "10 leases: concurrent workers"),
		claim("takes a limit below 1 for a larger one", b.AnyLimit, "10 leases: a limit"),
		claim("ignores the context of claims", b.ClaimAlways, "9 context: a cancelled context is an error, and"),
		claim("names readable records as unreadable", b.NameReadable, "12 unreadable records"),
		b.breakLines("ends every lease", endLeases, "10 leases: Commit stores"),
	}
}
