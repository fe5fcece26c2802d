package backup_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/notify"
)

// TestKindsAreSound: every kind has texts that its sample can fill.
func TestKindsAreSound(t *testing.T) {
	t.Parallel()
	catalog, err := notify.NewCatalog(backup.Kinds())
	require.NoError(t, err)
	for _, spec := range backup.Kinds() {
		if spec.Audience == notify.ToHost {
			continue
		}
		m, err := catalog.Preview(notify.Text{Kind: spec.Kind, Locale: "en", Subject: spec.Subject["en"], Text: spec.Text["en"]})
		require.NoError(t, err)
		assert.Contains(t, m.Text, "web-07")
		assert.NotContains(t, m.Text, "no value")
	}
}

// TestDatesInMails are those of the request's zone.
func TestDatesInMails(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, backup.Schedule{Frequency: backup.Daily, Hour: 2, Minute: 30, Zone: "Europe/Berlin"})
	_, err := p.Complete(t.Context(), p.reseller, p.planned(t, r).ID, backup.Result{Bytes: 5, Location: "vault", Note: "fine"})
	require.NoError(t, err)
	for _, e := range p.events(t) {
		if e.Kind != backup.KindCompleted {
			continue
		}
		var notice backup.TaskNotice
		require.NoError(t, json.Unmarshal(e.Data, &notice))
		assert.Equal(t, "2026-01-02 02:30", notice.Date)
		assert.True(t, at("2026-01-02 01:30").Equal(notice.At))
		assert.Equal(t, "vault", notice.Location)
		assert.Equal(t, r.ServerID, e.ServerID)
		assert.Equal(t, notice.TaskID, e.SubjectID)
	}
}

// TestMails reads what a client gets for each thing that can happen to a task.
func TestMails(t *testing.T) {
	t.Parallel()
	p := setup(t)
	catalog, err := notify.NewCatalog(backup.Kinds())
	require.NoError(t, err)
	var mails []string
	subscriber := catalog.Mail("mail", notify.ToClient, notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
		mails = append(mails, m.Subject+"\n"+m.Text)
		return nil
	}))
	dispatcher, err := notify.New(notify.Config{Outbox: p.outbox, Clock: p.clock}, subscriber)
	require.NoError(t, err)
	_, err = dispatcher.Tick(t.Context())
	require.NoError(t, err)
	r := p.submit(t, daily(2))
	_, err = p.Fail(t.Context(), p.reseller, p.planned(t, r).ID, "no space")
	require.NoError(t, err)
	_, err = dispatcher.Tick(t.Context())
	require.NoError(t, err)
	_, err = p.Withdraw(t.Context(), p.client, r.ID, "")
	require.NoError(t, err)
	_, err = dispatcher.Tick(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{
		"Backup of web-07 failed\nThe backup of web-07, planned for 2026-01-02 02:00, failed.\n\nWhat: the database\n\nReason: no space\n",
		"Backups of web-07 ended\nA series of backups of web-07 was withdrawn; no more of them will be made.\n\n" +
			"These will not be made:\n- 2026-01-03 02:00, the database\n",
	}, mails)
}
