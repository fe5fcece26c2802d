package notifytest_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

func brokenReads() []storetest.Broken {
	return []storetest.Broken{
		breaks("2 missing: a list of nothing", "has no list for strangers", func(o *outbox) {
			o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
				items, next, err := o.MemoryOutbox.Deliveries(ctx, q)
				if err == nil && len(items) == 0 {
					err = notify.ErrNotFound
				}
				return items, next, err
			}
		}),
		breaks("6 time:", "keeps seconds", func(o *outbox) {
			o.changeAll(func(d *notify.Delivery) {
				d.Event.At, d.Due, d.LeaseUntil = d.Event.At.Truncate(time.Second), d.Due.Truncate(time.Second), d.LeaseUntil.Truncate(time.Second)
			})
		}),
		breaks("6 time:", "hands out another zone", func(o *outbox) {
			east := time.FixedZone("east", 3600)
			o.changeAll(func(d *notify.Delivery) { d.Due = d.Due.In(east) })
		}),
		breaks("6 time:", "starts its time in 1970", func(o *outbox) {
			o.changeListed(func(d *notify.Delivery) {
				if d.LeaseUntil.IsZero() {
					d.LeaseUntil = time.Unix(0, 0).UTC()
				}
			})
		}),
		breaks("7 data:", "writes JSON its own way", func(o *outbox) {
			o.changeAdded(func(e *notify.Event) {
				var v any
				_ = json.Unmarshal(e.Data, &v)
				e.Data, _ = json.Marshal(v)
			})
		}),
		breaks("7 data:", "forgets the client", func(o *outbox) {
			o.changeAll(func(d *notify.Delivery) { d.Event.ClientID = uuid.Nil })
		}),
		breaks("8 order and paging: by time", "lists backwards", func(o *outbox) {
			o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
				items, next, err := o.MemoryOutbox.Deliveries(ctx, q)
				slices.Reverse(items)
				return items, next, err
			}
		}),
		breaks("8 order and paging: by time", "knows no limit", func(o *outbox) {
			o.changeQuery(func(q *notify.DeliveryQuery) { q.Limit = max(q.Limit, min(1, q.Limit)*1000) })
		}),
		breaks("8 order and paging: by what is asked for", "lists the living with the dead", func(o *outbox) {
			o.changeQuery(func(q *notify.DeliveryQuery) { q.Dead = false })
		}),
		breaks("8 order and paging: by what is asked for", "lists every reseller's", func(o *outbox) {
			o.changeQuery(func(q *notify.DeliveryQuery) { q.ResellerID = uuid.Nil })
		}),
		breaks("8 order and paging: by what is asked for", "lists every subscriber's", func(o *outbox) {
			o.changeQuery(func(q *notify.DeliveryQuery) { q.Subscriber = "" })
		}),
		breaks("8 order and paging: by what is asked for", "lists every event", func(o *outbox) {
			o.changeQuery(func(q *notify.DeliveryQuery) { q.Event = uuid.Nil })
		}),
		breaks("8 order and paging: a cursor stands", "counts instead of keeping a place", func(o *outbox) {
			o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
				skip, err := strconv.Atoi("0" + q.After)
				if err != nil {
					return nil, "", notify.ErrInvalid
				}
				limit := q.Limit
				q.After, q.Limit = "", 1000
				items, _, err := o.MemoryOutbox.Deliveries(ctx, q)
				items = items[min(skip, len(items)):]
				if limit > 0 && len(items) > limit {
					return items[:limit], strconv.Itoa(skip + limit), err
				}
				return items, "", err
			}
		}),
		breaks("8 order and paging: bad cursors", "starts over at a bad cursor", func(o *outbox) {
			o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
				items, next, err := o.MemoryOutbox.Deliveries(ctx, q)
				if errors.Is(err, notify.ErrInvalid) {
					q.After = ""
					return o.MemoryOutbox.Deliveries(ctx, q)
				}
				return items, next, err
			}
		}),
		breaks("8 order and paging: bad cursors", "takes a negative limit", func(o *outbox) {
			o.changeQuery(func(q *notify.DeliveryQuery) { q.Limit = max(q.Limit, 0) })
		}),
		breaks("9 context:", "lists under an ended context", func(o *outbox) {
			o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
				return o.MemoryOutbox.Deliveries(context.WithoutCancel(ctx), q)
			}
		}),
		breaks("12 fan-out: fresh deliveries", "starts versions at zero", func(o *outbox) {
			o.changeListed(func(d *notify.Delivery) { d.Version-- })
		}),
		breaks("14 depth:", "counts what was delivered", func(o *outbox) {
			o.count = func(ctx context.Context) (int, int, time.Time, error) {
				items, _, _ := o.MemoryOutbox.Deliveries(ctx, notify.DeliveryQuery{})
				_, dead, oldest, err := o.MemoryOutbox.Depth(ctx)
				return len(items) - dead, dead, oldest, err
			}
		}),
		breaks("14 depth:", "does not count the dead", func(o *outbox) {
			o.count = func(ctx context.Context) (int, int, time.Time, error) {
				waiting, _, oldest, err := o.MemoryOutbox.Depth(ctx)
				return waiting, 0, oldest, err
			}
		}),
		breaks("14 depth:", "says when the first ever was", func(o *outbox) {
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
