package notifytest_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

func brokenWrites() []storetest.Broken {
	return []storetest.Broken{
		breaks("1 concurrency: of two who settle", "checks, then writes", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				for _, d := range list {
					if now, ok := o.stored(ctx, d); !ok {
						return notify.ErrNotFound
					} else if now.Version != d.Version {
						return notify.ErrConflict
					}
				}
				for _, d := range list {
					runtime.Gosched()
					if err := o.force(ctx, d); err != nil {
						return err
					}
				}
				return nil
			}
		}),
		breaks("1 concurrency: no event is lost", "loses events that arrive together", func(o *outbox) {
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
		breaks("2 missing: an unknown delivery", "settles what is not there", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				var known []notify.Delivery
				for _, d := range list {
					if _, ok := o.stored(ctx, d); ok {
						known = append(known, d)
					}
				}
				return o.MemoryOutbox.Settle(ctx, known...)
			}
		}),
		breaks("3 duplicates: an event", "takes an event twice", func(o *outbox) {
			seen := map[uuid.UUID]bool{}
			o.changeAdded(func(e *notify.Event) {
				if seen[e.ID] {
					e.ID = uuid.New()
				}
				seen[e.ID] = true
			})
		}),
		breaks("3 duplicates: registering again", "keeps the first kinds", func(o *outbox) {
			known := map[string]bool{}
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				if known[name] {
					return nil
				}
				known[name] = true
				return o.MemoryOutbox.Register(ctx, name, kinds)
			}
		}),
		breaks("3 duplicates: an empty name", "takes any name", func(o *outbox) {
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				return o.MemoryOutbox.Register(ctx, "x"+name, kinds)
			}
		}),
		breaks("4 atomicity: a stale version", "the last writer wins", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				var errs []error
				for _, d := range list {
					errs = append(errs, o.force(ctx, d))
				}
				return errors.Join(errs...)
			}
		}),
		breaks("4 atomicity: all of a call or none", "settles one by one", func(o *outbox) {
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
			o.changeAll(func(d *notify.Delivery) { d.LastError = "" })
		}),
		breaks("4 atomicity: stored as given", "stores the event it is given", func(o *outbox) {
			given := map[uuid.UUID]notify.Kind{}
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				o.mu.Lock()
				for _, d := range list {
					given[d.Event.ID] = d.Event.Kind
				}
				o.mu.Unlock()
				return o.MemoryOutbox.Settle(ctx, list...)
			}
			o.changeListed(func(d *notify.Delivery) {
				if kind, ok := given[d.Event.ID]; ok {
					d.Event.Kind = kind
				}
			})
		}),
		breaks("5 ownership: keeps nothing", "keeps the data it was given", func(o *outbox) {
			kept := map[uuid.UUID][]byte{}
			o.changeAdded(func(e *notify.Event) { kept[e.ID] = e.Data })
			o.changeListed(func(d *notify.Delivery) { d.Event.Data = kept[d.Event.ID] })
		}),
		breaks("5 ownership: keeps nothing", "keeps the kinds it was given", func(o *outbox) {
			kept := map[string][]notify.Kind{}
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				kept[name] = kinds
				return o.MemoryOutbox.Register(ctx, name, kinds)
			}
			o.add = func(e ...notify.Event) {
				for name, kinds := range kept {
					_ = o.MemoryOutbox.Register(context.Background(), name, kinds)
				}
				o.Append(e...)
			}
		}),
		breaks("5 ownership: hands out nothing", "hands out the data it keeps", func(o *outbox) {
			kept := map[uuid.UUID][]byte{}
			o.changeAll(func(d *notify.Delivery) {
				if kept[d.Event.ID] == nil {
					kept[d.Event.ID] = d.Event.Data
				}
				d.Event.Data = kept[d.Event.ID]
			})
		}),
		breaks("9 context:", "writes under an ended context", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				_ = o.MemoryOutbox.Settle(context.WithoutCancel(ctx), list...)
				return ctx.Err()
			}
		}),
		breaks("9 context:", "registers under an ended context", func(o *outbox) {
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				_ = o.MemoryOutbox.Register(context.WithoutCancel(ctx), name, kinds)
				return ctx.Err()
			}
		}),
		breaks("12 fan-out: one for each subscriber", "sends every kind to everybody", func(o *outbox) {
			o.register = func(ctx context.Context, name string, _ []notify.Kind) error {
				return o.MemoryOutbox.Register(ctx, name, nil)
			}
		}),
		breaks("12 fan-out: one for each subscriber", "takes no kinds for all", func(o *outbox) {
			o.register = func(ctx context.Context, name string, kinds []notify.Kind) error {
				if len(kinds) == 0 {
					kinds = nil
				}
				return o.MemoryOutbox.Register(ctx, name, kinds)
			}
		}),
		breaks("12 fan-out: a new subscriber", "sends new subscribers the past", func(o *outbox) {
			var past []notify.Event
			o.changeAdded(func(e *notify.Event) { past = append(past, *e) })
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
