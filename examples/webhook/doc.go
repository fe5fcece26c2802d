// Package webhook posts a metalkeep host's events to other programs, signed as the Standard Webhooks specification has it
// (https://www.standardwebhooks.com, version 1): an Endpoint is the sender's side, a Receiver the other.
//
//	endpoint, err := webhook.New(webhook.Config{
//		Name: "webhook 4711", URL: "https://panel.example/hooks", Secrets: []string{"whsec_…"}, ResellerID: reseller,
//		Kinds: []notify.Kind{cancellation.KindCompleted},
//		Gone:  func(ctx context.Context) error { return hooks.Disable(ctx, 4711) },
//	})
//	dispatcher, err := notify.New(config, endpoint.Subscriber())
//
// Each endpoint is a subscriber of its own: the outbox repeats what was not answered with a 2xx, in each subject's order, and
// keeps what failed too often as a dead letter. A post that is repeated has the same webhook-id, and a timestamp and
// signature of its own.
//
// What it takes care of:
//
//   - It posts to public addresses alone, unless Config.Allow says otherwise. The address is checked when the connection is
//     made, after the name was looked up, so that a name that points elsewhere by then (DNS rebinding) is refused too.
//   - It follows no redirect, uses no proxy, and reads little of an answer.
//   - 410 Gone disables the endpoint: nothing more is posted to it, and Config.Gone is told.
//   - Secrets can be changed without a gap: each post is signed with all of them.
package webhook
