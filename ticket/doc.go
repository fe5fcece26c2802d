// Package ticket carries requests for maintenance from a client to the reseller, and on to the provider where one owns the
// server, in a private, linked thread of which the client sees nothing.
//
// The problem: a reboot, more addresses, an upgrade. The reseller decides and does it, or has to ask its provider, who must
// not learn who the client is, while the client must not learn that there is a provider. The smallest program:
//
//	tickets, err := ticket.New(ticket.Config{Store: &ticket.MemoryStore{}, Servers: servers})
//	...
//	v, err := tickets.Open(ctx, client, ticket.Form{ServerID: server, Kind: ticket.Reboot, Text: "It hangs."})
//	err = tickets.Confirm(ctx, reseller, v.ID, ticket.Note{Text: "On our way."})
//	err = tickets.Complete(ctx, reseller, v.ID, ticket.Note{Text: "It is back."})
//
// # Concepts
//
// A [Ticket] is of a [Kind], whose [KindSpec] declares the form: [Manager.Forms] says what an actor may open on a server, any
// frontend can draw it, and [Manager.Open] validates what comes back, naming every wrong field at once. A ticket belongs to
// one use of a server, its Assignment: when the server leaves the client, its tickets are closed and can only be read.
//
// The decision and the work are two things. The first is Ticket.Decision, the other the [Status]; [Transitions] is the
// table, in which "reseller" is System too:
//
//	Comment      client    needs_details, closed                                     -> open
//	Comment      client    open, confirmed, forwarded, done, rejected                -> the same
//	Comment      reseller  any                                                       -> the same
//	Confirm      reseller  open, needs_details, forwarded                            -> confirmed
//	AskDetails   reseller  open, needs_details, confirmed, forwarded                 -> needs_details
//	Reject       reseller  open, needs_details, confirmed, forwarded                 -> rejected
//	Forward      reseller  open, needs_details, confirmed, forwarded                 -> forwarded
//	Relay        reseller  open, needs_details, confirmed, forwarded, done, rejected -> the same
//	Complete     reseller  confirmed, forwarded                                      -> done
//	Close        both      open, needs_details, confirmed, forwarded, done, rejected -> closed
//	Reopen       both      done, rejected, closed                                    -> open
//	Tick         reseller  needs_details, done, rejected                             -> closed
//	CloseServer  reseller  open, needs_details, confirmed, forwarded, done, rejected -> closed
//
// An open ticket and one that needs details are undecided. Confirm and Forward decide for it, Reject against it, also later
// on; AskDetails and Reopen take the decision back; done and closed keep it.
//
// What a client sees is a [View], copied from the ticket field by field, so that a field added to Ticket is hidden until
// somebody shows it. Everything that a client gets is made of Views: lists, and what it is told, which is worked out from
// the View before and after a change. A forwarded ticket is a confirmed one there, and where it had not been confirmed the
// client reads Config.Working, like the words of any confirmation. The other way, hiding fields of a Ticket by deleting them,
// was rejected: what is forgotten then is shown.
//
// [Manager.Forward] starts the [Upstream] thread: a text made of Config.ForwardText with the server's name, the provider's
// reference for it and the reseller's words goes to the provider as an event. Its answers come back through
// [Manager.ProviderReplied], found by the upstream reference, which is long and random, for it is all that an answer has to
// show; the reseller passes on what it likes with [Manager.Relay]. The short reference that people use, Ticket.Ref, is
// derived from the ID and may repeat: it is a word to search for, not a key.
//
// Priority rises with waiting. What is stored is the instant at which it will have reached the highest, UrgentAt: it sorts
// as the risen priorities do, at any time, and never moves a ticket while somebody pages through the list. Storing risen
// priorities at each Tick was rejected: it costs a write per waiting ticket, and pages shift.
//
// [Manager.Tick] closes what was answered long enough ago, reminds the reseller of its first answer, once, and closes what a
// departed server left behind where neither [Manager.CloseServer] nor [Manager.Subscriber] is wired: within a day while a
// ticket is worked on, else when it is next due.
//
// # Errors
//
// Every error answers errors.Is for one of [ErrNotFound], [ErrConflict], [ErrForbidden] and [ErrInvalid], or for the cause
// that a store, the list of servers, a gate or a context gave, and errors.As for an [Error] with the details: the wrong
// fields, the ticket that is open already, and the note or form that was refused, so that no draft is lost.
//
// # Concurrency
//
// A Manager may be used by many goroutines, and any number of Managers in any number of processes may work on one Store:
// who loses a race reads and decides again, five times at most.
package ticket
