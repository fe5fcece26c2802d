package notifytest_test

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

func brokenReads() []storetest.Broken {
	all := deliveries()
	return []storetest.Broken{
		breaks("2 missing: a list of nothing", "returns ErrNotFound for an empty list", func(o *outbox) {
			o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
				items, next, err := o.MemoryOutbox.Deliveries(ctx, q)
				if err == nil && len(items) == 0 {
					err = notify.ErrNotFound
				}
				return items, next, err
			}
		}),
		breaks("6 time:", "truncates times to seconds", func(o *outbox) {
			o.editAll(func(d *notify.Delivery) {
				d.Event.At, d.Due, d.LeaseUntil = d.Event.At.Truncate(time.Second), d.Due.Truncate(time.Second), d.LeaseUntil.Truncate(time.Second)
			})
		}),
		breaks("6 time:", "returns times in another zone", func(o *outbox) {
			east := time.FixedZone("east", 3600)
			o.editAll(func(d *notify.Delivery) { d.Due = d.Due.In(east) })
		}),
		breaks("6 time:", "returns 1970 for a zero time", func(o *outbox) {
			o.editListed(func(d *notify.Delivery) {
				if d.LeaseUntil.IsZero() {
					d.LeaseUntil = time.Unix(0, 0).UTC()
				}
			})
		}),
		breaks("7 data:", "formats the JSON of events", func(o *outbox) {
			o.editAdded(func(e *notify.Event) {
				var v any
				_ = json.Unmarshal(e.Data, &v)
				e.Data, _ = json.Marshal(v)
			})
		}),
		breaks("7 data:", "forgets the client of an event", func(o *outbox) {
			o.editAll(func(d *notify.Delivery) { d.Event.ClientID = uuid.Nil })
		}),
		breaksLists("8 order and paging: by time", "lists deliveries in reverse", all.ReverseList),
		breaksLists("8 order and paging: by time", "has no pages", all.NoPages),
		breaks("8 order and paging: by time", "ignores the limit", func(o *outbox) {
			o.editQueries(func(q *notify.DeliveryQuery) { q.Limit = max(q.Limit, min(1, q.Limit)*1000) })
		}),
		breaks("8 order and paging: by what is asked for", "lists all deliveries as dead letters", func(o *outbox) {
			o.editQueries(func(q *notify.DeliveryQuery) { q.Dead = false })
		}),
		breaks("8 order and paging: by what is asked for", "ignores the reseller", func(o *outbox) {
			o.editQueries(func(q *notify.DeliveryQuery) { q.ResellerID = uuid.Nil })
		}),
		breaks("8 order and paging: by what is asked for", "ignores the subscriber", func(o *outbox) {
			o.editQueries(func(q *notify.DeliveryQuery) { q.Subscriber = "" })
		}),
		breaks("8 order and paging: by what is asked for", "ignores the event", func(o *outbox) {
			o.editQueries(func(q *notify.DeliveryQuery) { q.Event = uuid.Nil })
		}),
		breaksLists("8 order and paging: a cursor stands", "has cursors that count deliveries", all.CountingCursors),
		breaksLists("8 order and paging: bad cursors", "starts again after an unknown cursor", all.StartAgain),
		breaks("8 order and paging: bad cursors", "takes a negative limit", func(o *outbox) {
			o.editQueries(func(q *notify.DeliveryQuery) { q.Limit = max(q.Limit, 0) })
		}),
		breaksLists("9 context:", "ignores the context of lists", all.ListAlways),
		breaks("12 fan-out: fresh deliveries", "starts with version 0", func(o *outbox) {
			o.editListed(func(d *notify.Delivery) { d.Version-- })
		}),
		breaks("14 depth:", "counts delivered ones as waiting", func(o *outbox) {
			o.count = func(ctx context.Context) (int, int, time.Time, error) {
				items, _, _ := o.MemoryOutbox.Deliveries(ctx, notify.DeliveryQuery{})
				_, dead, oldest, err := o.MemoryOutbox.Depth(ctx)
				return len(items) - dead, dead, oldest, err
			}
		}),
		breaks("14 depth:", "does not count dead letters", func(o *outbox) {
			o.count = func(ctx context.Context) (int, int, time.Time, error) {
				waiting, _, oldest, err := o.MemoryOutbox.Depth(ctx)
				return waiting, 0, oldest, err
			}
		}),
		breaks("14 depth:", "returns the time of a delivered event as the oldest", func(o *outbox) {
			o.count = func(ctx context.Context) (int, int, time.Time, error) {
				waiting, dead, oldest, err := o.MemoryOutbox.Depth(ctx)
				if items, _, _ := o.MemoryOutbox.Deliveries(ctx, notify.DeliveryQuery{}); len(items) > 0 {
					oldest = items[0].Event.At
				}
				return waiting, dead, oldest, err
			}
		}),
	}
}
