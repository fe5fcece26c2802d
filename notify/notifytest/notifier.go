package notifytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// maxWait is the longest time that a notifier may take to return after its context has ended.
const maxWait = 5 * time.Second

// injected is the header line that hostile content tries to add.
const injected = "X-Injected: yes"

// TestNotifier tests a notifier against the contract of notify.Notifier. open returns a notifier that sends to a receiver of
// the test, for example a server on the loopback interface. It also returns sent, which lists the messages that the receiver
// has so far: each as it was transmitted, with its headers. sent may be nil if the messages cannot be read. Then they are not
// checked.
func TestNotifier(t *testing.T, open func(t *testing.T) (n notify.Notifier, sent func() []string)) {
	run := func(name string, test func(*notifierFixture)) {
		t.Run(name, func(t *testing.T) {
			n, sent := open(t)
			test(&notifierFixture{t, n, sent})
		})
	}
	run("1 concurrency: many at once", (*notifierFixture).manyAtOnce)
	run("2 context: after its end nothing is sent", (*notifierFixture).ended)
	run("3 repeats: the same message again is no error", (*notifierFixture).repeat)
	run("3 repeats: the ID is sent with the message", (*notifierFixture).sendsID)
	run("4 content: a line break starts no header", (*notifierFixture).hostile)
	run("4 content: without HTML", (*notifierFixture).withoutHTML)
	run("5 ownership: the data is neither changed nor kept", (*notifierFixture).ownership)
}

// notifierFixture is the notifier of one sub-test.
type notifierFixture struct {
	*testing.T
	notify.Notifier
	sent func() []string
}

func message() notify.Message {
	return notify.Message{
		ID: uuid.New(), ResellerID: uuid.New(), Kind: "suite.event",
		To:     notify.Recipient{Audience: notify.ToClient, ID: uuid.New()},
		Person: notify.Person{Name: "Ada Miller", Address: "ada@example.com", Locale: "en", Zone: "Europe/Berlin"},
		Locale: "en", Subject: "Your backup is done", Text: "The backup of web1 is done.\n",
		HTML: "<p>The backup of web1 is done.</p>\n", Data: []byte(`{"server":"web1"}`),
	}
}

// send fails the test if the notifier does not accept a message.
func (f *notifierFixture) send(m notify.Message) {
	f.Helper()
	if err := f.Notify(f.Context(), m); err != nil {
		f.Errorf("Notify returned %v", err)
	}
}

// wantSent fails the test if the receiver does not have n messages.
func (f *notifierFixture) wantSent(n int) {
	f.Helper()
	if f.sent == nil {
		return
	}
	if got := len(f.sent()); got != n {
		f.Errorf("the receiver has %d messages, want %d", got, n)
	}
}

func (f *notifierFixture) manyAtOnce() {
	const many = 32
	var workers sync.WaitGroup
	start := make(chan struct{})
	for range many {
		workers.Go(func() {
			<-start
			f.send(message())
		})
	}
	close(start)
	workers.Wait()
	f.wantSent(many)
}

func (f *notifierFixture) ended() {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	returned := make(chan error, 1)
	go func() { returned <- f.Notify(ctx, message()) }()
	limit, stop := context.WithTimeout(f.Context(), maxWait)
	defer stop()
	select {
	case err := <-returned:
		if err == nil {
			f.Error("Notify returned no error after its context had ended")
		}
	case <-limit.Done():
		f.Errorf("Notify did not return within %v after its context had ended", maxWait)
	}
	f.wantSent(0)
}

func (f *notifierFixture) repeat() {
	m := message()
	f.send(m)
	f.send(m)
}

func (f *notifierFixture) sendsID() {
	m := message()
	f.send(m)
	f.wantSent(1)
	if f.sent == nil {
		return
	}
	for _, text := range f.sent() {
		if !strings.Contains(text, m.ID.String()) {
			f.Errorf("the received message does not contain the ID %s:\n%s", m.ID, text)
		}
	}
}

// hostile sends content with line breaks. The notifier may refuse it or make it harmless.
func (f *notifierFixture) hostile() {
	for what, change := range map[string]func(m *notify.Message, injection string){
		"name":    func(m *notify.Message, injection string) { m.Person.Name += injection },
		"address": func(m *notify.Message, injection string) { m.Person.Address += injection },
		"subject": func(m *notify.Message, injection string) { m.Subject += injection },
		"locale":  func(m *notify.Message, injection string) { m.Locale += injection },
		"kind":    func(m *notify.Message, injection string) { m.Kind += notify.Kind(injection) },
		"provider": func(m *notify.Message, injection string) {
			m.To = notify.Recipient{Audience: notify.ToProvider, Name: "Upstream" + injection}
		},
	} {
		for _, lineBreak := range []string{"\r\n", "\n", "\r"} {
			m := message()
			change(&m, lineBreak+injected+lineBreak+lineBreak+"body")
			err := f.Notify(f.Context(), m)
			if f.sent == nil {
				continue
			}
			for _, text := range f.sent() {
				if hasLine(text, injected) {
					f.Fatalf("a line break (%q) in the %s started a header line (Notify returned %v):\n%s", lineBreak, what, err, text)
				}
			}
		}
	}
}

func hasLine(text, line string) bool {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, line) })
}

func (f *notifierFixture) withoutHTML() {
	m := message()
	m.HTML = ""
	f.send(m)
	f.wantSent(1)
}

func (f *notifierFixture) ownership() {
	m := message()
	want := string(m.Data)
	f.send(m)
	if got := string(m.Data); got != want {
		f.Errorf("Notify changed the message's data to %s, it was %s", got, want)
	}
	if f.sent == nil {
		return
	}
	before := fmt.Sprint(f.sent())
	copy(m.Data, strings.Repeat("X", len(m.Data)))
	if after := fmt.Sprint(f.sent()); after != before {
		f.Errorf("a change of the data after Notify has changed what was sent:\n%s", after)
	}
}
