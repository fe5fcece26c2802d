package notifytest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/notify/notifytest"
)

// mailbox is a notifier that writes what a mail server would get.
type mailbox struct {
	mu    sync.Mutex
	mails []func() string
}

func (b *mailbox) Notify(ctx context.Context, m notify.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.put(mail(m))
}

func (b *mailbox) put(text string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = append(b.mails, func() string { return text })
	return nil
}

func (b *mailbox) sent() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, mail := range b.mails {
		all = append(all, mail())
	}
	return all
}

func mail(m notify.Message) string {
	return fmt.Sprintf("To: %q <%q>\nSubject: %q\nMessage-ID: <%s@example.com>\nContent-Language: %q\nX-Kind: %q\nX-Provider: %q\n\n%s",
		m.Person.Name, m.Person.Address, m.Subject, m.ID, m.Locale, m.Kind, m.To.Name, m.Text)
}

func TestGoodNotifier(t *testing.T) {
	t.Parallel()
	notifytest.TestNotifier(t, func(*testing.T) (notify.Notifier, func() []string) {
		var b mailbox
		return &b, b.sent
	})
}

func TestNotifierWithoutEyes(t *testing.T) {
	t.Parallel()
	notifytest.TestNotifier(t, func(*testing.T) (notify.Notifier, func() []string) { return &mailbox{}, nil })
}

func breaksNotifier(line, name string, harm func(b *mailbox) notify.NotifierFunc) storetest.Broken {
	return storetest.Broken{Name: name, Line: line, Run: func(t *testing.T) {
		notifytest.TestNotifier(t, func(*testing.T) (notify.Notifier, func() []string) {
			var b mailbox
			return harm(&b), b.sent
		})
	}}
}

// TestBrokenNotifiers: the suite finds what breaks any of its lines.
func TestBrokenNotifiers(t *testing.T) {
	t.Parallel()
	storetest.Fails(t,
		breaksNotifier("1 concurrency:", "is busy", func(b *mailbox) notify.NotifierFunc {
			var busy sync.Mutex
			return func(ctx context.Context, m notify.Message) error {
				if !busy.TryLock() {
					return errors.New("busy")
				}
				defer busy.Unlock()
				time.Sleep(time.Millisecond)
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("2 context:", "sends under an ended context", func(b *mailbox) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				_ = b.put(mail(m))
				return ctx.Err()
			}
		}),
		breaksNotifier("2 context:", "says nothing of an ended context", func(b *mailbox) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				_ = b.Notify(ctx, m)
				return nil
			}
		}),
		breaksNotifier("2 context:", "does not see that its context ends", func(b *mailbox) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				if ctx.Err() != nil {
					select {}
				}
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("3 repeats: the same", "refuses repeats", func(b *mailbox) notify.NotifierFunc {
			seen := sync.Map{}
			return func(ctx context.Context, m notify.Message) error {
				if _, twice := seen.LoadOrStore(m.ID, true); twice {
					return errors.New("was sent before")
				}
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("3 repeats: the ID", "makes up an ID", func(b *mailbox) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				m.ID = uuid.New()
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("4 content: a line break", "writes the subject as it is", func(b *mailbox) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				return errors.Join(ctx.Err(), b.put(strings.Replace(mail(m), "Subject: ", "Subject: "+m.Subject, 1)))
			}
		}),
		breaksNotifier("4 content: a line break", "writes a provider as it is", func(b *mailbox) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				return errors.Join(ctx.Err(), b.put(strings.Replace(mail(m), "To: ", "To: "+m.To.Name, 1)))
			}
		}),
		breaksNotifier("4 content: without HTML", "wants HTML", func(b *mailbox) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				if m.HTML == "" {
					return errors.New("no HTML")
				}
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("5 ownership:", "overwrites the data", func(b *mailbox) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				if len(m.Data) > 0 {
					m.Data[0] = ' '
				}
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("5 ownership:", "keeps the data", func(b *mailbox) notify.NotifierFunc {
			return func(_ context.Context, m notify.Message) error {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.mails = append(b.mails, func() string { return mail(m) + string(m.Data) })
				return nil
			}
		}),
	)
}
