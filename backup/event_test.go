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

// TestDatesInMails: the dates in mails are in the request's zone.
func TestDatesInMails(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, backup.Schedule{Frequency: backup.Daily, Hour: 2, Minute: 30, Zone: "Europe/Berlin"})
	_, err := f.Complete(t.Context(), f.reseller, f.planned(t, r).ID, backup.Result{Bytes: 5, Location: "vault", Note: "fine"})
	require.NoError(t, err)
	for _, e := range f.events(t) {
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

// TestMails reads the mails that a client gets about its tasks.
func TestMails(t *testing.T) {
	t.Parallel()
	f := setup(t)
	catalog, err := notify.NewCatalog(backup.Kinds())
	require.NoError(t, err)
	var mails []string
	subscriber := catalog.Mail("mail", notify.ToClient, notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
		mails = append(mails, m.Subject+"\n"+m.Text)
		return nil
	}))
	dispatcher, err := notify.New(notify.Config{Outbox: f.outbox, Clock: f.clock}, subscriber)
	require.NoError(t, err)
	_, err = dispatcher.Tick(t.Context())
	require.NoError(t, err)
	r := f.submit(t, daily(2))
	_, err = f.Fail(t.Context(), f.reseller, f.planned(t, r).ID, "no space")
	require.NoError(t, err)
	_, err = dispatcher.Tick(t.Context())
	require.NoError(t, err)
	_, err = f.Withdraw(t.Context(), f.client, r.ID, "")
	require.NoError(t, err)
	_, err = dispatcher.Tick(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{
		"Backup of web-07 failed\nThe backup of web-07, planned for 2026-01-02 02:00, failed.\n\nWhat: the database\n\nReason: no space\n",
		"Backups of web-07 ended\nA series of backups of web-07 was withdrawn; no more of them will be made.\n\n" +
			"These will not be made:\n- 2026-01-03 02:00, the database\n",
	}, mails)
}

// TestMailOfThePerformersFailure: the client reads that the backup program failed, and nothing of its error.
func TestMailOfThePerformersFailure(t *testing.T) {
	t.Parallel()
	for name, fault := range hostFaults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, func(c *backup.Config) {
				c.Tries = 1
				c.Performer = backup.PerformerFunc(func(context.Context, backup.Task) (backup.Result, error) { return backup.Result{}, fault() })
			})
			id := f.planned(t, f.submit(t, daily(2))).ID
			f.clock.Set(at("2026-01-02 02:00"))
			_, err := f.Tick(t.Context())
			if name == "panic" {
				require.ErrorIs(t, err, backup.ErrHost)
				require.ErrorContains(t, err, secret, "for the log")
			} else {
				require.NoError(t, err)
			}
			told := false
			for _, e := range f.events(t) {
				assert.NotContains(t, string(e.Data), "secret")
				if e.Kind == backup.KindFailed {
					var notice backup.TaskNotice
					require.NoError(t, json.Unmarshal(e.Data, &notice))
					assert.Equal(t, backup.PerformerReason, notice.Reason)
					told = true
				}
			}
			assert.True(t, told)
			task, err := f.Task(t.Context(), f.client, id)
			require.NoError(t, err)
			assert.Equal(t, backup.PerformerReason, task.Reason)
			tasks, _, err := f.Tasks(t.Context(), f.client, backup.TaskQuery{States: []backup.State{backup.Failed}})
			require.NoError(t, err)
			require.Len(t, tasks, 1)
			assert.Equal(t, backup.PerformerReason, tasks[0].Reason)
			task, err = f.Task(t.Context(), f.reseller, id)
			require.NoError(t, err)
			if name == "panic" {
				assert.Equal(t, "internal error", task.Reason)
			} else {
				assert.Contains(t, task.Reason, secret, "the reseller reads it")
			}
		})
	}
}

// TestReasonOfAPerson: the client reads the reason that the reseller gave, also after a failure of the Performer.
func TestReasonOfAPerson(t *testing.T) {
	t.Parallel()
	f := setup(t, func(c *backup.Config) {
		c.Performer = backup.PerformerFunc(func(context.Context, backup.Task) (backup.Result, error) { return backup.Result{}, errDown })
	})
	id := f.planned(t, f.submit(t, daily(2))).ID
	f.clock.Set(at("2026-01-02 02:00"))
	f.tick(t)
	task, err := f.Task(t.Context(), f.reseller, id)
	require.NoError(t, err)
	require.Equal(t, errDown.Error(), task.Reason)
	_, err = f.Fail(t.Context(), f.reseller, id, "no space")
	require.NoError(t, err)
	task, err = f.Task(t.Context(), f.client, id)
	require.NoError(t, err)
	assert.Equal(t, "no space", task.Reason)
}
