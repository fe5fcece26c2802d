// Package ticket carries a client's requests for maintenance to the reseller, and on to the provider that owns the server.
//
// The problem: a client wants a reboot, more addresses or an upgrade. The reseller decides and does it, or asks its provider. The
// provider must not learn the identity of the client, and the client must not learn that there is a provider. The smallest
// program:
//
//	tickets, err := ticket.New(ticket.Config{Store: &ticket.MemoryStore{}, Servers: servers})
//	...
//	v, err := tickets.Open(ctx, client, ticket.Form{ServerID: server, Kind: ticket.Reboot, Text: "It hangs."})
//	t, err := tickets.Confirm(ctx, reseller, v.ID, ticket.Note{Text: "On our way."})
//	t, err = tickets.Complete(ctx, reseller, v.ID, ticket.Note{Text: "It is back."})
//
// # Concepts
//
// A [Ticket] has a [Kind], whose [KindSpec] declares the form. [Manager.Forms] returns the kinds that an actor may open on a
// server, and any frontend can draw them. [Manager.Open] checks the answers and names every wrong field at once. A ticket belongs
// to one use of a server, its Assignment. When the server leaves the client, its tickets are closed and can only be read.
//
// The decision and the work are two things: Ticket.Decision and the [Status]. [Transitions] returns the status table, in which
// "reseller" includes System:
//
//	Open            all      (new)                                                     -> open
//	Comment         client   needs_details, closed                                     -> open
//	Comment         client   open, confirmed, forwarded, done, rejected                -> the same
//	Comment         reseller any                                                       -> the same
//	Confirm         reseller open, needs_details, forwarded                            -> confirmed
//	AskDetails      reseller open, needs_details, confirmed, forwarded                 -> needs_details
//	Reject          reseller open, needs_details, confirmed, forwarded                 -> rejected
//	Forward         reseller open, needs_details, confirmed, forwarded                 -> forwarded
//	ProviderReplied reseller any                                                       -> the same
//	Relay           reseller open, needs_details, confirmed, forwarded, done, rejected -> the same
//	Complete        reseller confirmed, forwarded                                      -> done
//	Close           all      open, needs_details, confirmed, forwarded, done, rejected -> closed
//	Reopen          all      done, rejected, closed                                    -> open
//	Dismiss         reseller done, rejected                                            -> the same
//	Assign          reseller any                                                       -> the same
//	SetPriority     reseller any                                                       -> the same
//	Tick            reseller needs_details, done, rejected                             -> closed
//	CloseServer     reseller open, needs_details, confirmed, forwarded, done, rejected -> closed
//
// A ticket that is open or needs details is undecided. Confirm and Forward decide for the request, and Reject decides against it,
// also later. AskDetails and Reopen take the decision back. A ticket that is done or closed keeps it.
//
// A client sees a [View], which is copied from the ticket field by field. A field that is added to Ticket stays hidden until it
// is copied as well. Everything that a client gets is made from Views. An event to a client depends only on the View before a
// change and the View after it. A forwarded ticket looks like a confirmed one: if it was not confirmed before, the client reads
// Config.Working as a comment. Rejected: deleting the fields of a Ticket that a client must not see. A field that somebody forgets
// to delete is shown.
//
// [Manager.Forward] starts the [Upstream] thread. It puts the server's name, the provider's reference for it and the reseller's
// words into Config.ForwardText, and records the result as an event to the provider. The provider's answers come back by
// [Manager.ProviderReplied]. It finds the ticket by the upstream reference, which is long and random, because nothing else
// identifies the provider. The reseller passes an answer on with [Manager.Relay], in its own words. The short reference,
// Ticket.Ref, is for people. It is derived from the ID and may repeat, so it is a word to search for and not a key. After the server
// has moved to another provider, Forward starts a new upstream thread. The old one is kept in Ticket.Former, and its provider's
// answers still arrive there. A provider finds a server by its own reference, so Forward refuses a server without one, unless
// Note.WithoutReference is set.
//
// The priority rises while the reseller is waited for. A ticket stores UrgentAt, the instant at which its priority will have reached
// the highest. The order by UrgentAt is the order of the risen priorities at any time, and no ticket changes its position while
// somebody pages through the list. Rejected: storing the risen priorities at each Tick. That costs one write for each waiting
// ticket, and pages shift. While the reseller is not waited for, UrgentAt is 2000 years later, and PausedAt says since when. An
// answer to a question goes on with the rest of the time. [Manager.Reopen] and [Manager.SetPriority] begin anew.
//
// A client's comment on what is done or rejected reopens nothing, because most of them are words of thanks. The ticket waits for the
// reseller and does not close by itself until the reseller answers, reopens it, or calls [Manager.Dismiss].
//
// A client cannot take the reseller's moves away by writing. It may write MaxOfClient of the MaxThread public comments, and MaxMoves
// more are for the notes of the reseller's moves alone. After MaxClientMails mails without an answer the reseller gets one mail a
// day about everything that the client did. Rejected: no mail until the reseller answers. A client that reopens a ticket which the
// last mail called closed would be forgotten.
//
// [Manager.Tick] closes tickets that were answered long enough ago, and reminds the reseller once to answer a new ticket, and a
// client's comment on what is done or rejected. It also closes the tickets of a server that has left its client, if neither
// [Manager.CloseServer] nor [Manager.Subscriber] is in use: within a day if the ticket is open, needs details, is confirmed or is
// forwarded, otherwise when the ticket is next due.
//
// # Restore
//
// A database holds one epoch, which an operator changes after restoring a copy: see [Config].Epoch. No ticket waits to be confirmed
// after that, because a Tick forwards nothing and touches no server: it reminds the reseller, and it closes tickets, which people
// may reopen.
//
// # Errors
//
// Every error is an [Error] (errors.As), with the data that a frontend needs: the wrong fields, the ticket that is in the way, and
// the note or form that was refused, so that no draft is lost. errors.Is finds one of [ErrNotFound], [ErrConflict], [ErrForbidden]
// and [ErrInvalid], which are the caller's doing, or [ErrHost] if a part of the host failed, or the error of a context that ended.
//
// # Concurrency
//
// Many goroutines may use a Manager, and any number of Managers in any number of processes may work on one Store. If a ticket
// changed meanwhile, an operation reads it and decides again, five times at most.
package ticket
