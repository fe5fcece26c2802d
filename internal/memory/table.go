package memory

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/page"
)

// Spec tells a Table how to read its records. Clone, ID and Version are required.
type Spec[E any] struct {
	Name    string    // of one record, for errors: "server"
	Clone   func(E) E // a copy that shares no slice or map
	ID      func(*E) uuid.UUID
	Version func(*E) *int64
	Group   func(*E) uuid.UUID                         // what lists are cut by: the reseller; nil: one group
	Due     func(*E) (due time.Time, lease *time.Time) // nil: nothing is ever due
	Unique  func(*E) []string                          // what no other record may have at the same time
	Key     func(*E) page.Key                          // what Page sorts by; nil: there are no pages
}

// Table holds the records of one kind. It does not lock.
type Table[E any] struct {
	spec   Spec[E]
	rows   map[uuid.UUID]*E
	groups map[uuid.UUID]map[uuid.UUID]*E
	unique map[string]uuid.UUID
	orders map[uuid.UUID]*order // by group
	due    DueQueue
}

// NewTable returns an empty table.
func NewTable[E any](spec Spec[E]) *Table[E] {
	return &Table[E]{
		spec:   spec,
		rows:   map[uuid.UUID]*E{},
		groups: map[uuid.UUID]map[uuid.UUID]*E{},
		unique: map[string]uuid.UUID{},
		orders: map[uuid.UUID]*order{},
	}
}

// Get returns a copy of the record, or ErrNotFound.
func (t *Table[E]) Get(id uuid.UUID) (E, error) {
	row, ok := t.rows[id]
	if !ok {
		var none E
		return none, fmt.Errorf("%s %s: %w", t.spec.Name, id, fault.ErrNotFound)
	}
	return t.spec.Clone(*row), nil
}

// Several returns copies of those of the records that there are, each once.
func (t *Table[E]) Several(ids []uuid.UUID) []E {
	var found []E
	seen := map[uuid.UUID]bool{}
	for _, id := range ids {
		if row, ok := t.rows[id]; ok && !seen[id] {
			seen[id] = true
			found = append(found, t.spec.Clone(*row))
		}
	}
	return found
}

// Holder returns a copy of the record that has the unique key.
func (t *Table[E]) Holder(key string) (E, bool) {
	id, ok := t.unique[key]
	if !ok {
		var none E
		return none, false
	}
	return t.spec.Clone(*t.rows[id]), true
}

// Select returns the records of a group for which keep is true, in no order, not copied: Copy what is handed out. keep
// must not change what it is given.
func (t *Table[E]) Select(group uuid.UUID, keep func(*E) bool) []*E {
	var found []*E
	for _, row := range t.groups[group] {
		if keep(row) {
			found = append(found, row)
		}
	}
	return found
}

// Page returns copies of the records of a group for which keep is true, sorted by key: those behind the cursor after, limit
// at the most, and the cursor of the page that follows. It costs as many records as it looks at. Limits and cursors are
// those of package page; list names the list that the cursors are for.
func (t *Table[E]) Page(list string, group uuid.UUID, keep func(*E) bool, limit int, after string) (items []E, next string, err error) {
	limit, err = page.Limit(limit)
	if err != nil {
		return nil, "", err
	}
	from, err := page.Parse(list, after)
	if err != nil {
		return nil, "", err
	}
	keys, ok := t.orders[group]
	if !ok {
		return nil, "", nil
	}
	var last page.Key
	keys.after(from, func(k page.Key) bool {
		row := t.rows[k.ID]
		if !keep(row) {
			return true
		}
		if len(items) == limit {
			next = last.Cursor(list)
			return false
		}
		items, last = append(items, t.spec.Clone(*row)), k
		return true
	})
	return items, next, nil
}

// Copy returns copies of rows.
func (t *Table[E]) Copy(rows []*E) []E {
	items := make([]E, len(rows))
	for i, row := range rows {
		items[i] = t.spec.Clone(*row)
	}
	return items
}

// Claim leases what is due and raises its versions, in one step; see DueQueue.Claim.
func (t *Table[E]) Claim(now, until time.Time, limit int) (items []E, next time.Time) {
	ids, next := t.due.Claim(now, until, limit)
	for _, id := range ids {
		row := t.rows[id]
		_, lease := t.spec.Due(row)
		*lease = until
		*t.spec.Version(row)++
		items = append(items, t.spec.Clone(*row))
	}
	return items, next
}

// Tx collects writes and checks each as if those before were done. Nothing is written before Apply, which cannot fail.
type Tx[E any] struct {
	table  *Table[E]
	rows   map[uuid.UUID]*E
	order  []uuid.UUID
	unique map[string]uuid.UUID // uuid.Nil: given up in this Tx
}

// Begin starts a Tx. The table must not be written to otherwise until it is applied or dropped.
func (t *Table[E]) Begin() *Tx[E] {
	return &Tx[E]{table: t, rows: map[uuid.UUID]*E{}, unique: map[string]uuid.UUID{}}
}

// Put adds writes. A record's version must be the stored one (0: none is stored) and its unique keys free, else
// ErrConflict. The stored version is one higher.
func (tx *Tx[E]) Put(items ...E) error {
	for _, item := range items {
		if err := tx.put(item); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx[E]) put(item E) error {
	spec := &tx.table.spec
	row := spec.Clone(item)
	id, version := spec.ID(&row), spec.Version(&row)
	if id == uuid.Nil {
		return fmt.Errorf("%s without an ID: %w", spec.Name, fault.ErrInvalid)
	}
	old, changed := tx.rows[id]
	if !changed {
		old = tx.table.rows[id]
	}
	var stored int64
	if old != nil {
		stored = *spec.Version(old)
	}
	if *version != stored {
		return fmt.Errorf("%s %s is at version %d, not %d: %w", spec.Name, id, stored, *version, fault.ErrConflict)
	}
	if err := tx.claimKeys(id, old, &row); err != nil {
		return err
	}
	*version++
	tx.rows[id] = &row
	if !changed {
		tx.order = append(tx.order, id)
	}
	return nil
}

// claimKeys moves the unique keys from what the record was to what it becomes.
func (tx *Tx[E]) claimKeys(id uuid.UUID, old, row *E) error {
	unique := tx.table.spec.Unique
	if unique == nil {
		return nil
	}
	if old != nil {
		for _, key := range unique(old) {
			tx.unique[key] = uuid.Nil
		}
	}
	for _, key := range unique(row) {
		holder, ok := tx.unique[key]
		if !ok {
			holder = tx.table.unique[key]
		}
		if holder != uuid.Nil && holder != id {
			return fmt.Errorf("%s %s: %s is held by %s: %w", tx.table.spec.Name, id, key, holder, fault.ErrConflict)
		}
		tx.unique[key] = id
	}
	return nil
}

// Apply writes everything. It cannot fail.
func (tx *Tx[E]) Apply() {
	t := tx.table
	for _, id := range tx.order {
		row := tx.rows[id]
		t.regroup(id, row)
		t.rows[id] = row
		if t.spec.Due != nil {
			due, lease := t.spec.Due(row)
			t.due.Set(id, due, *lease)
		}
	}
	for key, id := range tx.unique {
		if id == uuid.Nil {
			delete(t.unique, key)
		} else {
			t.unique[key] = id
		}
	}
}

func (t *Table[E]) regroup(id uuid.UUID, row *E) {
	if old, ok := t.rows[id]; ok {
		delete(t.groups[t.group(old)], id)
	}
	group := t.group(row)
	if t.groups[group] == nil {
		t.groups[group] = map[uuid.UUID]*E{}
	}
	t.groups[group][id] = row
	if t.spec.Key != nil {
		t.reorder(t.rows[id], row)
	}
}

// reorder moves a record's key from where it was; old is nil for a new record.
func (t *Table[E]) reorder(old, row *E) {
	group, key := t.group(row), t.spec.Key(row)
	if old != nil {
		if was := t.spec.Key(old); t.group(old) != group || was != key {
			t.orders[t.group(old)].remove(was)
		}
	}
	if t.orders[group] == nil {
		t.orders[group] = &order{}
	}
	t.orders[group].add(key)
}

func (t *Table[E]) group(row *E) uuid.UUID {
	if t.spec.Group == nil {
		return uuid.Nil
	}
	return t.spec.Group(row)
}
