package ticket_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// exampleHost returns a reseller, and a client that uses one server, in a host's own table of servers.
func exampleHost(owner dedicated.Owner) (servers inventory, reseller, client dedicated.Actor, server uuid.UUID) {
	tenant := uuid.New()
	reseller = dedicated.Actor{Role: dedicated.Reseller, ResellerID: tenant}
	client = dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant}
	server = uuid.New()
	servers = inventory{server: {
		ID: server, ResellerID: tenant, ClientID: client.ID, Name: "web-07", Owner: owner,
		State: dedicated.InUse, Assignment: uuid.New(),
	}}
	return servers, reseller, client, server
}

func Example() {
	ctx := context.Background()
	servers, reseller, client, server := exampleHost(dedicated.Owner{})
	tickets, err := ticket.New(ticket.Config{Store: &ticket.MemoryStore{}, Servers: servers})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := tickets.Open(ctx, client, ticket.Form{ServerID: server, Kind: ticket.Reboot, Text: "It hangs."})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(errors.Join(
		errorOf(tickets.Comment(ctx, reseller, v.ID, ticket.Note{Text: "Third time this week.", Internal: true})),
		errorOf(tickets.Confirm(ctx, reseller, v.ID, ticket.Note{Text: "On our way."})),
		errorOf(tickets.Complete(ctx, reseller, v.ID, ticket.Note{Text: "It is back."})),
	))
	v, err = tickets.View(ctx, client, v.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s of %s is %s\n", v.Subject, v.ServerName, v.Status)
	for _, c := range v.Thread {
		fmt.Printf("%s: %s\n", c.By.Role, c.Text)
	}
	// Output:
	// <nil>
	// Reboot of web-07 is done
	// client: It hangs.
	// reseller: On our way.
	// reseller: It is back.
}

// A provider carries out a request. The client and the provider do not learn of each other.
func ExampleManager_Forward() {
	ctx := context.Background()
	outbox := &notify.MemoryOutbox{}
	servers, reseller, client, server := exampleHost(dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-42"})
	tickets, err := ticket.New(ticket.Config{Store: &ticket.MemoryStore{Outbox: outbox}, Servers: servers})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := tickets.Open(ctx, client, ticket.Form{ServerID: server, Kind: ticket.Reboot, Text: "It hangs, says Alice."})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := errorOf(tickets.Forward(ctx, reseller, v.ID, ticket.Note{Text: "Please press the button."})); err != nil {
		fmt.Println(err)
		return
	}
	t, err := tickets.Ticket(ctx, reseller, v.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("to %s:\n%s\n", t.Upstream.Provider, t.Upstream.Thread[0].Text)

	// The provider's mail quotes t.Upstream.Ref. The reseller passes the answer on in its own words.
	fmt.Println(errors.Join(
		errorOf(tickets.ProviderReplied(ctx, reseller, t.Upstream.Ref, ticket.Note{Text: "Pressed. Regards, Upstream Ltd"})),
		errorOf(tickets.Relay(ctx, reseller, v.ID, ticket.Note{Text: "It was restarted."})),
	))
	v, err = tickets.View(ctx, client, v.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the client sees it as", v.Status)
	for _, c := range v.Thread[1:] {
		fmt.Println(c.Text)
	}
	// Output:
	// to Upstream Ltd:
	// Server: web-07
	// Your reference: srv-42
	// Request: Reboot
	//
	// Please press the button.
	// <nil>
	// the client sees it as confirmed
	// We are working on it.
	// It was restarted.
}

// A host registers its own kind. The frontend gets the form as JSON, and the name of every wrong field.
func ExampleKindSpec() {
	ctx := context.Background()
	servers, _, client, server := exampleHost(dedicated.Owner{})
	tickets, err := ticket.New(ticket.Config{Store: &ticket.MemoryStore{}, Servers: servers, Kinds: []ticket.KindSpec{{
		Kind: "reverse_dns", Label: "Reverse DNS", Fields: []ticket.Field{
			{Name: "address", Label: "Address", Type: ticket.TypeText, Required: true, Min: 7, Max: 45},
			{Name: "ttl", Label: "TTL in seconds", Type: ticket.TypeInteger, Min: 60, Max: 86400},
		},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	forms, err := tickets.Forms(ctx, client, server)
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := json.Marshal(forms[len(forms)-1].Fields[1])
	fmt.Println(string(data), err)

	_, err = tickets.Open(ctx, client, ticket.Form{
		ServerID: server, Kind: "reverse_dns", Fields: map[string]json.RawMessage{"ttl": []byte(`5`)},
	})
	var refused *ticket.Error
	if errors.As(err, &refused) {
		for _, w := range refused.Wrong {
			fmt.Printf("%s: %s\n", w.Field, w.Msg)
		}
	}
	// Output:
	// {"name":"ttl","label":"TTL in seconds","type":"integer","required":false,"min":60,"max":86400} <nil>
	// Fields.address: missing: Address is required
	// Fields.ttl: 5, expected 60 to 86400
}

// A gate switches a kind off for clients. Forms leaves it out. Tickets that are open are not affected.
func ExampleHooks() {
	ctx := context.Background()
	servers, _, client, server := exampleHost(dedicated.Owner{})
	noReinstalls := func(_ context.Context, a dedicated.Actor, k ticket.Kind, _ dedicated.Server) error {
		if k == ticket.Reinstall && a.Role == dedicated.Client {
			return dedicated.Refuse("no reinstallations over the holidays")
		}
		return nil
	}
	tickets, err := ticket.New(ticket.Config{Store: &ticket.MemoryStore{}, Servers: servers, Hooks: ticket.Hooks{
		Gate: []func(context.Context, dedicated.Actor, ticket.Kind, dedicated.Server) error{noReinstalls},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tickets.Open(ctx, client, ticket.Form{ServerID: server, Kind: ticket.Reinstall})
	fmt.Println(err)
	fmt.Println(errors.Is(err, ticket.ErrForbidden))
	// Output:
	// ticket: a ticket of the kind reinstall was refused: no reinstallations over the holidays
	// true
}
