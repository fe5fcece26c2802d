// Package metalkeep describes a library for resellers of dedicated servers. It holds no code. A host application imports the
// packages that it needs.
//
// The library schedules backups, turns maintenance requests into trouble tickets, and cancels servers automatically, with warnings
// and refunds. It notifies clients, resellers and providers. The host application provides the database, the delivery of mail and
// the payments. The library provides the rules and the schedules. It loses no event, repeats no completed step, and shows no
// record to an actor without access.
//
// # Packages
//
//   - dedicated: servers, their owners, clients, states and billing periods; and Runner, which calls Tick regularly.
//   - backup: requests for backups, and one task for each occurrence. A person or a plug-in performs the tasks.
//   - ticket: maintenance requests. Forms are declared as data. A ticket can be forwarded to an upstream provider.
//   - cancellation: automatic cancellation, with warnings before it and a refund after it.
//   - refund: the calculation of refunds, with one line for each charge. It consists of pure functions and needs no other package.
//   - notify: an outbox of events, the Dispatcher that delivers each event to its subscribers until they succeed, and the Catalog
//     of mail texts.
//
// backup, ticket and cancellation import dedicated and notify. cancellation also imports refund. There are no other dependencies
// between the packages, so a host can use one of them alone. A package whose name ends in test, such as dedicatedtest, is a
// conformance suite. A host runs it against its own Store.
//
// # Architecture
//
// A Manager enforces the rules, and a Store saves the records. All rules, permissions and state changes are in the Managers. A
// Store has few methods and no rules. A host implements it for its own database, or uses the MemoryStore for tests.
//
// A change and the events that it causes are saved in one transaction. The Dispatcher delivers the events later, so a mail server
// that is down does not block other operations.
//
// There is no timer for a due record. Each Tick of a Manager reads the due records from the Store, so a Tick may be late by a minute
// or by three years. Any number of processes can call Tick on the same database.
//
// Each Config has a clock, which a Manager reads once per operation. Periods, schedules and refunds are pure functions.
//
// After a copy of the database was restored, an operator begins a new epoch. What people decided before then waits until a person
// confirms it, so that no Tick wipes a machine that has another client by now: see "Restore" in package cancellation.
//
// # Errors
//
// The packages export the same sentinel errors, with the same values. ErrNotFound, ErrConflict, ErrForbidden and ErrInvalid are
// mistakes of the caller. ErrHost means that a part of the host failed, panicked or answered nonsense: a Store, a Biller, a hook.
// Each package also has a typed error for errors.As, with the details that a frontend needs. Every actor may read its text. The
// text of the host's part is not in it: Unwrap returns that, for the log.
//
// A record of another reseller or client is ErrNotFound, not ErrForbidden. A gate refuses an operation by dedicated.Refuse.
//
// # The smallest program
//
// The example of this package is a complete program: a reseller rents out a server, the client cancels it, and at the end of the
// period the server is free and the client has been notified. The Dispatcher also serves the Subscriber of each Manager, so that
// scheduled cancellations, backups and tickets follow at once when the billing of a server changes or a server leaves its client. In
// real time, a Runner calls Tick:
//
//	runner := dedicated.Runner{Tickers: []dedicated.Ticker{cancellations, dispatcher}}
//	err := runner.Run(ctx)
package metalkeep
