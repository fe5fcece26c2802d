// Package backup keeps the list of backups that a reseller owes its clients: clients ask for them on a schedule, each
// occurrence becomes a task, and people, or a plug-in, do the tasks and say what came of it.
//
// The problem: a list that is made by a nightly job loses whatever fell into an outage, doubles what two processes made at
// once, and goes on for servers that have long been somebody else's. The smallest program:
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
// A [Schedule] is a pure value: [Schedule.Next] finds an occurrence by arithmetic, for any instant.
//
// A [Request] is a client's wish for backups of one server, for as long as it uses the server. A live request has exactly
// one pending [Task] that was made ahead of time, so that the list always shows what comes. Occurrences that fall due
// while it is pending become one skipped task, at the date of the last and counting all: three years of downtime make one
// row. When the pending one is settled, the next is planned for the first occurrence after now and after what is recorded.
// Task IDs derive from request and occurrence, so that two processes that plan the same one make one.
//
// A task that is not settled within [Config].Grace is overdue, and the reseller is reminded once. [Transitions] is the table
// of its states:
//
//	Submit       (new)    -> pending
//	Complete     pending  -> completed
//	Fail         pending  -> failed
//	Retry        failed   -> pending
//	Cancel       pending  -> cancelled
//	Withdraw     pending  -> cancelled
//	CloseServer  pending  -> cancelled
//	Tick         (new)    -> skipped
//
// A task that is retried keeps its ID and its date, and is pending as its next attempt beside the one made ahead.
// Completing, failing or cancelling the task made ahead plans its successor in the same commit. A series ends when its
// schedule has no further occurrence, when it is withdrawn, or when the server leaves its client.
//
// Three ways lead to the last, and all may be wired: [Manager.CloseServer] fits the hook in which a cancellation closes
// down what hangs on a server, [Manager.Subscriber] hears of every release, and a Tick looks at the server whenever a task
// of it is due. A cancellation that is merely scheduled ([Config].Ends) refuses requests that would start after it, and
// marks later tasks: they will not run.
//
// A Tick reads what a hundred due requests need with one question where the Store is a [BulkStore] and Servers is a
// dedicated.BulkInventory, and request by request where they are not.
//
// With a [Performer] in its [Config] the Manager makes due backups by itself, under a lease that is renewed while one runs.
//
// # Who may do what
//
// A client submits, revises and withdraws requests for servers that it uses, and cancels tasks of its own; it never learns
// whether a machine is a provider's. The reseller does all of that on its behalf, and what it takes to work through the
// list. Another client's or reseller's records do not exist for an actor.
//
// # Errors
//
// Every error answers errors.Is for one of [ErrNotFound], [ErrConflict], [ErrForbidden] and [ErrInvalid], or for the cause
// that a store, a hook or a context gave, and errors.As for an [Error] with the details.
//
// # Concurrency
//
// A Manager may be used by many goroutines, and any number of Managers in any number of processes may work on one Store.
// A change writes the request with its tasks, so that the request's version keeps two changes of a series apart: who loses
// a race reads and decides again, five times at most.
package backup
