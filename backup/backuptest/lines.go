package backuptest

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// line is a test that only stores of backups need.
type line struct {
	name string
	test func(*testing.T, backup.Store, notify.Outbox)
}

func lines() []line {
	return []line{
		{"4 atomicity: a request has one planned task", testOnePlanned},
		{"4 atomicity: one of two concurrent planned tasks wins", testPlannedRace},
		{"4 atomicity: requests and tasks are stored together", testTogether},
		{"6 time: every schedule is read back unchanged", testSchedules},
		{"8 order: criteria of tasks", testTaskCriteria},
		{"8 order: criteria of requests", testRequestCriteria},
		{"8 order: the cursor of the other list is ErrInvalid", testOtherCursor},
		{"8 order: counts with criteria", testCounts},
		{"9 context: a cancelled context is an error of counts", testCancelledCounts},
		{"BulkStore: open tasks as Task returns them", testOpenTasks},
	}
}

func commit(t *testing.T, s backup.Store, changes ...backup.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), changes...); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func wantConflict(t *testing.T, s backup.Store, what string, changes ...backup.Change) {
	t.Helper()
	storetest.WantConflict(t, what, s.Commit(t.Context(), changes...))
}

// planned returns a planned task: it is pending and has Attempt 0.
func planned(reseller, request uuid.UUID, n int) backup.Task {
	return backup.Task{ID: uuid.New(), RequestID: request, ResellerID: reseller, At: instant(n), State: backup.Pending}
}

func taskID(t backup.Task) uuid.UUID { return t.ID }

func testSchedules(t *testing.T, s backup.Store, _ notify.Outbox) {
	for _, schedule := range []backup.Schedule{
		{Frequency: backup.Once, Hour: 23, Minute: 59, Start: instant(1)},
		{Frequency: backup.Daily, Interval: backup.MaxInterval, Zone: "Europe/Berlin", Start: instant(2), Count: backup.MaxCount},
		{Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Sunday}, Start: instant(3), Until: instant(4)},
		{Frequency: backup.Weekly, Interval: 2, Weekdays: []time.Weekday{time.Sunday}, WeekStart: backup.FromSunday, Start: instant(3)},
		{Frequency: backup.Monthly, MonthDay: -1, Start: instant(5).Add(time.Microsecond)},
		{
			Frequency: backup.Yearly, Months: []time.Month{time.June, time.January}, MonthDays: []int{31, -1},
			NthWeekdays: []backup.NthWeekday{{N: -1, Weekday: time.Friday}}, SetPos: []int{-1, 2}, Start: instant(6),
		},
	} {
		r := makeRequest(uuid.New(), 1)
		r.Form.Schedule = schedule
		commit(t, s, backup.Change{Requests: []backup.Request{r}})
		got, err := s.Request(t.Context(), r.ID)
		if d := storetest.Diff(schedule, got.Form.Schedule); err != nil || d != "" {
			t.Errorf("the store changed the schedule %s: %s %v", schedule, d, err)
		}
	}
}

type (
	taskCriteria    = storetest.Criteria[backup.Task, backup.TaskQuery]
	requestCriteria = storetest.Criteria[backup.Request, backup.RequestQuery]
)

// fillTasks stores the tasks a to d of one reseller and a task of another reseller. It returns queries and the tasks of the first
// reseller that match.
func fillTasks(t *testing.T, s backup.Store) (reseller uuid.UUID, all []taskCriteria) {
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
	type (
		query = backup.TaskQuery
		list  = []backup.Task
	)
	cd := list{c, d}
	if c.ID.String() > d.ID.String() {
		cd = list{d, c}
	}
	return reseller, []taskCriteria{
		{Name: "no criteria", Want: append(list{a, b}, cd...)},
		{Name: "From", Query: query{From: instant(2)}, Want: append(list{b}, cd...)},
		{Name: "From a microsecond later", Query: query{From: instant(2).Add(time.Microsecond)}, Want: cd},
		{Name: "To", Query: query{To: instant(2)}, Want: list{a}},
		{Name: "To a microsecond later", Query: query{To: instant(2).Add(time.Microsecond)}, Want: list{a, b}},
		{Name: "states", Query: query{States: []backup.State{backup.Pending, backup.Failed}}, Want: list{a, c}},
		{Name: "a client", Query: query{ClientID: client}, Want: list{a, c}},
		{Name: "a server", Query: query{ServerID: d.ServerID}, Want: append(list{b}, cd...)},
		{Name: "a request", Query: query{RequestID: request}, Want: list{b, c}},
		{Name: "an unknown request", Query: query{RequestID: uuid.New()}},
		{Name: "owned by the reseller", Query: query{Owner: "own"}, Want: list{b, d}},
		{Name: "owned by a provider", Query: query{Owner: "provider"}, Want: list{a, c}},
		{Name: "text in the name, in another case", Query: query{Text: "ALPHA"}, Want: list{a}},
		{Name: "text with wildcards of LIKE", Query: query{Text: "0%_"}, Want: list{c}},
		{Name: "text that matches only as a pattern", Query: query{Text: "b_ta"}},
		{Name: "text in the ID of the server", Query: query{Text: strings.ToUpper(a.ServerID.String()[4:30])}, Want: list{a}},
		{Name: "all criteria", Query: query{
			From: instant(3), To: instant(4), States: []backup.State{backup.Failed}, ClientID: client, ServerID: d.ServerID,
			RequestID: request, Owner: "provider", Text: "gam",
		}, Want: list{c}},
	}
}

func testTaskCriteria(t *testing.T, s backup.Store, _ notify.Outbox) {
	reseller, all := fillTasks(t, s)
	storetest.TestCriteria(t, taskID, func(t backup.Task) string { return t.ServerName },
		func(q backup.TaskQuery) ([]backup.Task, string, error) { return s.Tasks(t.Context(), reseller, q) }, all...)
}

func testCounts(t *testing.T, s backup.Store, _ notify.Outbox) {
	reseller, all := fillTasks(t, s)
	for _, c := range all {
		c.Query.Limit = 1
		got, err := s.Counts(t.Context(), reseller, c.Query)
		maps.DeleteFunc(got, func(_ backup.State, n int) bool { return n == 0 })
		want := map[backup.State]int{}
		for _, task := range c.Want {
			want[task.State]++
		}
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: got the counts %v and the error %v, want %v", c.Name, got, err, want)
		}
	}
}

func testRequestCriteria(t *testing.T, s backup.Store, _ notify.Outbox) {
	reseller, client := uuid.New(), uuid.New()
	a, b, c := makeRequest(reseller, 1), makeRequest(reseller, 2), makeRequest(reseller, 3)
	a.ServerName, b.ServerName, c.ServerName = "a", "b", "c"
	a.ClientID, b.ClientID, b.ServerID = client, client, c.ServerID
	a.Ended, c.Ended = time.Time{}, time.Time{}
	a.Epoch, b.Epoch, c.Epoch, b.Due = "", "", "second", instant(4)
	d := makeRequest(reseller, 4) // it has ended, and nothing of it is due
	d.ServerName, d.Epoch = "d", ""
	other := makeRequest(uuid.New(), 1)
	other.ClientID, other.ServerID = client, c.ServerID
	commit(t, s, backup.Change{Requests: []backup.Request{b, other, d, c, a}})
	type (
		query = backup.RequestQuery
		list  = []backup.Request
	)
	storetest.TestCriteria(t,
		func(r backup.Request) uuid.UUID { return r.ID }, func(r backup.Request) string { return r.ServerName },
		func(q query) (list, string, error) { return s.Requests(t.Context(), reseller, q) },
		[]requestCriteria{
			{Name: "no criteria", Want: list{a, b, c, d}},
			{Name: "live", Query: query{Live: true}, Want: list{a, c}},
			{Name: "a client", Query: query{ClientID: client}, Want: list{a, b}},
			{Name: "a server", Query: query{ServerID: c.ServerID}, Want: list{b, c}},
			{Name: "unconfirmed", Query: query{Unconfirmed: true, Epoch: "second"}, Want: list{a, b}},
			{Name: "unconfirmed in the first epoch", Query: query{Unconfirmed: true}, Want: list{c}},
			{Name: "an epoch alone", Query: query{Epoch: "second"}, Want: list{a, b, c, d}},
			{Name: "all criteria", Query: query{ClientID: client, ServerID: c.ServerID, Live: true}},
			{Name: "all criteria of one", Query: query{
				ClientID: client, ServerID: a.ServerID, Live: true, Unconfirmed: true, Epoch: "second",
			}, Want: list{a}},
		}...)
}

func testOtherCursor(t *testing.T, s backup.Store, _ notify.Outbox) {
	reseller := uuid.New()
	commit(t, s, backup.Change{
		Requests: []backup.Request{makeRequest(reseller, 1), makeRequest(reseller, 2)},
		Tasks:    []backup.Task{makeTask(reseller, 1), makeTask(reseller, 2)},
	})
	_, ofRequests, err := s.Requests(t.Context(), reseller, backup.RequestQuery{Limit: 1})
	if err != nil || ofRequests == "" {
		t.Fatalf("the first of two requests: cursor %q, %v", ofRequests, err)
	}
	_, _, err = s.Tasks(t.Context(), reseller, backup.TaskQuery{After: ofRequests})
	storetest.WantInvalid(t, "Tasks after a cursor of Requests", err)
	_, ofTasks, err := s.Tasks(t.Context(), reseller, backup.TaskQuery{Limit: 1})
	if err != nil || ofTasks == "" {
		t.Fatalf("the first of two tasks: cursor %q, %v", ofTasks, err)
	}
	_, _, err = s.Requests(t.Context(), reseller, backup.RequestQuery{After: ofTasks})
	storetest.WantInvalid(t, "Requests after a cursor of Tasks", err)
}

func testCancelledCounts(t *testing.T, s backup.Store, _ notify.Outbox) {
	storetest.WantCancelled(t, "Counts", func(ctx context.Context) error {
		_, err := s.Counts(ctx, uuid.New(), backup.TaskQuery{})
		return err
	})
	storetest.WantCancelled(t, "Tasks", func(ctx context.Context) error {
		_, _, err := s.Tasks(ctx, uuid.New(), backup.TaskQuery{})
		return err
	})
}
