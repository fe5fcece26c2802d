// Package notify delivers events to people and programs: it stores a fact first, and sends the mail afterwards.
//
// # The problem
//
// A server was cancelled, and its client must be told. A program that sends the mail and then stores the change may announce
// a change that was never stored. A program that stores the change and then sends the mail may stop in between, and the
// client is never told. This package stores the fact in an Outbox, in the same transaction as the change. A Dispatcher then
// repeats the delivery until every subscriber has handled the fact. A mail server that is down delays mail, and nothing else.
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
//	next, err := dispatcher.Tick(ctx) // delivers the events that are due; call it again at next, or every few seconds
//
// # Events
//
// An Event is a fact. Its Kind has one Audience, and its payload holds only what that audience may see. A fact for two
// audiences is recorded as two events. Subject.Event makes an event. The event of a change that is tried again has the same
// ID as that of the first try. The events of a ToProvider kind have no ClientID. Their payload has a field "provider": the
// name of the recipient.
//
// # Delivery
//
// A Subscriber handles events: it sends mail to clients or to resellers, calls a webhook, or runs code of the host. The Outbox
// keeps one Delivery for each event and subscriber: if one subscriber fails, the others do not receive the event again. A new
// subscriber receives the events that are stored after its registration.
//
// Each event is delivered at least once. A program may stop after it has sent a mail, but before it has stored the result. Then
// the mail is sent again, with the same Message.ID, so that the receiver can drop it. The events of one subject are
// delivered in order: while an event is tried again, the next ones wait.
//
// A failed delivery is tried again after 10 seconds, then 20, then 40, and so on up to 4 hours. Each delay is shortened at
// random by up to half. After 20 failures the delivery becomes a dead letter. An error that is marked with Permanent makes it a
// dead letter at once. Outbox.Deliveries lists the dead letters, and Dispatcher.Resend sends one again.
//
// Config.Meter counts the results of deliveries. Outbox.Depth counts the waiting and the dead deliveries, and returns the time
// of the oldest event that is waiting.
//
// # Mail
//
// A Catalog holds the kinds of all packages with their built-in texts, and makes a Message of an event, in the recipient's
// language. A reseller may replace built-in texts by its own: see Text and Texts. The host's Directory finds names and
// addresses, and the host's Notifier sends the message. If the Directory is also a Copier, Catalog.Copies sends copies to the
// people that it lists.
//
// Catalog.Save checks a text before it stores it. An own text can still fail later, for example after an update has changed
// the kind. Then the mail is sent with the built-in text, and Catalog.Alarm tells the reseller, once for each version of the
// text.
//
// # Errors
//
// errors.Is finds ErrNotFound, ErrConflict, ErrInvalid or ErrHost in every error, or the error of the caller's context. ErrHost
// says that a part of the host failed or panicked: the Outbox, Texts, Directory, Copier, Clock or Logger. Its text contains
// the part's own error, which may hold secrets: write it to the log, do not show it to a client. After a failed write the
// text says that the outcome is unknown.
//
// A *TextError says what is wrong with a text: the part, the line, the column, and the variables that exist.
//
// Failures of a Subscriber, a Notifier, a Meter or an Alarm are not returned. They are logged, and a failed delivery records
// its error in Delivery.LastError.
//
// # Concurrency
//
// Many goroutines may use every value of this package at once, after the fields of a Catalog are set. Any number of processes
// may deliver from one outbox. Each claims deliveries under a lease. If a process stops, its leases end, and others take over.
//
// # Decisions
//
// No cursor over a log of events: transactions commit in another order than they take their numbers. A reader that has passed
// a number would miss an event that commits later with a smaller number.
//
// No queue or broker: the outbox is a table beside the host's data, so that one transaction stores a change and its event.
//
// No sending inside the operation that causes the event: the operation would wait for the mail server, and fail with it.
//
// Tick does not return the failures of subscribers: a program that restarts its loops after an error would restart them
// because of a full mailbox.
//
// Texts may not build strings and may not loop over numbers: the author of a text must not be able to stop the mail.
//
// No copies in the message itself (Cc): if one address were refused, the whole message would be sent again, also to the people
// who have it. So each copy is a delivery of its own.
package notify
