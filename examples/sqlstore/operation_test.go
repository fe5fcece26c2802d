package sqlstore_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// TestOperation executes the statements that the package comment lists for operators.
func TestOperation(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	written := regexp.MustCompile(`(?m)^//\t(DELETE|\tSELECT).*\n`).FindAllString(string(doc), -1)
	statements := strings.Split(strings.ReplaceAll(strings.Join(written, ""), "//\t", ""), "\nDELETE")
	require.Len(t, statements, 4)
	for i, s := range statements[1:] {
		statements[i+1] = "DELETE" + s
	}
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		db, sql := open(t, dsn), raw(t, dsn)
		run := func(statement string, arg any) {
			t.Helper()
			_, err := sql.Exec(statement, arg)
			require.NoError(t, err, statement)
		}
		require.NoError(t, db.Outbox().Register(t.Context(), "mail", nil))
		require.NoError(t, db.Outbox().Register(t.Context(), "old", nil))
		addEvent := func(n int) notify.Event {
			e := notify.Event{ID: uuid.New(), Kind: "a.b", At: day(n), SubjectID: uuid.New(), Data: []byte(`{}`)}
			require.NoError(t, db.Servers().Commit(t.Context(), dedicated.Change{Events: []notify.Event{e}}))
			return e
		}
		delivered, waiting := addEvent(1), addEvent(2)
		due, err := db.Outbox().ClaimDue(t.Context(), "mail", day(3), day(4), 1)
		require.NoError(t, err)
		require.Equal(t, delivered.ID, due.Deliveries[0].Event.ID)
		due.Deliveries[0].Delivered = true
		require.NoError(t, db.Outbox().Settle(t.Context(), due.Deliveries...))

		left := func() (ids []uuid.UUID) {
			t.Helper()
			all, _, err := db.Outbox().Deliveries(t.Context(), notify.DeliveryQuery{Subscriber: "mail"})
			require.NoError(t, err)
			for _, d := range all {
				ids = append(ids, d.Event.ID)
			}
			return ids
		}
		run(statements[0], day(9).UnixMicro())
		assert.Equal(t, []uuid.UUID{delivered.ID, waiting.ID}, left(), "the deliveries of the subscriber old are waiting")
		for _, remove := range statements[1:] {
			run(remove, "old")
		}
		run(statements[0], day(1).UnixMicro())
		assert.Equal(t, []uuid.UUID{delivered.ID, waiting.ID}, left(), "the event is not before the limit")
		run(statements[0], day(9).UnixMicro())
		assert.Equal(t, []uuid.UUID{waiting.ID}, left(), "an event with a waiting delivery stays")
		later := addEvent(4)
		assert.Equal(t, []uuid.UUID{waiting.ID, later.ID}, left())
		depth, _, _, err := db.Outbox().Depth(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2, depth, "a deleted subscriber has no deliveries")
	})
}
