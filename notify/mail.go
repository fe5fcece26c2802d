package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/mailtext"
	"github.com/metalkeep/metalkeep/internal/zone"
)

const partDirectory = "Catalog.Directory"

// Mail makes the subscriber that turns the events of one audience into messages and passes them to n.
//
// The text is the reseller's own text in the recipient's language, or else its own text in the catalog's language, or else
// the built-in one. If an own text cannot be rendered, or is blank when it is rendered, the built-in text is used. This is
// logged, and Catalog.Alarm tells the reseller. If a built-in text or HTML has more than 256 KiB when it is rendered, the end of
// the text, or the whole HTML, is left out.
//
// The recipient of a provider's mail is the field "provider" of the payload. The delivery becomes a dead letter if the event
// names no recipient, or the Directory does not know it (ErrNotFound). Handle returns an error of n unchanged. If the
// Directory or Catalog.Texts fails, its error is ErrHost.
//
// If n is nil or to is ToHost, the subscriber has no Handle, and New refuses it.
func (c *Catalog) Mail(name string, to Audience, n Notifier) Subscriber {
	s := Subscriber{Name: name, Kinds: c.kindsFor(to)}
	if n == nil || to == ToHost {
		return s
	}
	s.Handle = func(ctx context.Context, e Event) error {
		m, err := c.message(ctx, name, e)
		if err != nil {
			return err
		}
		return n.Notify(ctx, m)
	}
	return s
}

// kindsFor lists the kinds for an audience. The list is never nil: that would mean all kinds.
func (c *Catalog) kindsFor(to Audience) []Kind {
	kinds := []Kind{}
	for _, s := range c.Specs() {
		if s.Audience == to {
			kinds = append(kinds, s.Kind)
		}
	}
	return kinds
}

// message makes the message of an event for the recipient that the event names.
func (c *Catalog) message(ctx context.Context, subscriber string, e Event) (Message, error) {
	k, err := c.kind(e.Kind)
	if err != nil {
		return Message{}, Permanent(err)
	}
	to, err := recipient(k.Audience, e)
	if err != nil {
		return Message{}, Permanent(err)
	}
	person, err := c.person(ctx, e.ResellerID, to)
	if err != nil {
		return Message{}, err
	}
	return c.compose(ctx, k, subscriber, e, to, person)
}

// compose makes the message of an event for a person.
func (c *Catalog) compose(ctx context.Context, k *kind, subscriber string, e Event, to Recipient, p Person) (Message, error) {
	payload, err := k.schema.Payload(e.Data)
	if err != nil {
		return Message{}, Permanent(err)
	}
	m := Message{
		ID: MessageID(e.ID, subscriber), ResellerID: e.ResellerID, Kind: e.Kind, To: to, Person: p, Data: bytes.Clone(e.Data),
	}
	return m, c.render(ctx, k, &m, payload, e.At)
}

// recipient returns the recipient that an event names.
func recipient(to Audience, e Event) (Recipient, error) {
	r := Recipient{Audience: to}
	switch to {
	case ToClient:
		r.ID = e.ClientID
	case ToReseller:
		r.ID = e.ResellerID
	case ToProvider:
		var payload struct{ Provider string }
		_ = json.Unmarshal(e.Data, &payload) // an invalid payload names no provider
		r.Name = payload.Provider
	}
	if r.ID == uuid.Nil && r.Name == "" {
		return r, fmt.Errorf("%w: event %s of kind %s names no %s", ErrInvalid, e.ID, e.Kind, to)
	}
	return r, nil
}

// person asks the Directory for a recipient.
func (c *Catalog) person(ctx context.Context, reseller uuid.UUID, to Recipient) (p Person, err error) {
	if c.Directory == nil {
		return Person{}, nil
	}
	err = callHost(ctx, partDirectory, func() (err error) {
		p, err = c.Directory.Person(ctx, reseller, to)
		return err
	}, ErrNotFound)
	if err == nil {
		return p, nil
	}
	id := to.Name
	if to.ID != uuid.Nil {
		id = to.ID.String()
	}
	err = fmt.Errorf("finding %s %s: %w", to.Audience, id, err)
	if errors.Is(err, ErrNotFound) {
		return Person{}, Permanent(err)
	}
	return Person{}, err
}

// render finds the text for a message and renders it. at is the event's time.
func (c *Catalog) render(ctx context.Context, k *kind, m *Message, payload mailtext.Payload, at time.Time) error {
	zone := c.zoneOf(ctx, m)
	own, ok, err := c.ownText(ctx, m.ResellerID, k.Kind, m.Person.Locale)
	if err != nil {
		return err
	}
	if ok {
		mail, err := k.renderOwn(own, payload, zone)
		if err == nil {
			m.setContent(own.Locale, mail)
			return nil
		}
		c.reportBroken(ctx, own, at, k.textError(own, err))
	}
	builtin := c.builtinText(k, m.Person.Locale)
	mail, err := builtin.template().RenderShortened(payload, zone)
	if err != nil {
		return Permanent(k.textError(builtin, err))
	}
	m.setContent(builtin.Locale, mail)
	return nil
}

// renderOwn checks and renders a reseller's own text. The check is needed: the text may have been stored without
// Catalog.Save, or for an earlier version of the kind.
func (k *kind) renderOwn(own Text, payload mailtext.Payload, zone *time.Location) (mailtext.Mail, error) {
	if err := k.schema.CheckSource(own.template()); err != nil {
		return mailtext.Mail{}, err
	}
	return own.template().Render(payload, zone)
}

func (m *Message) setContent(locale string, mail mailtext.Mail) {
	m.Locale, m.Subject, m.Text, m.HTML = locale, mail.Subject, mail.Text, mail.HTML
}

// zoneOf returns the time zone of a message's recipient. It replaces an unknown one by UTC.
func (c *Catalog) zoneOf(ctx context.Context, m *Message) *time.Location {
	loc, err := zone.Load(m.Person.Zone)
	if err != nil {
		c.log().WarnContext(ctx, "a recipient's time zone is unknown: UTC was used", "reseller", m.ResellerID, "error", err)
		return time.UTC
	}
	return loc
}
