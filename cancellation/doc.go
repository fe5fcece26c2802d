// Package cancellation ends the use of dedicated servers by itself: on a date that a reseller chose, or at the end of the
// billing period in which a client asked for it, with warnings before and a refund of what was paid for and not used.
//
// The problem: this is the operation that destroys data and pays money back. It must happen on the day, also after an
// outage; once, also when two processes are at it; to the machine that was meant, also when it has found another client
// meanwhile; and it must be possible to see beforehand what it will cost. The smallest program:
//
//	cancellations, err := cancellation.New(cancellation.Config{Store: &cancellation.MemoryStore{}, Servers: servers})
//	...
//	c, err := cancellations.Schedule(ctx, client, cancellation.Order{
//		ServerID: server.ID, When: cancellation.When{EndOfPeriod: true},
//	})
//	...
//	runner := dedicated.Runner{Tickers: []dedicated.Ticker{cancellations}}
//	err = runner.Run(ctx)
//
// # Concepts
//
// A [Cancellation] is a plan for one assignment of one server. [When] keeps what was meant: the end of the period is an
// intent, which follows the period when the server is billed otherwise; a date does not move. [Transitions] is the table
// of its life. What is not a method of the [Manager] is what a Tick finds:
//
//	Schedule                                 -> scheduled
//	Reschedule          scheduled            -> the same
//	Discard             scheduled            -> discarded
//	server left         scheduled            -> discarded
//	owner changed       scheduled            -> failed
//	begin               scheduled            -> executing
//	Retry               scheduled, executing -> the same
//	finish              executing            -> executed
//	Abandon             executing            -> failed
//	assignment changed  executing            -> failed
//
// A client is warned as many days ahead as the reseller's [Settings] say, once for each date and lead: late rather than
// never, and after an outage only of the nearest. A mail that cannot be delivered never holds a cancellation up; with
// Settings.MinWarningDays, a warning that was recorded too late does, once.
//
// An execution is a row of steps. What will be done, with the refund to the cent, is committed first (executing); then the
// server is released and marked as busy, deprovisioned, the refund paid, everything else closed down, and the mark lifted.
// Each step is committed when it is done, and can be repeated: whoever finds the record after a crash goes on with the
// first step that is not done. A step that fails is tried again, less and less often, and seen by the reseller
// (Query.Stuck), who may [Manager.Retry] or [Manager.Abandon] it. It is as of the planned date, however late it is.
//
// [Manager.Quote] answers from the same function as the execution. Money is the host's: [Biller] says what was paid, and
// pays back once per key. The rule is a [RefundFormula]: see package refund.
//
// # Errors
//
// Every error answers errors.Is for one of [ErrNotFound], [ErrConflict], [ErrForbidden] and [ErrInvalid], or for the cause
// that a store, a hook, a biller, a formula or a context gave, and errors.As for an [Error] with the details.
//
// # Concurrency
//
// A Manager may be used by many goroutines, and any number of Managers in any number of processes may work on one Store:
// what is due is claimed under a lease, and who loses a race reads and decides again, five times at most. Of a discard and
// an execution at the same time exactly one wins.
//
// # Decisions
//
// Refused was a timer per cancellation: it is lost with its process; a date in a record is not. Refused was one transaction
// around an execution: disks are not wiped in a transaction. Refused was to fix a refund when the cancellation is ordered:
// what is paid until the date would be missing. A client is not told of a cancellation that its reseller has planned before
// a warning tells it: whether it is told at all is what Settings.Warn says.
package cancellation
