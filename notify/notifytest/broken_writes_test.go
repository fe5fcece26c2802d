package notifytest_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

func brokenWrites() []storetest.Broken {
	return []storetest.Broken{
		breaks("1 concurrency: of two who settle", "checks versions before it writes", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				for _, d := range list {
					if stored, ok := o.stored(ctx, d); !ok {
						return notify.ErrNotFound
					} else if stored.Version != d.Version {
						return notify.ErrConflict
					}
				}
				runtime.Gosched()
				return o.overwrite(ctx, list...)
			}
		}),
		breaks("1 concurrency: no event is lost", "loses concurrent events", func(o *outbox) {
			var inside atomic.Int32
			o.add = func(e ...notify.Event) {
				inside.Add(1)
				time.Sleep(time.Millisecond)
				if inside.Load() < 2 {
					o.Append(e...)
				}
				inside.Add(-1)
			}
		}),
		breaks("2 missing: an unknown delivery", "ignores unknown deliveries", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				var existing []notify.Delivery
				for _, d := range list {
					if _, ok := o.stored(ctx, d); ok {
						existing = append(existing, d)
					}
				}
				return o.MemoryOutbox.Settle(ctx, existing...)
			}
		}),
		breaks("3 duplicates: an event", "stores an event twice", func(o *outbox) {
			stored := map[uuid.UUID]bool{}
			o.editAdded(func(e *notify.Event) {
				if stored[e.ID] {
					e.ID = uuid.New()
				}
				stored[e.ID] = true
			})
		}),
		breaks("3 duplicates: registering again", "ignores the kinds of a second registration", func(o *outbox) {
			registered := map[string]bool{}
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				if registered[name] {
					return nil
				}
				registered[name] = true
				return o.MemoryOutbox.Register(ctx, name, kinds)
			}
		}),
		breaks("3 duplicates: an empty name", "takes an empty name", func(o *outbox) {
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				return o.MemoryOutbox.Register(ctx, "x"+name, kinds)
			}
		}),
		breaks("4 atomicity: a stale version", "checks no versions", func(o *outbox) { o.settle = o.overwrite }),
		breaks("4 atomicity: all of a call or none", "stores deliveries one by one", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				for _, d := range list {
					if err := o.MemoryOutbox.Settle(ctx, d); err != nil {
						return err
					}
				}
				return nil
			}
		}),
		breaks("4 atomicity: stored as given", "forgets the last error", func(o *outbox) {
			o.editAll(func(d *notify.Delivery) { d.LastError = "" })
		}),
		breaks("4 atomicity: stored as given", "stores changes of the event", func(o *outbox) {
			given := map[uuid.UUID]notify.Kind{}
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				o.mu.Lock()
				for _, d := range list {
					given[d.Event.ID] = d.Event.Kind
				}
				o.mu.Unlock()
				return o.MemoryOutbox.Settle(ctx, list...)
			}
			o.editListed(func(d *notify.Delivery) {
				if kind, ok := given[d.Event.ID]; ok {
					d.Event.Kind = kind
				}
			})
		}),
		breaks("5 ownership: keeps nothing", "shares the data of added events", func(o *outbox) {
			shared := map[uuid.UUID][]byte{}
			o.editAdded(func(e *notify.Event) { shared[e.ID] = e.Data })
			o.editListed(func(d *notify.Delivery) { d.Event.Data = shared[d.Event.ID] })
		}),
		breaks("5 ownership: keeps nothing", "shares the kinds of a registration", func(o *outbox) {
			shared := map[string][]notify.Kind{}
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				shared[name] = kinds
				return o.MemoryOutbox.Register(ctx, name, kinds)
			}
			o.add = func(e ...notify.Event) {
				for name, kinds := range shared {
					_ = o.MemoryOutbox.Register(context.Background(), name, kinds)
				}
				o.Append(e...)
			}
		}),
		breaks("5 ownership: hands out nothing", "shares the data of returned events", func(o *outbox) {
			shared := map[uuid.UUID][]byte{}
			o.editAll(func(d *notify.Delivery) {
				if shared[d.Event.ID] == nil {
					shared[d.Event.ID] = d.Event.Data
				}
				d.Event.Data = shared[d.Event.ID]
			})
		}),
		breaks("9 context:", "ignores the context of Settle", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				_ = o.MemoryOutbox.Settle(context.WithoutCancel(ctx), list...)
				return ctx.Err()
			}
		}),
		breaks("9 context:", "ignores the context of Register", func(o *outbox) {
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				_ = o.MemoryOutbox.Register(context.WithoutCancel(ctx), name, kinds)
				return ctx.Err()
			}
		}),
		breaks("12 fan-out: one for each subscriber", "sends every kind to every subscriber", func(o *outbox) {
			o.register = func(ctx context.Context, name string, _ []notify.Kind) error {
				return o.MemoryOutbox.Register(ctx, name, nil)
			}
		}),
		breaks("12 fan-out: one for each subscriber", "takes an empty list of kinds for all kinds", func(o *outbox) {
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				if len(kinds) == 0 {
					kinds = nil
				}
				return o.MemoryOutbox.Register(ctx, name, kinds)
			}
		}),
		breaks("12 fan-out: a new subscriber", "sends old events to new subscribers", func(o *outbox) {
			var past []notify.Event
			o.editAdded(func(e *notify.Event) { past = append(past, *e) })
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				err := o.MemoryOutbox.Register(ctx, name, kinds)
				for _, e := range past {
					e.ID = uuid.New()
					o.Append(e)
				}
				return err
			}
		}),
	}
}
