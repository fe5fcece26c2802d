package notify

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
)

// Recipient is whom a message is for, as the library knows them.
type Recipient struct {
	Audience Audience
	ID       uuid.UUID // client or reseller; nil for a provider
	Name     string    // a provider's name
}

// Person is whom a message is for, as the host knows them. The library keeps no addresses.
type Person struct {
	Name    string
	Address string // of mail, or whatever the host's Notifier understands
	Locale  string // "de", "pt-BR"; "": the catalog's language
	Zone    string // IANA name, for dates in texts; "": UTC
}

// Directory looks people up in the host. Many goroutines may call it at once. A recipient that the host does not know
// (any more) is ErrNotFound, and the message becomes a dead letter that says so; any other error is tried again later.
type Directory interface {
	Person(ctx context.Context, reseller uuid.UUID, to Recipient) (Person, error)
}

// Message is one mail, ready to be sent.
type Message struct {
	ID         uuid.UUID // MessageID of event and subscriber: the same at every try, to drop repeats by
	ResellerID uuid.UUID // whose panel speaks
	Kind       Kind
	To         Recipient
	Person     Person // from the Directory; zero without one
	Locale     string // the language of the text that was used
	Subject    string // one line, without control characters
	Text       string
	HTML       string          // "": the message has none
	Data       json.RawMessage // the event's payload
}

// MessageID is the ID of what a subscriber makes of an event: the UUIDv5 of the event's ID over the subscriber's name.
func MessageID(event uuid.UUID, subscriber string) uuid.UUID {
	return uuid.NewSHA1(event, []byte(subscriber))
}

// Notifier sends messages: by mail, to a chat, to whatever the host has. What it must do, line by line; the suite
// notifytest.TestNotifier holds an implementation to each:
//
//  1. concurrency: many goroutines call it at once.
//  2. context: an ended context sends nothing, and the call returns soon, with an error.
//  3. repeats: a message may come again, with the same ID, because the answer of the first try was lost. That is no error;
//     the ID goes out with the message, so that who receives it can drop the repeat.
//  4. content: a name, subject or address is data, whatever it holds: a line break in it starts no header of its own.
//     HTML may be empty.
//  5. ownership: it does not change the message's Data and keeps none of it after returning.
//
// An error is tried again later, with growing waits; Permanent says that this is of no use. A panic is an error.
type Notifier interface {
	Notify(ctx context.Context, m Message) error
}

// NotifierFunc is a function as a Notifier.
type NotifierFunc func(context.Context, Message) error

// Notify calls f.
func (f NotifierFunc) Notify(ctx context.Context, m Message) error { return f(ctx, m) }
