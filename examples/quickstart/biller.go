package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// biller is the host's billing. It charges each billing period when the period begins, and pays each refund once.
type biller struct {
	clock       clock.Clock
	shouldRenew func(ctx context.Context, server uuid.UUID, start time.Time) (bool, error)
	entries     collector[entry]
	mu          sync.Mutex
	ordered     []*account
	accounts    map[uuid.UUID]*account // by assignment, so that no client pays for another client's use
	refunded    map[uuid.UUID]bool     // by key
	next        time.Time              // the start of the earliest period that is not charged yet; zero if there is none
}

// account holds what one client pays for one server. Its charges are calculated on request.
type account struct {
	server  dedicated.Server // as it was assigned
	setup   decimal.Decimal
	prices  []price
	charged int // number of periods charged so far
	ended   bool
}

// price is charged for the rest of the period in which it starts, and for each later period.
type price struct {
	label  string
	amount decimal.Decimal
	since  time.Time
}

// entry is a charge, a refund, or a period that is not charged.
type entry struct {
	server  dedicated.Server
	period  dedicated.Period
	amount  decimal.Decimal
	skipped bool                 // the period is not charged
	refund  *cancellation.Refund // nil for a charge
}

var (
	_ cancellation.Biller = (*biller)(nil)
	_ dedicated.Ticker    = (*biller)(nil)
)

func newBiller(c clock.Clock) *biller {
	return &biller{clock: c, accounts: map[uuid.UUID]*account{}, refunded: map[uuid.UUID]bool{}}
}

// open starts an account. The set-up of a server costs half the rent of a period.
func (b *biller) open(s dedicated.Server, rent decimal.Decimal) {
	half := decimal.New(5, -1)
	a := &account{
		server: s, setup: rent.Mul(half).RoundBank(s.Billing.Decimals()), prices: []price{{"rent", rent, s.Billing.Anchor}},
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts[s.Assignment] = a
	b.ordered = append(b.ordered, a)
	b.schedule(s.Billing.Anchor)
}

// markCharged treats every period that has begun as charged. It records no entries.
func (b *biller) markCharged() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next = time.Time{}
	for _, a := range b.ordered {
		p, err := a.server.Billing.PeriodAt(b.clock.Now())
		if err != nil {
			return fmt.Errorf("the current period of %s: %w", a.server.Name, err)
		}
		a.charged = p.Index + 1
		b.schedule(p.End)
	}
	return nil
}

// addPrice adds a price that is charged from now on.
func (b *biller) addPrice(s dedicated.Server, label string, amount decimal.Decimal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[s.Assignment]
	if a == nil {
		return fmt.Errorf("server %s has no account", s.Name)
	}
	p, err := s.Billing.PeriodAt(b.clock.Now())
	if err != nil {
		return err
	}
	p.Start = b.clock.Now()
	a.prices = append(a.prices, price{label, amount, p.Start})
	return b.entries.add(entry{server: a.server, period: p, amount: amount})
}

// charges lists everything that was paid under the account.
func (a *account) charges() ([]refund.Charge, error) {
	all := []refund.Charge{{Label: "set-up", Kind: refund.Setup, Paid: a.setup}}
	for index := range a.charged {
		p, err := a.server.Billing.Period(index)
		if err != nil {
			return nil, err
		}
		for _, price := range a.prices {
			if !price.since.Before(p.End) {
				continue
			}
			start := p.Start
			if price.since.After(start) {
				start = price.since.In(start.Location())
			}
			label := fmt.Sprintf("%s, %s to %s", price.label, start.Format("2 Jan"), p.End.Format("2 Jan 2006"))
			all = append(all, refund.Charge{Label: label, Paid: price.amount, Start: start, End: p.End})
		}
	}
	return all, nil
}

// schedule makes t the time of the next charge, unless an earlier one is known.
func (b *biller) schedule(t time.Time) {
	if b.next.IsZero() || t.Before(b.next) {
		b.next = t
	}
}

// Paid implements cancellation.Biller. It returns everything that was paid under the server's current assignment.
func (b *biller) Paid(_ context.Context, s dedicated.Server, _ dedicated.Period) ([]refund.Charge, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[s.Assignment]
	if a == nil {
		return nil, fmt.Errorf("server %s has no account", s.Name)
	}
	return a.charges()
}

// Refund implements cancellation.Biller. A key that was refunded before is not refunded again.
func (b *biller) Refund(_ context.Context, r cancellation.Refund) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refunded[r.Key] {
		return nil
	}
	for _, a := range slices.Backward(b.ordered) {
		if a.server.ID == r.ServerID {
			err := b.entries.add(entry{server: a.server, amount: r.Amount, refund: &r})
			b.refunded[r.Key] = err == nil
			return err
		}
	}
	return fmt.Errorf("server %s has no account", r.ServerID)
}

// subscriber ends an account when the client's use of the server ends, for whatever reason.
func (b *biller) subscriber() notify.Subscriber {
	return notify.Subscriber{
		Name: "billing", Kinds: []notify.Kind{dedicated.KindReleased},
		Handle: func(_ context.Context, e notify.Event) error {
			r, err := dedicated.ParseReleased(e)
			if err != nil {
				return notify.Permanent(err)
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			if a := b.accounts[r.Assignment]; a != nil {
				a.ended = true
			}
			return nil
		},
	}
}

// Tick implements dedicated.Ticker. It charges the periods that have begun, unless the server is cancelled instead.
func (b *biller) Tick(ctx context.Context) (time.Time, error) {
	now := b.clock.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next.IsZero() || now.Before(b.next) {
		return b.next, nil
	}
	b.next = time.Time{}
	for _, a := range b.ordered {
		if err := b.charge(ctx, a, now); err != nil {
			return time.Time{}, fmt.Errorf("charging %s: %w", a.server.Name, err)
		}
	}
	return b.next, nil
}

// charge charges the periods of an account that have begun by now.
func (b *biller) charge(ctx context.Context, a *account, now time.Time) error {
	for !a.ended {
		p, err := a.server.Billing.Period(a.charged)
		if err != nil {
			return err
		}
		if p.Start.After(now) {
			b.schedule(p.Start)
			return nil
		}
		renew, err := b.shouldRenew(ctx, a.server.ID, p.Start)
		if err != nil {
			return err
		}
		e := entry{server: a.server, period: p, skipped: !renew}
		a.ended = !renew
		if renew {
			a.charged++
			for _, price := range a.prices {
				e.amount = e.amount.Add(price.amount)
			}
		}
		if err := b.entries.add(e); err != nil {
			return err
		}
	}
	return nil
}
