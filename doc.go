// Package metalkeep is the map of a library for everyone who rents out dedicated servers. It holds no code: import the
// packages that you need.
//
// The library schedules customers' backup requests, carries maintenance requests through trouble tickets, cancels servers
// automatically with warnings and refunds, and tells everyone concerned. The host application brings persistence,
// delivery and money; the library brings the rules, the schedules and the promises: nothing lost, nothing twice, nobody
// where they don't belong.
//
// # Packages
//
//   - dedicated: servers, who owns, rents out and uses them, their states and billing periods; and Runner, which runs
//     what is due.
//   - backup: requests for backups, one task for each occurrence, for people or a plug-in to do.
//   - ticket: maintenance requests, from a form declared as data to the last answer, also by way of an upstream provider.
//   - cancellation: automatic cancellation, with warnings before it and a refund after.
//   - refund: what is owed back, to the cent, explained line by line. Pure functions; needs no other package.
//   - notify: an outbox of facts, the dispatcher that hands each one to its subscribers until they succeed, and the
//     catalog of mails.
//
// backup, ticket and cancellation know dedicated and notify, cancellation knows refund, and that is all: each is of use
// without the others. A package beside them whose name ends in test (dedicatedtest, notifytest and so on) is a conformance
// suite: a host runs it on its own store.
//
// # How they fit together
//
// A Manager enforces, a Store remembers. All rules, permissions and state changes live in the Managers. A Store is small
// and dumb, and the host writes its own over the database that it has; MemoryStore is there for tests and for trying.
//
// Facts first, mail after. A change and the events that it causes are committed in one transaction, and delivered later.
// A mail server that is down never holds up work.
//
// What is due is found by state, when a Manager's Tick asks for it. Nothing is kept in timers, so a late tick and a stop of
// three years are the same thing, and any number of processes may tick over one database.
//
// Time is injected (a clock in each Config) and read once per operation; periods, schedules and refunds are pure functions.
//
// # Errors
//
// Every package exports the same four sentinels (ErrNotFound, ErrConflict, ErrForbidden, ErrInvalid; one value each, so
// errors.Is does not mind which package it is asked with) and a typed error for errors.As with what a frontend needs.
// What belongs to somebody else does not exist: it is ErrNotFound, never ErrForbidden.
//
// # The smallest program
//
// The example of this package is the whole of it: a server is rented out, its client cancels it, the time comes, the
// server is free and the client has been told. Over real time, a Runner calls the ticks:
//
//	runner := dedicated.Runner{Tickers: []dedicated.Ticker{cancellations, dispatcher}}
//	err := runner.Run(ctx)
package metalkeep
