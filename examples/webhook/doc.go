// Package webhook posts the events of a metalkeep host to other programs. Posts are signed by version 1 of the Standard
// Webhooks specification (https://www.standardwebhooks.com). An Endpoint sends posts, a Receiver receives them.
//
//	endpoint, err := webhook.New(webhook.Config{
//		Name: "webhook 4711", URL: "https://panel.example/hooks", Secrets: []string{"whsec_…"}, ResellerID: reseller,
//		Kinds: []notify.Kind{cancellation.KindCompleted},
//		Gone:  func(ctx context.Context) error { return hooks.Disable(ctx, 4711) },
//	})
//	dispatcher, err := notify.New(config, endpoint.Subscriber())
//
// Each endpoint is a subscriber of its own. The outbox repeats a post until the answer is a 2xx, in the order of each
// subject's events. A post that fails too often becomes a dead letter. A repeated post has the same webhook-id, but a new
// timestamp and signature.
//
// The package keeps these rules:
//
//   - An Endpoint posts only to public addresses, unless Config.Allow has others. It checks the address when it connects, after
//     the name was looked up. So a name whose address has changed meanwhile (DNS rebinding) is refused too.
//   - It follows no redirect, uses no proxy, and reads at most 64 KiB of an answer.
//   - The answer 410 Gone disables the endpoint: it calls Config.Gone, and posts nothing more.
//   - Secrets can be changed without an interruption: each post is signed with all secrets.
package webhook
