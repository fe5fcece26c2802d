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

// receiver is a notifier that records messages in the form in which a mail server would get them.
type receiver struct {
	mu    sync.Mutex
	mails []func() string
}

func (b *receiver) Notify(ctx context.Context, m notify.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.put(mail(m))
}

func (b *receiver) put(text string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = append(b.mails, func() string { return text })
	return nil
}

func (b *receiver) sent() []string {
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
		var b receiver
		return &b, b.sent
	})
}

func TestNotifierWithoutSent(t *testing.T) {
	t.Parallel()
	notifytest.TestNotifier(t, func(*testing.T) (notify.Notifier, func() []string) { return &receiver{}, nil })
}

func breaksNotifier(line, name string, change func(b *receiver) notify.NotifierFunc) storetest.Broken {
	return storetest.Broken{Name: name, Line: line, Run: func(t *testing.T) {
		notifytest.TestNotifier(t, func(*testing.T) (notify.Notifier, func() []string) {
			var b receiver
			return change(&b), b.sent
		})
	}}
}

// TestBrokenNotifiers: the suite detects a violation of each rule.
func TestBrokenNotifiers(t *testing.T) {
	t.Parallel()
	storetest.Fails(t,
		breaksNotifier("1 concurrency:", "refuses parallel calls", func(b *receiver) notify.NotifierFunc {
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
		breaksNotifier("2 context:", "sends after the end", func(b *receiver) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				_ = b.put(mail(m))
				return ctx.Err()
			}
		}),
		breaksNotifier("2 context:", "returns no error after the end", func(b *receiver) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				_ = b.Notify(ctx, m)
				return nil
			}
		}),
		breaksNotifier("2 context:", "does not return after the end", func(b *receiver) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				if ctx.Err() != nil {
					select {}
				}
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("3 repeats: the same", "refuses repeats", func(b *receiver) notify.NotifierFunc {
			sent := sync.Map{}
			return func(ctx context.Context, m notify.Message) error {
				if _, repeated := sent.LoadOrStore(m.ID, true); repeated {
					return errors.New("was sent before")
				}
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("3 repeats: the ID", "sends another ID", func(b *receiver) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				m.ID = uuid.New()
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("4 content: a line break", "does not escape the subject", func(b *receiver) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				return errors.Join(ctx.Err(), b.put(strings.Replace(mail(m), "Subject: ", "Subject: "+m.Subject, 1)))
			}
		}),
		breaksNotifier("4 content: a line break", "does not escape the provider", func(b *receiver) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				return errors.Join(ctx.Err(), b.put(strings.Replace(mail(m), "To: ", "To: "+m.To.Name, 1)))
			}
		}),
		breaksNotifier("4 content: without HTML", "requires HTML", func(b *receiver) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				if m.HTML == "" {
					return errors.New("no HTML")
				}
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("5 ownership:", "changes the data", func(b *receiver) notify.NotifierFunc {
			return func(ctx context.Context, m notify.Message) error {
				if len(m.Data) > 0 {
					m.Data[0] = ' '
				}
				return b.Notify(ctx, m)
			}
		}),
		breaksNotifier("5 ownership:", "keeps the data", func(b *receiver) notify.NotifierFunc {
			return func(_ context.Context, m notify.Message) error {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.mails = append(b.mails, func() string { return mail(m) + string(m.Data) })
				return nil
			}
		}),
	)
}
