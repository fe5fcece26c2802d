package notify

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Copier is an optional interface of a Directory. It lists further people who receive copies of mails.
type Copier interface {
	// Copies lists the people who receive copies of an audience's mails about a group of kinds (Spec.Group). Each copy is
	// written in the language and time zone of its Person. Keep the sequence of people from one call to the next: the
	// position in the list identifies a copy. Many goroutines may call it at once. After an error the delivery is tried
	// again later.
	Copies(ctx context.Context, reseller uuid.UUID, to Audience, group string) ([]Person, error)
}

// Copies makes the subscribers that send copies of one audience's mails to the people whom Copier lists. The parameter most is
// the number of subscribers, and so of copies. The subscriber "name 1" serves the first person of each list, "name 2" the
// second, and so on. A copy that fails delays neither the other copies nor the mail itself. If a list has more people, the
// delivery of the last subscriber becomes a dead letter that says so.
//
// Message.To of a copy is the reseller, Message.Person is the person who receives it. If the Directory is not a Copier, no
// copies are sent. If n is nil or to is ToHost, the subscribers have no Handle, and New refuses them.
func (c *Catalog) Copies(name string, to Audience, most int, n Notifier) []Subscriber {
	var subscribers []Subscriber
	for i := range most {
		s := c.Mail(fmt.Sprintf("%s %d", name, i+1), to, n)
		if s.Handle != nil {
			s.Handle = func(ctx context.Context, e Event) error { return c.sendCopy(ctx, s.Name, i, i+1 == most, n, e) }
		}
		subscribers = append(subscribers, s)
	}
	return subscribers
}

// sendCopy sends a copy of an event's mail to the person at index i of the list. If the list is shorter, it does nothing. last
// says that no subscriber serves the people behind index i.
func (c *Catalog) sendCopy(ctx context.Context, subscriber string, i int, last bool, n Notifier, e Event) error {
	k, err := c.kind(e.Kind)
	if err != nil {
		return Permanent(err)
	}
	copier, ok := c.Directory.(Copier)
	if !ok {
		return nil
	}
	var list []Person
	err = callHost(ctx, partDirectory, func() (err error) {
		list, err = copier.Copies(ctx, e.ResellerID, k.Audience, k.Group)
		return err
	})
	if err != nil {
		return fmt.Errorf("listing the people who receive copies of %s: %w", e.Kind, err)
	}
	if i >= len(list) {
		return nil
	}
	m, err := c.compose(ctx, k, subscriber, e, Recipient{Audience: ToReseller, ID: e.ResellerID}, list[i])
	if err != nil {
		return err
	}
	if err := n.Notify(ctx, m); err != nil {
		return err
	}
	if last && i+1 < len(list) {
		return Permanent(fmt.Errorf("%w: %d people should receive copies of %s, but Catalog.Copies was called for only %d",
			ErrInvalid, len(list), e.Kind, i+1))
	}
	return nil
}
