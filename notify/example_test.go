package notify_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// backedUp is the payload of the kind in these examples.
type backedUp struct {
	Server string    `json:"server"`
	At     time.Time `json:"at"`
	Files  int       `json:"files"`
}

func exampleKinds() []notify.Spec {
	return []notify.Spec{{
		Kind:        "example.backed_up",
		Audience:    notify.ToClient,
		Group:       "Backups",
		Description: "A backup was made.",
		Sample:      backedUp{Server: "web1", At: time.Date(2026, 3, 1, 13, 30, 0, 0, time.UTC), Files: 1200},
		Subject:     map[string]string{"en": "Backup of {{.server}}"},
		Text:        map[string]string{"en": "{{.files}} {{plural .files \"file\" \"files\"}}, {{datetime .at}}"},
	}}
}

func exampleEvent(server string, version int64) notify.Event {
	at := time.Date(2026, 3, 1, 13, 30, 0, 0, time.UTC)
	s := notify.Subject{
		ResellerID: uuid.MustParse("00000000-0000-4000-8000-000000000001"),
		ClientID:   uuid.MustParse("00000000-0000-4000-8000-000000000002"),
		ID:         uuid.MustParse("00000000-0000-4000-8000-000000000003"),
		Version:    version,
	}
	e, err := s.Event("example.backed_up", at, backedUp{Server: server, At: at, Files: 1})
	if err != nil {
		fmt.Println(err)
	}
	return e
}

// Events wait in an outbox until every subscriber has handled them.
func Example() {
	outbox := &notify.MemoryOutbox{}
	catalog, err := notify.NewCatalog(exampleKinds())
	if err != nil {
		fmt.Println(err)
		return
	}
	mail := catalog.Mail("mail", notify.ToClient, notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
		fmt.Printf("To: %s %s\nSubject: %s\n\n%s\n", m.To.Audience, m.To.ID, m.Subject, m.Text)
		return nil
	}))
	dispatcher, err := notify.New(notify.Config{Outbox: outbox}, mail)
	if err != nil {
		fmt.Println(err)
		return
	}
	outbox.Append(exampleEvent("web1", 1)) // the Commit of a Store does this
	next, err := dispatcher.Tick(context.Background())
	fmt.Println(next.IsZero(), err)
	// Output:
	// To: client 00000000-0000-4000-8000-000000000002
	// Subject: Backup of web1
	//
	// 1 file, 2026-03-01 13:30 UTC
	// true <nil>
}

// An event that cannot be delivered becomes a dead letter. Resend sends it again.
func ExampleDispatcher_Resend() {
	ctx := context.Background()
	outbox := &notify.MemoryOutbox{}
	full := true
	dispatcher, err := notify.New(notify.Config{Outbox: outbox}, notify.Subscriber{
		Name: "mail",
		Handle: func(context.Context, notify.Event) error {
			if full {
				return notify.Permanent(errors.New("552 mailbox full"))
			}
			fmt.Println("delivered")
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	outbox.Append(exampleEvent("web1", 1))
	if _, err = dispatcher.Tick(ctx); err != nil {
		fmt.Println(err)
	}
	dead, _, err := outbox.Deliveries(ctx, notify.DeliveryQuery{Dead: true})
	for _, d := range dead {
		fmt.Println(d.Subscriber, d.Event.Kind, d.LastError, err)
	}
	full = false
	fmt.Println(dispatcher.Resend(ctx, dead[0].Subscriber, dead[0].Event.ID))
	if _, err = dispatcher.Tick(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// mail example.backed_up 552 mailbox full <nil>
	// <nil>
	// delivered
}

// Check tells an editor what is wrong with a text, and where.
func ExampleCatalog_Check() {
	catalog, err := notify.NewCatalog(exampleKinds())
	if err != nil {
		fmt.Println(err)
		return
	}
	text := notify.Text{Kind: "example.backed_up", Locale: "de", Subject: "Sicherung von {{.sever}}", Text: "Fertig."}
	err = catalog.Check(text)
	fmt.Println(err)
	var wrong *notify.TextError
	if errors.As(err, &wrong) {
		fmt.Println(wrong.Part, wrong.Line, wrong.Column, wrong.Nearest, wrong.Known)
	}
	text.Subject = "Sicherung von {{.server}}"
	m, err := catalog.Preview(text)
	fmt.Println(m.Subject, err)
	// Output:
	// text of example.backed_up in de: subject, line 1, column 17: there is no .sever (did you mean .server?); there are: at, files, server
	// subject 1 17 .server [at files server]
	// Sicherung von web1 <nil>
}

// A change that is repeated because its answer was lost makes the same event. The outbox takes it once.
func ExampleSubject_Event() {
	outbox := &notify.MemoryOutbox{}
	if err := outbox.Register(context.Background(), "mail", nil); err != nil {
		fmt.Println(err)
	}
	outbox.Append(exampleEvent("web1", 1))
	outbox.Append(exampleEvent("web1", 1))
	outbox.Append(exampleEvent("web1", 2))
	waiting, _, _, err := outbox.Depth(context.Background())
	fmt.Println(waiting, err)
	// Output: 2 <nil>
}

// Catalog.Alarm tells a reseller that its own text no longer works. The host adds the event to its outbox, and the Dispatcher
// mails it like any other event.
func ExampleCatalog_alarm() {
	ctx := context.Background()
	outbox, texts := &notify.MemoryOutbox{}, &notify.MemoryTexts{}
	catalog, err := notify.NewCatalog(exampleKinds(), notify.Kinds())
	if err != nil {
		fmt.Println(err)
		return
	}
	catalog.Texts = texts
	catalog.Alarm = notify.AlarmFunc(func(_ context.Context, e notify.Event) error {
		outbox.Append(e)
		return nil
	})
	show := notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
		fmt.Printf("To the %s: %s\n", m.To.Audience, m.Subject)
		return nil
	})
	dispatcher, err := notify.New(notify.Config{Outbox: outbox},
		catalog.Mail("mail to clients", notify.ToClient, show), catalog.Mail("mail to resellers", notify.ToReseller, show))
	if err != nil {
		fmt.Println(err)
		return
	}
	old := exampleEvent("web1", 1) // when the reseller edited the text, this kind had a variable "host"
	err = texts.Save(ctx, notify.Text{ResellerID: old.ResellerID, Kind: old.Kind, Locale: "en", Subject: "{{.host}}", Text: "Done."})
	outbox.Append(old, exampleEvent("web1", 2))
	for range 2 {
		if _, err := dispatcher.Tick(ctx); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(err)
	// Unordered output:
	// To the client: Backup of web1
	// To the client: Backup of web1
	// To the reseller: Your text for example.backed_up in the language en does not work
	// <nil>
}
