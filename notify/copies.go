package notify

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Copier is what a Directory has in addition, where resellers may have copies of mails sent to further people.
type Copier interface {
	// Copies lists who gets a copy of the mails to an audience about a group of kinds (Spec.Group), each in their own
	// language and zone. The order stays the same from one call to the next, as far as the list does. Many goroutines may call
	// it at once. An error is tried again later.
	Copies(ctx context.Context, reseller uuid.UUID, to Audience, group string) ([]Person, error)
}

// Copies makes the subscribers that send copies of one audience's mails to the people whom the reseller has listed: the
// first of them serves the first person of each list, and so on, up to most. Each is a subscriber of its own, so that one
// whose mailbox is full costs neither the others their copy nor the recipient the mail. A list of more than most is a dead
// letter of the last subscriber that says so.
//
// Copies are addressed to the reseller: Message.To, with Person who gets this one. A Directory that is no Copier lists
// nobody. Without a Notifier, and ToHost, the subscribers have no Handle, which New refuses.
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

// sendCopy sends the i-th copy of an event, if there is one.
func (c *Catalog) sendCopy(ctx context.Context, subscriber string, i int, last bool, n Notifier, e Event) error {
	k, err := c.kind(e.Kind)
	if err != nil {
		return Permanent(err)
	}
	copier, ok := c.Directory.(Copier)
	if !ok {
		return nil
	}
	list, err := copier.Copies(ctx, e.ResellerID, k.Audience, k.Group)
	if err != nil {
		return fmt.Errorf("listing who gets copies of %s: %w", e.Kind, err)
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
		return Permanent(fmt.Errorf("%w: %d people are listed for copies of %s, copies for %d were asked for",
			ErrInvalid, len(list), e.Kind, i+1))
	}
	return nil
}
