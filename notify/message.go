package notify

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
)

// Recipient is the recipient of a message, as the library knows it.
type Recipient struct {
	Audience Audience
	ID       uuid.UUID // of the client or the reseller; nil for a provider
	Name     string    // of the provider; "" for a client and a reseller
}

// Person is the recipient of a message, as the host knows it. The library stores no addresses.
type Person struct {
	Name    string
	Address string // a mail address, or any other address that the host's Notifier understands
	Locale  string // a language tag: "de", "pt-BR"; "": Catalog.Language
	Zone    string // an IANA time zone, for the times in texts; "": UTC
}

// Directory finds recipients in the host's records. Catalog.Mail asks it at each attempt to deliver.
type Directory interface {
	// Person returns the person behind a recipient. Many goroutines may call it at once. ErrNotFound says that the host does
	// not know the recipient, and the delivery becomes a dead letter. After any other error the delivery is tried again
	// later.
	Person(ctx context.Context, reseller uuid.UUID, to Recipient) (Person, error)
}

// Message is one mail, ready to be sent.
type Message struct {
	ID         uuid.UUID // MessageID of the event and the subscriber: the same at every attempt
	ResellerID uuid.UUID // the reseller on whose behalf the mail is sent
	Kind       Kind
	To         Recipient
	Person     Person // from the Directory; the zero value without a Directory
	Locale     string // the language of the text that was used
	Subject    string // one line of at most 500 bytes, without control characters
	Text       string
	HTML       string          // "": the message has no HTML
	Data       json.RawMessage // the event's payload
}

// MessageID returns the ID of the message that a subscriber makes of an event: a UUIDv5 of the event's ID and the
// subscriber's name.
func MessageID(event uuid.UUID, subscriber string) uuid.UUID {
	return uuid.NewSHA1(event, []byte(subscriber))
}

// Notifier sends messages: by mail, to a chat, or in any other way that the host has. An implementation must keep these
// rules. The suite notifytest.TestNotifier tests each of them:
//
//  1. concurrency: many goroutines call it at once.
//  2. context: if the context has ended, it sends nothing and soon returns an error.
//  3. repeats: the same message may come again, with the same ID, because the answer to the first attempt was lost. This is
//     not an error. The ID is sent with the message, so that the receiver can drop the repeat.
//  4. content: a name, a subject or an address is data. A line break in it must not start a header line. HTML may be empty.
//  5. ownership: it does not change the message's Data, and does not keep it after it returns.
type Notifier interface {
	// Notify sends one message. After an error or a panic the delivery is tried again later. An error that is marked with
	// Permanent makes it a dead letter at once.
	Notify(ctx context.Context, m Message) error
}

// NotifierFunc is a function that implements Notifier.
type NotifierFunc func(context.Context, Message) error

// Notify calls f.
func (f NotifierFunc) Notify(ctx context.Context, m Message) error { return f(ctx, m) }
