package notify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// MemoryTexts stores Texts in memory. It is for tests and small hosts. The zero value is empty and ready. It must not be
// copied after first use. Many goroutines may use it at once.
type MemoryTexts struct {
	mu      sync.Mutex
	content *map[textKey]Text // a pointer, so that the type stays comparable
}

var _ Texts = (*MemoryTexts)(nil)

type textKey struct {
	reseller uuid.UUID
	kind     Kind
	locale   string
}

// locked returns the content. The caller holds the lock.
func (m *MemoryTexts) locked() map[textKey]Text {
	if m.content == nil {
		m.content = &map[textKey]Text{}
	}
	return *m.content
}

// Text implements Texts.
func (m *MemoryTexts) Text(ctx context.Context, reseller uuid.UUID, k Kind, locale string) (Text, error) {
	if err := ctx.Err(); err != nil {
		return Text{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.locked()[textKey{reseller, k, locale}]
	if !ok {
		return Text{}, fmt.Errorf("text of %s in %s: %w: it was not edited", k, locale, ErrNotFound)
	}
	return t, nil
}

// Texts implements Texts.
func (m *MemoryTexts) Texts(ctx context.Context, reseller uuid.UUID) ([]Text, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Text
	for _, t := range m.locked() {
		if t.ResellerID == reseller {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, func(a, b Text) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Locale, b.Locale))
	})
	return found, nil
}

// Save implements Texts.
func (m *MemoryTexts) Save(ctx context.Context, t Text) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := textKey{t.ResellerID, t.Kind, t.Locale}
	if stored := m.locked()[key].Version; stored != t.Version {
		return fmt.Errorf("text of %s in %s has version %d, not %d: %w", t.Kind, t.Locale, stored, t.Version, ErrConflict)
	}
	t.Version++
	m.locked()[key] = t
	return nil
}

// Reset implements Texts.
func (m *MemoryTexts) Reset(ctx context.Context, reseller uuid.UUID, k Kind, locale string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.locked(), textKey{reseller, k, locale})
	return nil
}
