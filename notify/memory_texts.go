package notify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// MemoryTexts keeps Texts in memory. The zero value is empty and ready; it must not be copied once used.
type MemoryTexts struct {
	mu   sync.Mutex
	held *map[textKey]Text
}

var _ Texts = (*MemoryTexts)(nil)

type textKey struct {
	reseller uuid.UUID
	kind     Kind
	locale   string
}

// texts is called under the lock.
func (m *MemoryTexts) texts() map[textKey]Text {
	if m.held == nil {
		m.held = &map[textKey]Text{}
	}
	return *m.held
}

// Text returns what was saved, or ErrNotFound.
func (m *MemoryTexts) Text(ctx context.Context, reseller uuid.UUID, k Kind, locale string) (Text, error) {
	if err := ctx.Err(); err != nil {
		return Text{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.texts()[textKey{reseller, k, locale}]
	if !ok {
		return Text{}, fmt.Errorf("text of %s in %s: %w: it was not edited", k, locale, ErrNotFound)
	}
	return t, nil
}

// Texts lists what a reseller has saved.
func (m *MemoryTexts) Texts(ctx context.Context, reseller uuid.UUID) ([]Text, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Text
	for _, t := range m.texts() {
		if t.ResellerID == reseller {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, func(a, b Text) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Locale, b.Locale))
	})
	return found, nil
}

// Save stores a text.
func (m *MemoryTexts) Save(ctx context.Context, t Text) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := textKey{t.ResellerID, t.Kind, t.Locale}
	if stored := m.texts()[key].Version; stored != t.Version {
		return fmt.Errorf("text of %s in %s is at version %d, not %d: %w", t.Kind, t.Locale, stored, t.Version, ErrConflict)
	}
	t.Version++
	m.texts()[key] = t
	return nil
}

// Reset forgets a text.
func (m *MemoryTexts) Reset(ctx context.Context, reseller uuid.UUID, k Kind, locale string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.texts(), textKey{reseller, k, locale})
	return nil
}
