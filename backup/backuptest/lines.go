package backuptest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// line is a test of what this store alone owes.
type line struct {
	name string
	test func(*testing.T, backup.Store, notify.Outbox)
}

func lines() []line {
	return []line{
		{"4 atomicity: one planned task a request", onePlanned},
		{"4 atomicity: of two planned tasks at once one wins", plannedRace},
		{"4 atomicity: requests and tasks together", together},
		{"6 time: every schedule comes back the same", schedules},
		{"8 order: criteria of tasks", taskCriteria},
		{"8 order: criteria of requests", requestCriteria},
		{"8 order: an unknown owner is ErrInvalid", unknownOwner},
		{"8 order: the cursor of the other list is ErrInvalid", otherCursor},
		{"8 order: counts under criteria", counts},
		{"9 context: counting under a cancelled one", cancelledCounts},
		{"BulkStore: open tasks as Task returns them", openTasks},
	}
}

func commit(t *testing.T, s backup.Store, changes ...backup.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), changes...); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func planned(reseller, request uuid.UUID, n int) backup.Task {
	return backup.Task{ID: uuid.New(), RequestID: request, ResellerID: reseller, At: instant(n), State: backup.Pending}
}

func wantConflict(t *testing.T, s backup.Store, what string, changes ...backup.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), changes...); !errors.Is(err, backup.ErrConflict) {
		t.Errorf("%s gave %v, want ErrConflict", what, err)
	}
}

func onePlanned(t *testing.T, s backup.Store, _ notify.Outbox) {
	reseller, request := uuid.New(), uuid.New()
	first, second := planned(reseller, request, 1), planned(reseller, request, 2)
	wantConflict(t, s, "two planned tasks of a request in one change", backup.Change{Tasks: []backup.Task{first, second}})
	commit(t, s, backup.Change{Tasks: []backup.Task{first}})
	wantConflict(t, s, "a second planned task of a request", backup.Change{Tasks: []backup.Task{second}})
	if _, err := s.Task(t.Context(), second.ID); !errors.Is(err, backup.ErrNotFound) {
		t.Errorf("the second planned task was stored (reading it gave %v)", err)
	}

	retried, settled := planned(reseller, request, 0), planned(reseller, request, 0)
	retried.Attempt, settled.State = 1, backup.Completed
	commit(t, s, backup.Change{Tasks: []backup.Task{retried, settled, planned(reseller, uuid.New(), 1)}})

	first.Version, first.State = 1, backup.Completed
	commit(t, s, backup.Change{Tasks: []backup.Task{first, second}})
	first.Version, first.State = 2, backup.Pending
	wantConflict(t, s, "a settled task that is planned again beside the present one", backup.Change{Tasks: []backup.Task{first}})
	first.Attempt = 1
	commit(t, s, backup.Change{Tasks: []backup.Task{first}})
}

// plannedRace lets two processes plan different tasks for one request.
func plannedRace(t *testing.T, s backup.Store, _ notify.Outbox) {
	for range 200 {
		request, start, results := uuid.New(), make(chan struct{}), make(chan error, 2)
		for n := range 2 {
			task := planned(uuid.New(), request, n)
			go func() {
				<-start
				results <- s.Commit(t.Context(), backup.Change{Tasks: []backup.Task{task}})
			}()
		}
		close(start)
		a, b := <-results, <-results
		if (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), backup.ErrConflict) {
			t.Fatalf("two planned tasks of one request at once got %v and %v: one must win, the other must get ErrConflict", a, b)
		}
	}
}

func together(t *testing.T, s backup.Store, outbox notify.Outbox) {
	if err := outbox.Register(t.Context(), "suite", nil); err != nil {
		t.Fatalf("Register: %v", err)
	}
	reseller := uuid.New()
	old, r := makeTask(reseller, 0), makeRequest(reseller, 0)
	commit(t, s, backup.Change{Tasks: []backup.Task{old}})
	event := notify.Event{ID: uuid.New(), Kind: "suite.event", At: instant(0), SubjectID: r.ID, Data: []byte(`{}`)}
	wantConflict(t, s, "a change with a new request and a task that was created before",
		backup.Change{Requests: []backup.Request{r}, Tasks: []backup.Task{old}, Events: []notify.Event{event}})
	if _, err := s.Request(t.Context(), r.ID); !errors.Is(err, backup.ErrNotFound) {
		t.Errorf("the request of a change whose task is a conflict was stored (reading it gave %v)", err)
	}
	stale := r
	stale.Version = 4
	fresh := makeTask(reseller, 1)
	wantConflict(t, s, "a change with a new task and a stale request",
		backup.Change{Requests: []backup.Request{stale}, Tasks: []backup.Task{fresh}, Events: []notify.Event{event}})
	if _, err := s.Task(t.Context(), fresh.ID); !errors.Is(err, backup.ErrNotFound) {
		t.Errorf("the task of a change whose request is stale was stored (reading it gave %v)", err)
	}
	if all, _, err := outbox.Deliveries(t.Context(), notify.DeliveryQuery{}); err != nil || len(all) > 0 {
		t.Errorf("the outbox holds %d deliveries of changes that failed, %v", len(all), err)
	}
	commit(t, s, backup.Change{Requests: []backup.Request{r}, Tasks: []backup.Task{fresh}, Events: []notify.Event{event}})
	if _, err := s.Request(t.Context(), r.ID); err != nil {
		t.Errorf("reading the request of a change that was stored: %v", err)
	}
	if _, err := s.Task(t.Context(), fresh.ID); err != nil {
		t.Errorf("reading the task of a change that was stored: %v", err)
	}
}

func schedules(t *testing.T, s backup.Store, _ notify.Outbox) {
	for _, schedule := range []backup.Schedule{
		{Frequency: backup.Once, Hour: 23, Minute: 59, Start: instant(1)},
		{Frequency: backup.Daily, Interval: backup.MaxInterval, Zone: "Europe/Berlin", Start: instant(2), Count: backup.MaxCount},
		{Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Sunday}, Start: instant(3), Until: instant(4)},
		{Frequency: backup.Monthly, MonthDay: -1, Start: instant(5).Add(time.Microsecond)},
	} {
		r := makeRequest(uuid.New(), 1)
		r.Form.Schedule = schedule
		commit(t, s, backup.Change{Requests: []backup.Request{r}})
		got, err := s.Request(t.Context(), r.ID)
		if d := storetest.Diff(schedule, got.Form.Schedule); err != nil || d != "" {
			t.Errorf("%s came back changed: %s %v", schedule, d, err)
		}
	}
}

// criteria are queries over a small store, and which of its tasks they find.
type criteria struct {
	name string
	q    backup.TaskQuery
	want []backup.Task
}

// fillCriteria stores tasks a to d of one reseller, and one of another.
func fillCriteria(t *testing.T, s backup.Store) (reseller uuid.UUID, all []criteria) {
	t.Helper()
	reseller, client, request := uuid.New(), uuid.New(), uuid.New()
	task := func(n int, name string, state backup.State) backup.Task {
		return backup.Task{
			ID: uuid.New(), ResellerID: reseller, RequestID: uuid.New(), ClientID: uuid.New(), ServerID: uuid.New(),
			ServerName: name, At: instant(n), State: state,
		}
	}
	a, b := task(1, "Alpha", backup.Pending), task(2, "beta", backup.Completed)
	c, d := task(3, "gamma 100%_", backup.Failed), task(3, "delta", backup.Skipped)
	a.ClientID, c.ClientID = client, client
	b.RequestID, c.RequestID, b.ServerID, c.ServerID = request, request, d.ServerID, d.ServerID
	a.AtProvider, c.AtProvider, d.What = true, true, "alphabet"
	other := a
	other.ID, other.ResellerID, other.RequestID = uuid.New(), uuid.New(), request
	commit(t, s, backup.Change{Tasks: []backup.Task{d, other, b}}, backup.Change{Tasks: []backup.Task{c, a}})
	cd := []backup.Task{c, d}
	if c.ID.String() > d.ID.String() {
		cd = []backup.Task{d, c}
	}
	return reseller, []criteria{
		{"everything", backup.TaskQuery{}, append([]backup.Task{a, b}, cd...)},
		{"from", backup.TaskQuery{From: instant(2)}, append([]backup.Task{b}, cd...)},
		{"from a microsecond later", backup.TaskQuery{From: instant(2).Add(time.Microsecond)}, cd},
		{"to", backup.TaskQuery{To: instant(2)}, []backup.Task{a}},
		{"to a microsecond later", backup.TaskQuery{To: instant(2).Add(time.Microsecond)}, []backup.Task{a, b}},
		{"states", backup.TaskQuery{States: []backup.State{backup.Pending, backup.Failed}}, []backup.Task{a, c}},
		{"a client's", backup.TaskQuery{ClientID: client}, []backup.Task{a, c}},
		{"a server's", backup.TaskQuery{ServerID: d.ServerID}, append([]backup.Task{b}, cd...)},
		{"a request's", backup.TaskQuery{RequestID: request}, []backup.Task{b, c}},
		{"an unknown request's", backup.TaskQuery{RequestID: uuid.New()}, nil},
		{"own", backup.TaskQuery{Owner: "own"}, []backup.Task{b, d}},
		{"a provider's", backup.TaskQuery{Owner: "provider"}, []backup.Task{a, c}},
		{"text in the name, whatever the case", backup.TaskQuery{Text: "ALPHA"}, []backup.Task{a}},
		{"text is no pattern", backup.TaskQuery{Text: "0%_"}, []backup.Task{c}},
		{"text that is a pattern elsewhere", backup.TaskQuery{Text: "b_ta"}, nil},
		{"text in the server's ID", backup.TaskQuery{Text: strings.ToUpper(a.ServerID.String()[4:30])}, []backup.Task{a}},
		{"all at once", backup.TaskQuery{
			From: instant(3), To: instant(4), States: []backup.State{backup.Failed}, ClientID: client, ServerID: d.ServerID,
			RequestID: request, Owner: "provider", Text: "gam",
		}, []backup.Task{c}},
	}
}

func taskCriteria(t *testing.T, s backup.Store, _ notify.Outbox) {
	reseller, all := fillCriteria(t, s)
	for _, tt := range all {
		got, next, err := s.Tasks(t.Context(), reseller, tt.q)
		if err != nil || next != "" {
			t.Errorf("%s: cursor %q, %v", tt.name, next, err)
		}
		same := slices.EqualFunc(got, tt.want, func(a, b backup.Task) bool { return a.ID == b.ID })
		if !same {
			t.Errorf("%s: got %v, want %v", tt.name, names(got), names(tt.want))
		}
	}
}

func names(tasks []backup.Task) []string {
	var all []string
	for _, t := range tasks {
		all = append(all, t.ServerName)
	}
	return all
}

func counts(t *testing.T, s backup.Store, _ notify.Outbox) {
	reseller, all := fillCriteria(t, s)
	for _, tt := range all {
		tt.q.Limit = 1
		got, err := s.Counts(t.Context(), reseller, tt.q)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		want := map[backup.State]int{}
		for _, task := range tt.want {
			want[task.State]++
		}
		for _, state := range backup.States() {
			if got[state] != want[state] {
				t.Errorf("%s: %d are %s, want %d", tt.name, got[state], state, want[state])
			}
		}
	}
}

func requestCriteria(t *testing.T, s backup.Store, _ notify.Outbox) {
	reseller, client := uuid.New(), uuid.New()
	a, b, c := makeRequest(reseller, 1), makeRequest(reseller, 2), makeRequest(reseller, 3)
	a.ServerName, b.ServerName, c.ServerName = "a", "b", "c"
	a.ClientID, b.ClientID, b.ServerID = client, client, c.ServerID
	a.Ended, c.Ended = time.Time{}, time.Time{}
	other := makeRequest(uuid.New(), 1)
	other.ClientID, other.ServerID = client, c.ServerID
	commit(t, s, backup.Change{Requests: []backup.Request{b, other, c, a}})
	for _, tt := range []struct {
		name string
		q    backup.RequestQuery
		want []backup.Request
	}{
		{"everything", backup.RequestQuery{}, []backup.Request{a, b, c}},
		{"live", backup.RequestQuery{Live: true}, []backup.Request{a, c}},
		{"a client's", backup.RequestQuery{ClientID: client}, []backup.Request{a, b}},
		{"a server's", backup.RequestQuery{ServerID: c.ServerID}, []backup.Request{b, c}},
		{"all at once", backup.RequestQuery{ClientID: client, ServerID: c.ServerID, Live: true}, nil},
	} {
		got, next, err := s.Requests(t.Context(), reseller, tt.q)
		if err != nil || next != "" {
			t.Errorf("%s: cursor %q, %v", tt.name, next, err)
		}
		if !slices.EqualFunc(got, tt.want, func(a, b backup.Request) bool { return a.ID == b.ID }) {
			t.Errorf("%s: got %d requests, want %d", tt.name, len(got), len(tt.want))
		}
	}
}

func unknownOwner(t *testing.T, s backup.Store, _ notify.Outbox) {
	q := backup.TaskQuery{Owner: "mine"}
	if _, _, err := s.Tasks(t.Context(), uuid.New(), q); !errors.Is(err, backup.ErrInvalid) {
		t.Errorf("Tasks: the owner %q gave %v, want ErrInvalid", q.Owner, err)
	}
	if _, err := s.Counts(t.Context(), uuid.New(), q); !errors.Is(err, backup.ErrInvalid) {
		t.Errorf("Counts: the owner %q gave %v, want ErrInvalid", q.Owner, err)
	}
}

func otherCursor(t *testing.T, s backup.Store, _ notify.Outbox) {
	reseller := uuid.New()
	commit(t, s, backup.Change{
		Requests: []backup.Request{makeRequest(reseller, 1), makeRequest(reseller, 2)},
		Tasks:    []backup.Task{makeTask(reseller, 1), makeTask(reseller, 2)},
	})
	_, ofRequests, err := s.Requests(t.Context(), reseller, backup.RequestQuery{Limit: 1})
	if err != nil || ofRequests == "" {
		t.Fatalf("a page of one of two requests: cursor %q, %v", ofRequests, err)
	}
	if _, _, err := s.Tasks(t.Context(), reseller, backup.TaskQuery{After: ofRequests}); !errors.Is(err, backup.ErrInvalid) {
		t.Errorf("Tasks after a cursor of Requests gave %v, want ErrInvalid", err)
	}
	_, ofTasks, err := s.Tasks(t.Context(), reseller, backup.TaskQuery{Limit: 1})
	if err != nil || ofTasks == "" {
		t.Fatalf("a page of one of two tasks: cursor %q, %v", ofTasks, err)
	}
	if _, _, err := s.Requests(t.Context(), reseller, backup.RequestQuery{After: ofTasks}); !errors.Is(err, backup.ErrInvalid) {
		t.Errorf("Requests after a cursor of Tasks gave %v, want ErrInvalid", err)
	}
}

func cancelledCounts(t *testing.T, s backup.Store, _ notify.Outbox) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Counts(ctx, uuid.New(), backup.TaskQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Counts under a cancelled context gave %v", err)
	}
	if _, _, err := s.Tasks(ctx, uuid.New(), backup.TaskQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Tasks under a cancelled context gave %v", err)
	}
}
