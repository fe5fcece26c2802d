// Package cancellation ends the use of dedicated servers automatically: on a date that a reseller chose, or at the end of the
// billing period in which a client asked for it. It warns before, and refunds what was paid for and not used.
//
// The problem: this is the operation that destroys data and pays money back. It must happen on the day, also after an
// outage. It must happen once, also if two processes work on it. It must reach the server of the client who was meant, and
// never the next client. And it must be possible to see the refund beforehand. The smallest program:
//
//	outbox := &notify.MemoryOutbox{}
//	servers, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{Outbox: outbox}})
//	...
//	cancellations, err := cancellation.New(cancellation.Config{
//		Store: &cancellation.MemoryStore{Outbox: outbox}, Servers: servers,
//	})
//	...
//	dispatcher, err := notify.New(notify.Config{Outbox: outbox}, cancellations.Subscriber())
//	...
//	c, err := cancellations.Schedule(ctx, client, cancellation.Order{
//		ServerID: server.ID, When: cancellation.When{EndOfPeriod: true},
//	})
//	...
//	runner := dedicated.Runner{Tickers: []dedicated.Ticker{cancellations, dispatcher}}
//	err = runner.Run(ctx)
//
// # Concepts
//
// A [Cancellation] is a plan for one assignment of one server. After the assignment it shows on nobody's server and counts for nothing.
// [When] keeps the intent: ends of periods follow the server's billing; a fixed date does not move. Three rules limit that. New terms
// that begin at the date or later do not move it. A client's order moves to a later date only if the billing keeps the cycle under
// which the client ordered it. And a period that has ended already under new billing makes the cancellation due as of the change,
// though not without the warnings of Settings.MinWarningDays. Each move is mailed to a client that knows the date.
//
// The [Manager.Subscriber] follows a change of billing at once. Without it, a Tick looks at each scheduled end of a period once a day.
// This is the only work that follows what is stored, and not what is due: one claim, one question of the inventory and one commit for
// a hundred such cancellations a day. A million of them are ten thousand batches a day, or seven a minute.
//
// A client chooses the end of the period, or the first end that notice and lock leave, as [Manager.Policy] says. Both are frozen with the
// order: settings that are saved later change no order. From the date on a client may change nothing, also while the
// execution is postponed; nor what a reseller has moved. [Manager.Preview] returns what [Manager.Schedule] would do.
//
// [Transitions] returns the state table. Rows that are not methods of the [Manager] are what a Tick does:
//
//	Schedule                                 -> scheduled
//	Reschedule          scheduled            -> the same
//	Discard             scheduled            -> discarded
//	server left         scheduled            -> discarded
//	owner changed       scheduled            -> failed
//	begin               scheduled            -> executing
//	Retry               scheduled, executing -> the same
//	Confirm             scheduled, executing -> the same
//	finish              executing            -> executed
//	Abandon             executing            -> failed
//	assignment changed  executing            -> failed
//
// A client is warned as many days ahead as the reseller's [Settings] say, once for each date and number of days. An overdue
// warning is sent late. If several are overdue, only the nearest is sent. Mail that cannot be delivered never blocks a
// cancellation. With Settings.MinWarningDays, an execution is postponed, once, if its first warning was recorded too late. That holds for
// dates that were ordered so many days ahead. An order for now, or for a past date (Order.Backdated), waits for nothing.
//
// An execution is a sequence of steps. First the Manager commits what will be done, with the exact refund (state executing). Then
// it releases the server and locks it, deprovisions it, pays the refund, closes down everything else, and unlocks the server.
// Between two calls of the host's parts it commits that the one has returned and that the next is begun. Each step can be repeated:
// after a crash, another process continues with the first step that is not done. A step that fails, hangs or kills its process is
// counted each time and tried again, at growing intervals up to an hour, and the reseller sees it (Query.Stuck); after five times in a
// row it is told. The reseller may [Manager.Retry] or [Manager.Abandon] it. A step that has begun something long returns [Pending].
// The refund is computed for the planned date, even if the execution is late.
//
// # Deadlines
//
// Every call of a host's part has the deadline Config.StepTimeout, in real time. What is asked before an execution begins (the server,
// the bill, the formula, the gates) shares one. Up to Config.Parallel executions run at once. A part
// that ignores the end of its context is left behind in its goroutine, and holds up no other cancellation. While it has not returned,
// nothing else of its own cancellation runs: a wipe that comes back must not find the next client. The process renews the lease as
// long as it calls Tick, and the record is stuck. When so many calls of one part are left behind as may run at once, further calls of
// that part fail at once.
//
// # Brakes
//
// Settings.Paused stops all executions of a reseller. Above Config.MaxExecutions in one day (UTC) the executions of a reseller wait for
// [Manager.Confirm], and the reseller is told: a clock that is years ahead, or a bad import, takes back no more servers than that.
//
// Keep the clocks of processes over one Store together: a process whose clock is ahead by a third of Config.Lease or more may take an
// execution from a process that works on it. (The example package sqlstore can refuse such a process: Options.MaxClockDifference.) A
// lease that lies further ahead than an hour plus twice its length counts as ended, so that a clock that was years ahead for a moment
// keeps nobody waiting for years. What a wrong clock has executed stays executed. A retry that a wrong clock planned far ahead is due
// then; Retry makes it due at once.
//
// # Restore
//
// A database holds one epoch, which an operator changes after restoring a copy. Each process is started for one ([Config].Epoch). A
// cancellation stores the epoch of the last decision of a person. With another epoch nothing happens to it by itself, no warning and no
// step, because its server may have another client by now. The epoch is part of the IDs of new events, so that receivers do not drop
// their mails as repeats. It is not part of refund keys. The day after a restore:
//
//  1. Stop all processes, and restore the copy.
//  2. Begin a new epoch in the database, and start the processes for it: by Config.Epoch of each Manager, or by Stores that are a
//     dedicated.EpochStore. (With the example package sqlstore, call DB.BeginEpoch in a short program.)
//  3. List what waits, by Query.Unconfirmed here and by RequestQuery.Unconfirmed of package backup.
//  4. Compare each with what really happened. [Manager.Confirm] it if the client still has the machine. If not, the machine may be
//     another client's: [Manager.Discard] it, or [Manager.Abandon] it if its execution had begun when the copy was made. Retry would
//     go on with the execution. Then enter what else happened, such as the release and the next assignment.
//
// A Biller that is a [BookedRefunds] says what it booked after the copy was made. So the mail of a repeated execution names the amount
// that was paid. Deliveries that waited in the copy go out again under the IDs that they had, and receivers drop the repeats.
//
// # Refunds
//
// [Manager.Quote] uses the same function as the execution. The host handles the money: its [Biller] returns what was paid, and pays
// back once per key. A [RefundFormula] computes the refund: see package refund.
//
// # Errors
//
// Every error is an [Error] (errors.As), with the data that a frontend needs. errors.Is finds one of [ErrNotFound],
// [ErrConflict], [ErrForbidden] and [ErrInvalid], which are the caller's doing, or [ErrHost] if a part of the host failed, or
// the error of a context that ended.
//
// # Concurrency
//
// Many goroutines may use a Manager, and any number of Managers in any number of processes may work on one Store. Due records are
// claimed under a lease. If a record changed meanwhile, an operation reads it and decides again, five times at most. Of a
// discard and an execution at the same time, exactly one wins.
//
// # Decisions
//
// Rejected: one timer per cancellation. It dies with its process; a date in a record does not. Rejected: one transaction around
// an execution. Disks are not wiped in a transaction. Rejected: to fix the refund when the cancellation is ordered. It would
// not include what is paid until the date. A client is told of its reseller's order at once only if the reseller says so
// (Order.TellClient). Otherwise Settings.Warn decides whether it is told beforehand at all. Rejected: to follow the billing by the
// Subscriber alone. An order would then be executed months late if a host forgot to wire it.
package cancellation
