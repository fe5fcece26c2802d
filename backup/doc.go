// Package backup keeps the list of backups that a reseller owes its clients. Clients ask for backups on a schedule. Each
// occurrence becomes a task. People or a plug-in do the tasks, and record the results.
//
// The problem: a nightly job that makes such a list loses the backups of an outage. If two processes run it, it makes some
// tasks twice. It makes tasks for servers that another client has by now. The smallest program:
//
//	backups, err := backup.New(backup.Config{Store: &backup.MemoryStore{}, Servers: servers})
//	...
//	r, err := backups.Submit(ctx, client, backup.Form{
//		ServerID: server, What: "the database",
//		Schedule: backup.Schedule{Frequency: backup.Daily, Hour: 2, Minute: 30, Zone: "Europe/Berlin"},
//	})
//	tasks, _, err := backups.Tasks(ctx, reseller, backup.TaskQuery{States: []backup.State{backup.Pending}})
//	task, err := backups.Complete(ctx, reseller, tasks[0].ID, backup.Result{Location: "vault 2"})
//
// and, in a goroutine of the host, a dedicated.Runner that calls [Manager.Tick].
//
// # Concepts
//
// A [Schedule] is a pure value: [Schedule.Next] computes the next occurrence after any instant. It says every rule of RFC 5545 from
// FREQ=DAILY to FREQ=YEARLY: the 1st and the 16th ([Schedule.MonthDays]), the first Monday and the last Friday
// ([Schedule.NthWeekdays]), the last working day ([Schedule.SetPos]), only in some months ([Schedule.Months]). [ParseRRule] and
// [Schedule.RRule] convert. Simple schedules are found by arithmetic, and the others by a search that ends after one cycle of the
// calendar, 400 years times the interval at most.
//
// A [Request] asks for backups of one server, for as long as the client uses the server. A live request has exactly one
// pending [Task] that was planned ahead, so that the list always shows the next backup. Occurrences that fall due while it
// is pending become one skipped task. It has the date of the last of them and counts all: three years of downtime make one
// task. A task is closed when it is completed, failed or cancelled. When the planned task is closed, the next one is planned:
// for the first occurrence that is after now and that no task stands for yet. Task IDs derive from request and occurrence, so
// that two processes that plan the same occurrence make one task.
//
// A task that is pending for [Config].Grace is overdue, and the reseller is reminded once. [Transitions] returns the state
// table:
//
//	Submit       (new)    -> pending
//	Revise       pending  -> the same
//	Complete     pending  -> completed
//	Fail         pending  -> failed
//	Retry        failed   -> pending
//	Cancel       pending  -> cancelled
//	Withdraw     pending  -> cancelled
//	CloseServer  pending  -> cancelled
//	Tick         (new)    -> skipped
//
// A retried task keeps its ID and its date. It is pending as its next attempt, beside the planned task. Closing the planned task
// plans the next one in the same commit. A request ends when its schedule has no further occurrence, when it is withdrawn, and
// when the server leaves its client.
//
// The Manager learns in three ways that a server has left its client, and all three may be used. [Manager.CloseServer] fits the
// hook of a cancellation that closes the records of a server. [Manager.Subscriber] receives every release. A Tick reads the server
// whenever one of its tasks is due. While a cancellation is only scheduled ([Config].Ends), a request that would start after it is
// refused, and tasks after it are marked with WillNotRun.
//
// A Tick reads the servers of a hundred due requests with one question if Servers is a dedicated.BulkInventory, and their tasks with
// one question if the Store is a [BulkStore]. Both are optional.
//
// With a [Performer] in its [Config] the Manager makes due backups by itself. It renews a lease while a backup runs.
//
// # Restore
//
// A database holds one epoch, which an operator changes after restoring a copy. Each process is started for one ([Config].Epoch). A
// request stores the epoch of the last decision of a person. With another epoch the Performer does not make its backups: they may
// have been made already, and the server may have another client by now. Everything else goes on as without a Performer: tasks are
// planned, the reseller is reminded of an overdue one, and the request ends with its server. RequestQuery.Unconfirmed lists such
// requests. [Manager.Confirm] lets them go on, and so does every other decision of the reseller about the request or a task of it.
// Without a Performer nothing waits.
//
// # Permissions
//
// A client submits, revises and withdraws requests for servers that it uses, and cancels its own tasks. It does not learn
// whether a machine is a provider's. The reseller may do the same on behalf of a client, and completes, fails and retries
// tasks. An actor cannot see the records of another client or reseller.
//
// # Errors
//
// Every error is an [Error] (errors.As), with the data that a frontend needs. errors.Is finds one of [ErrNotFound],
// [ErrConflict], [ErrForbidden] and [ErrInvalid], which are the caller's doing, or [ErrHost] if a part of the host failed, or
// the error of a context that ended. Only the errors of [Manager.Tick] and [Manager.CloseServer] have the words of the host's
// parts in their text.
//
// # Concurrency
//
// Many goroutines may use a Manager, and any number of Managers in any number of processes may work on one Store. A change
// writes the request with its tasks, so that two changes of one request conflict by its version. If a record changed
// meanwhile, an operation reads it and decides again, five times at most.
package backup
