package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// Mail makes the subscriber that turns the events of one audience into messages and hands them to n. The text is the
// reseller's own in the recipient's language, else its own in the catalog's language, else the built-in one. One that
// cannot be rendered, or comes out empty, is logged, its reseller told through Catalog.Alarm, and the built-in one used instead.
// What makes that longer than 256 KiB is left out: the end of the text, and all of the HTML.
//
// To a provider goes what its payload's field "provider" names. A recipient that the event does not name or the Directory
// does not know (ErrNotFound) makes a dead letter that says so. Without a Notifier, and ToHost, the subscriber has no
// Handle, which New refuses.
func (c *Catalog) Mail(name string, to Audience, n Notifier) Subscriber {
	s := Subscriber{Name: name, Kinds: c.mailedTo(to)}
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

// mailedTo is not nil, which would mean all.
func (c *Catalog) mailedTo(to Audience) []Kind {
	kinds := []Kind{}
	for _, s := range c.Specs() {
		if s.Audience == to {
			kinds = append(kinds, s.Kind)
		}
	}
	return kinds
}

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
	variables, err := k.variables(e.Data)
	if err != nil {
		return Message{}, Permanent(err)
	}
	m := Message{
		ID: MessageID(e.ID, subscriber), ResellerID: e.ResellerID, Kind: e.Kind, To: to, Person: p, Data: bytes.Clone(e.Data),
	}
	return m, c.write(ctx, k, &m, variables, e.At)
}

// recipient is whom the event names.
func recipient(to Audience, e Event) (Recipient, error) {
	r := Recipient{Audience: to}
	switch to {
	case ToClient:
		r.ID = e.ClientID
	case ToReseller:
		r.ID = e.ResellerID
	case ToProvider:
		var named struct{ Provider string }
		_ = json.Unmarshal(e.Data, &named) // what is no object names nobody
		r.Name = named.Provider
	}
	if r.ID == uuid.Nil && r.Name == "" {
		return r, fmt.Errorf("%w: event %s of kind %s names no %s", ErrInvalid, e.ID, e.Kind, to)
	}
	return r, nil
}

func (c *Catalog) person(ctx context.Context, reseller uuid.UUID, to Recipient) (Person, error) {
	if c.Directory == nil {
		return Person{}, nil
	}
	p, err := c.Directory.Person(ctx, reseller, to)
	if err == nil {
		return p, nil
	}
	err = fmt.Errorf("looking up %s %s%s: %w", to.Audience, nameless(to.ID), to.Name, err)
	if errors.Is(err, ErrNotFound) {
		return Person{}, Permanent(err)
	}
	return Person{}, err
}

// nameless is an ID, or "" for none.
func nameless(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// write finds the text and renders it. at is the event's time.
func (c *Catalog) write(ctx context.Context, k *kind, m *Message, variables map[string]any, at time.Time) error {
	loc := c.zoneOf(ctx, m)
	own, ok, err := c.edited(ctx, m.ResellerID, k.Kind, m.Person.Locale)
	if err != nil {
		return err
	}
	if ok {
		if err = k.checkSource(own); err == nil { // it may have been stored past Save, or for another version of the kind
			err = k.render(m, own, variables, loc, part.strict)
		}
		if err == nil {
			return nil
		}
		c.broke(ctx, own, at, err)
	}
	return Permanent(k.render(m, c.builtin(k, m.Person.Locale), variables, loc, part.lenient))
}

func (c *Catalog) zoneOf(ctx context.Context, m *Message) *time.Location {
	loc, err := zone.Load(m.Person.Zone)
	if err != nil {
		c.log().WarnContext(ctx, "the recipient's zone is unknown, UTC is used", "reseller", m.ResellerID, "error", err)
		return time.UTC
	}
	return loc
}
