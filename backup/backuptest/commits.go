package backuptest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

func testOnePlanned(t *testing.T, s backup.Store, _ notify.Outbox) {
	reseller, request := uuid.New(), uuid.New()
	first, second := planned(reseller, request, 1), planned(reseller, request, 2)
	wantConflict(t, s, "two planned tasks of a request in one change", backup.Change{Tasks: []backup.Task{first, second}})
	commit(t, s, backup.Change{Tasks: []backup.Task{first}})
	wantConflict(t, s, "a second planned task of a request", backup.Change{Tasks: []backup.Task{second}})
	_, err := s.Task(t.Context(), second.ID)
	storetest.WantNotFound(t, "reading the refused task", err)

	retried, completed := planned(reseller, request, 0), planned(reseller, request, 0)
	retried.Attempt, completed.State = 1, backup.Completed
	commit(t, s, backup.Change{Tasks: []backup.Task{retried, completed, planned(reseller, uuid.New(), 1)}})

	first.Version, first.State = 1, backup.Completed
	commit(t, s, backup.Change{Tasks: []backup.Task{first, second}})
	first.Version, first.State = 2, backup.Pending
	wantConflict(t, s, "a completed task that becomes a second planned one", backup.Change{Tasks: []backup.Task{first}})
	first.Attempt = 1
	commit(t, s, backup.Change{Tasks: []backup.Task{first}})
}

// testPlannedRace commits two planned tasks of one request at the same moment.
func testPlannedRace(t *testing.T, s backup.Store, _ notify.Outbox) {
	for range storetest.Rounds {
		request := uuid.New()
		var calls [2]func() error
		for n := range calls {
			task := planned(uuid.New(), request, n)
			calls[n] = func() error { return s.Commit(t.Context(), backup.Change{Tasks: []backup.Task{task}}) }
		}
		storetest.Race(t, "two planned tasks of one request", calls)
	}
}

func testTogether(t *testing.T, s backup.Store, outbox notify.Outbox) {
	storetest.Register(t, outbox)
	reseller := uuid.New()
	old, r := makeTask(reseller, 0), makeRequest(reseller, 0)
	commit(t, s, backup.Change{Tasks: []backup.Task{old}})
	events := []notify.Event{storetest.Event(r.ID)}
	wantConflict(t, s, "a change with a new request and a task that exists",
		backup.Change{Requests: []backup.Request{r}, Tasks: []backup.Task{old}, Events: events})
	_, err := s.Request(t.Context(), r.ID)
	storetest.WantNotFound(t, "reading the request of a refused change", err)

	stale, fresh := r, makeTask(reseller, 1)
	stale.Version = 4
	wantConflict(t, s, "a change with a new task and a stale request",
		backup.Change{Requests: []backup.Request{stale}, Tasks: []backup.Task{fresh}, Events: events})
	_, err = s.Task(t.Context(), fresh.ID)
	storetest.WantNotFound(t, "reading the task of a refused change", err)
	storetest.WantNoEvents(t, outbox)

	commit(t, s, backup.Change{Requests: []backup.Request{r}, Tasks: []backup.Task{fresh}, Events: events})
	if _, err := s.Request(t.Context(), r.ID); err != nil {
		t.Errorf("reading the request of a stored change: %v", err)
	}
	if _, err := s.Task(t.Context(), fresh.ID); err != nil {
		t.Errorf("reading the task of a stored change: %v", err)
	}
}
