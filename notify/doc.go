// Package notify tells people and programs what has happened: facts first, mail after.
//
// # The problem
//
// A server was cancelled, and its client must hear of it. If the program sends the mail and then stores the change, it may
// announce what never happened; if it stores the change and then sends, it may stop in between, and nobody ever hears. So
// the fact is stored together with the change, in one transaction, in an Outbox; and a Dispatcher takes it from there and
// repeats until every subscriber has it. A mail server that is down delays mail, and nothing else.
//
// # The smallest program
//
//	outbox := &notify.MemoryOutbox{}
//	store := &backup.MemoryStore{Outbox: outbox} // its Commit appends events to the outbox
//
//	catalog, err := notify.NewCatalog(backup.Kinds())
//	dispatcher, err := notify.New(notify.Config{Outbox: outbox},
//		catalog.Mail("mail to clients", notify.ToClient, notifier),
//		notify.Subscriber{Name: "log", Handle: func(ctx context.Context, e notify.Event) error { … }})
//
//	next, err := dispatcher.Tick(ctx) // hands out what is due; call it again at next, or after some seconds
//
// # Concepts
//
// An Event is a fact. Its Kind has one Audience, and its payload holds only what that audience may see; a fact for two
// audiences is two events. Subject.Event makes one, with an ID that is the same whenever the same change is tried.
//
// A Subscriber is one who wants to hear: mail to clients, mail to resellers, a webhook, a plug-in. The Outbox keeps one
// Delivery for each event and subscriber, so that a failure of one is no repeat for the others. A new subscriber hears what
// happens from its registration on.
//
// Each event arrives at least once: a program may stop between the mail and the note that it was sent. MessageID is the
// same at each try, to drop repeats by. A subject's events arrive in their order: the next one waits while the one before
// is tried again.
//
// What fails is tried again after 10 seconds, 20, 40 and so on up to 4 hours, each shortened at random by up to a half, and
// after 20 failures, or one that is Permanent, becomes a dead letter: Outbox.Deliveries lists it, Dispatcher.Resend sends
// it again.
//
// A Catalog knows the kinds of all packages with their built-in texts, and makes a Message of an event: in the recipient's
// language, in the words of the reseller where it has edited them (Text, Texts). The host's Directory knows names and
// addresses, its Notifier sends. A Directory that is a Copier lists who gets copies, which Catalog.Copies sends.
//
// A text is checked when it is saved. One that fails later all the same, because the kinds have changed, say, costs nobody
// a mail: the built-in one is used, and Catalog.Alarm tells the reseller, once for each version that it saved.
//
// Config.Meter counts what becomes of deliveries; Outbox.Depth says what waits, since when, and what is dead.
//
// A kind for a provider has events without ClientID, and a payload with the field "provider", the recipient's name.
//
// # Errors
//
// All errors answer errors.Is with ErrNotFound, ErrConflict or ErrInvalid, or are those of the host's own parts. What is
// wrong with a text is a *TextError, with part, line, column and the variables that there are.
//
// # Concurrency
//
// Everything may be used by many goroutines at once, once the fields of a Catalog are set. Any number of processes may
// dispatch from one outbox: each claims deliveries under a lease, which ends by itself if the process does.
//
// # Decisions
//
// No cursor over a log of events: transactions commit in another order than they take their numbers, and a reader that
// has passed a number misses what commits behind it. No queue or broker of our own: the outbox is a table beside the data,
// which is what makes a change and its event one transaction. No sending inside the operation that caused the event: it
// would last as long as a mail server likes, and fail with it. A handler's failure is no error of Tick, which would make a
// program that watches over its loops restart them because somebody's mailbox is full. No functions that build strings in
// texts, and no loops over numbers: who edits a text cannot stop the mail. No copies in the message itself (Cc): one address
// that is refused would have the whole message sent again, to those who have it too; so each copy is a delivery.
package notify
