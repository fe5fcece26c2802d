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

// ledger is the host's money: it charges what begins, and pays back what the library asks for, once.
type ledger struct {
	clock    clock.Clock
	renews   func(ctx context.Context, server uuid.UUID, start time.Time) (bool, error)
	entries  collector[entry]
	mu       sync.Mutex
	order    []*account
	accounts map[uuid.UUID]*account // by assignment: nobody pays for what another one used
	paidBack map[uuid.UUID]bool     // by key
	next     time.Time              // when the earliest period begins that is not charged yet; zero: none does
}

// account is what one client pays for one server. Its charges are worked out when they are asked for.
type account struct {
	server  dedicated.Server // as it was assigned
	setup   decimal.Decimal
	prices  []price
	charged int // so many periods
	ended   bool
}

// price is charged for the rest of the period that it comes in, and for each one that follows.
type price struct {
	label  string
	amount decimal.Decimal
	since  time.Time
}

// entry is a movement of money, or the charge of a period that was left out.
type entry struct {
	server  dedicated.Server
	period  dedicated.Period
	amount  decimal.Decimal
	skipped bool
	refund  *cancellation.Refund // nil: a charge
}

var (
	_ cancellation.Biller = (*ledger)(nil)
	_ dedicated.Ticker    = (*ledger)(nil)
)

func newLedger(c clock.Clock) *ledger {
	return &ledger{clock: c, accounts: map[uuid.UUID]*account{}, paidBack: map[uuid.UUID]bool{}}
}

// open begins an account: setting the server up costs half a period's rent.
func (l *ledger) open(s dedicated.Server, rent decimal.Decimal) {
	half := decimal.New(5, -1)
	a := &account{
		server: s, setup: rent.Mul(half).RoundBank(s.Billing.Places), prices: []price{{"rent", rent, s.Billing.Anchor}},
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts[s.Assignment] = a
	l.order = append(l.order, a)
	l.expect(s.Billing.Anchor)
}

// settled says that all periods which have begun were charged before.
func (l *ledger) settled() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = time.Time{}
	for _, a := range l.order {
		p, err := a.server.Billing.PeriodAt(l.clock.Now())
		if err != nil {
			return fmt.Errorf("settling %s: %w", a.server.Name, err)
		}
		a.charged = p.Index + 1
		l.expect(p.End)
	}
	return nil
}

// extra charges something more from now on.
func (l *ledger) extra(s dedicated.Server, label string, amount decimal.Decimal) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[s.Assignment]
	if a == nil {
		return fmt.Errorf("the ledger has no account for %s", s.Name)
	}
	p, err := s.Billing.PeriodAt(l.clock.Now())
	if err != nil {
		return err
	}
	p.Start = l.clock.Now()
	a.prices = append(a.prices, price{label, amount, p.Start})
	return l.entries.add(entry{server: a.server, period: p, amount: amount})
}

// charges are all that was paid under the account.
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

func (l *ledger) expect(t time.Time) {
	if l.next.IsZero() || t.Before(l.next) {
		l.next = t
	}
}

// Paid implements cancellation.Biller: everything that was paid under the server's present assignment.
func (l *ledger) Paid(_ context.Context, s dedicated.Server, _ dedicated.Period) ([]refund.Charge, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[s.Assignment]
	if a == nil {
		return nil, fmt.Errorf("the ledger has no account for %s", s.Name)
	}
	return a.charges()
}

// Refund implements cancellation.Biller. A key that was paid before is not paid again.
func (l *ledger) Refund(_ context.Context, r cancellation.Refund) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paidBack[r.Key] {
		return nil
	}
	l.paidBack[r.Key] = true
	for _, a := range slices.Backward(l.order) {
		if a.server.ID == r.ServerID {
			return l.entries.add(entry{server: a.server, amount: r.Amount, refund: &r})
		}
	}
	return fmt.Errorf("the ledger has no account for server %s", r.ServerID)
}

// subscriber closes the account when a client's use of a server ends, however that was.
func (l *ledger) subscriber() notify.Subscriber {
	return notify.Subscriber{
		Name: "ledger", Kinds: []notify.Kind{dedicated.KindReleased},
		Handle: func(_ context.Context, e notify.Event) error {
			d, err := dedicated.ParseReleased(e)
			if err != nil {
				return notify.Permanent(err)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if a := l.accounts[d.Assignment]; a != nil {
				a.ended = true
			}
			return nil
		},
	}
}

// Tick implements dedicated.Ticker: it charges the periods that have begun, unless the server is cancelled instead.
func (l *ledger) Tick(ctx context.Context) (time.Time, error) {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next.IsZero() || now.Before(l.next) {
		return l.next, nil
	}
	l.next = time.Time{}
	for _, a := range l.order {
		if err := l.renew(ctx, a, now); err != nil {
			return time.Time{}, fmt.Errorf("charging %s: %w", a.server.Name, err)
		}
	}
	return l.next, nil
}

func (l *ledger) renew(ctx context.Context, a *account, now time.Time) error {
	for !a.ended {
		p, err := a.server.Billing.Period(a.charged)
		if err != nil {
			return err
		}
		if p.Start.After(now) {
			l.expect(p.Start)
			return nil
		}
		renews, err := l.renews(ctx, a.server.ID, p.Start)
		if err != nil {
			return err
		}
		e := entry{server: a.server, period: p, skipped: !renews}
		a.ended = !renews
		if renews {
			a.charged++
			for _, price := range a.prices {
				e.amount = e.amount.Add(price.amount)
			}
		}
		if err := l.entries.add(e); err != nil {
			return err
		}
	}
	return nil
}
