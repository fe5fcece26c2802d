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

// patience is how long a notifier may take to see that its context has ended.
const patience = 5 * time.Second

// injected is what hostile content tries to make a header line of.
const injected = "X-Injected: yes"

// TestNotifier holds a notifier to the contract of notify.Notifier. open returns one that delivers to a place of the test's
// own, a server on loopback say, and sent, which returns what has arrived there so far, each message as the text that
// travelled, headers and all. sent may be nil where nobody can look; then what arrives is not checked.
func TestNotifier(t *testing.T, open func(t *testing.T) (n notify.Notifier, sent func() []string)) {
	run := func(name string, test func(*post)) {
		t.Run(name, func(t *testing.T) {
			n, sent := open(t)
			test(&post{t, n, sent})
		})
	}
	run("1 concurrency: many at once", (*post).manyAtOnce)
	run("2 context: an ended one sends nothing", (*post).ended)
	run("3 repeats: the same message again is no error", (*post).again)
	run("3 repeats: the ID goes out with the message", (*post).idGoesOut)
	run("4 content: a line break starts no header", (*post).hostile)
	run("4 content: without HTML", (*post).withoutHTML)
	run("5 ownership: the data is left alone", (*post).dataLeftAlone)
}

// post is a notifier under one sub-test.
type post struct {
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

// send demands that a message is accepted.
func (p *post) send(m notify.Message) {
	p.Helper()
	if err := p.Notify(p.Context(), m); err != nil {
		p.Errorf("sending gave %v", err)
	}
}

// wantSent demands that n messages have arrived, where the test can see them.
func (p *post) wantSent(n int) {
	p.Helper()
	if p.sent == nil {
		return
	}
	if got := len(p.sent()); got != n {
		p.Errorf("%d messages have arrived, want %d", got, n)
	}
}

func (p *post) manyAtOnce() {
	const many = 32
	var workers sync.WaitGroup
	start := make(chan struct{})
	for range many {
		workers.Go(func() {
			<-start
			p.send(message())
		})
	}
	close(start)
	workers.Wait()
	p.wantSent(many)
}

func (p *post) ended() {
	ctx, cancel := context.WithCancel(p.Context())
	cancel()
	answer := make(chan error, 1)
	go func() { answer <- p.Notify(ctx, message()) }()
	limit, stop := context.WithTimeout(p.Context(), patience)
	defer stop()
	select {
	case err := <-answer:
		if err == nil {
			p.Error("under an ended context sending gave no error")
		}
	case <-limit.Done():
		p.Errorf("under an ended context there is no answer within %v", patience)
	}
	p.wantSent(0)
}

func (p *post) again() {
	m := message()
	p.send(m)
	p.send(m)
}

func (p *post) idGoesOut() {
	m := message()
	p.send(m)
	p.wantSent(1)
	if p.sent == nil {
		return
	}
	for _, text := range p.sent() {
		if !strings.Contains(text, m.ID.String()) {
			p.Errorf("what arrived does not name the message's ID %s:\n%s", m.ID, text)
		}
	}
}

// hostile content may be refused or made harmless; it may not get through as it is.
func (p *post) hostile() {
	for what, spoil := range map[string]func(m *notify.Message, evil string){
		"name":    func(m *notify.Message, evil string) { m.Person.Name += evil },
		"address": func(m *notify.Message, evil string) { m.Person.Address += evil },
		"subject": func(m *notify.Message, evil string) { m.Subject += evil },
		"locale":  func(m *notify.Message, evil string) { m.Locale += evil },
		"kind":    func(m *notify.Message, evil string) { m.Kind += notify.Kind(evil) },
		"provider": func(m *notify.Message, evil string) {
			m.To = notify.Recipient{Audience: notify.ToProvider, Name: "Upstream" + evil}
		},
	} {
		for _, lineBreak := range []string{"\r\n", "\n", "\r"} {
			m := message()
			spoil(&m, lineBreak+injected+lineBreak+lineBreak+"body")
			err := p.Notify(p.Context(), m)
			if p.sent == nil {
				continue
			}
			for _, text := range p.sent() {
				if hasLine(text, injected) {
					p.Fatalf("a line break (%q) in the %s started a header (sending gave %v):\n%s", lineBreak, what, err, text)
				}
			}
		}
	}
}

func hasLine(text, line string) bool {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, line) })
}

func (p *post) withoutHTML() {
	m := message()
	m.HTML = ""
	p.send(m)
	p.wantSent(1)
}

func (p *post) dataLeftAlone() {
	m := message()
	want := string(m.Data)
	p.send(m)
	if got := string(m.Data); got != want {
		p.Errorf("after sending the message's data is %s, was %s", got, want)
	}
	if p.sent == nil {
		return
	}
	before := fmt.Sprint(p.sent())
	copy(m.Data, strings.Repeat("X", len(m.Data)))
	if after := fmt.Sprint(p.sent()); after != before {
		p.Errorf("who overwrites the data later overwrites what was sent:\n%s", after)
	}
}
