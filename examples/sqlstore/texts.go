package sqlstore

import (
	"context"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

type mailTexts struct {
	db    *DB
	table *table[notify.Text]
}

// Texts returns the store of resellers' own mail texts, for notify.Catalog.
func (db *DB) Texts() notify.Texts {
	return mailTexts{db, table[notify.Text]{name: "texts", record: "text of reseller", keys: 3, fields: textFields}.prepared()}
}

func textFields(t *notify.Text) fields {
	return fields{
		{"reseller_id", &t.ResellerID},
		{"kind", &t.Kind},
		{"locale", &t.Locale},
		{"version", &t.Version},
		{"subject", &t.Subject},
		{"text", &t.Text},
		{"html", &t.HTML},
	}
}

// Text implements notify.Texts.
func (s mailTexts) Text(ctx context.Context, reseller uuid.UUID, k notify.Kind, locale string) (notify.Text, error) {
	return s.table.get(ctx, s.db, reseller, k, locale)
}

// Texts implements notify.Texts.
func (s mailTexts) Texts(ctx context.Context, reseller uuid.UUID) ([]notify.Text, error) {
	text := "SELECT " + s.table.columns + " FROM texts WHERE reseller_id = $1 ORDER BY kind, locale"
	rows, err := s.table.rows(ctx, s.db, s.db.pool, text, []any{argument(reseller)})
	if err != nil {
		return nil, s.db.explain(ctx, err, false)
	}
	found, failed := separate(rows)
	s.db.logUnreadable(ctx, s.table.unreadable(failed))
	return found, nil
}

// Save implements notify.Texts.
func (s mailTexts) Save(ctx context.Context, t notify.Text) error {
	var c commit
	put(&c, s.table, []notify.Text{t})
	return s.db.commit(ctx, c)
}

// Reset implements notify.Texts.
func (s mailTexts) Reset(ctx context.Context, reseller uuid.UUID, k notify.Kind, locale string) error {
	return s.db.transact(ctx, func(t *tx) error {
		return t.write(ctx, []statement{{
			text: "DELETE FROM texts WHERE reseller_id = $1 AND kind = $2 AND locale = $3",
			args: []any{argument(reseller), argument(k), argument(locale)},
		}})
	})
}
