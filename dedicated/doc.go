// Package dedicated keeps the servers that a reseller rents out: whose machine each is, who uses it, in which state it is,
// and when its billing periods begin.
//
// The problem: a server changes hands. What one client asked for must never hit the next, a machine that is being wiped
// must not be sold again, and "the end of the billing period" must mean the same instant to the invoice, the warning and
// the cancellation. The smallest program:
//
//	servers, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}})
//	...
//	reseller := dedicated.Actor{Role: dedicated.Reseller, ResellerID: tenant}
//	s, err := servers.Add(ctx, reseller, dedicated.NewServer{Name: "web-07"})
//	s, err = servers.Assign(ctx, reseller, s.ID, dedicated.NewAssignment{ClientID: client, Billing: billing})
//	period, err := s.Billing.PeriodAt(time.Now())
//
// # Concepts
//
// An [Actor] acts in a [Role] for one reseller. Another reseller's records do not exist for it. A client sees the servers
// that it uses, without their [Owner]: whether a machine is the reseller's own or a provider's is not a client's to know.
//
// A [Server] goes from in_stock to in_use at Assign, under a fresh Assignment, and always through clean_up before anybody
// else gets it; [Transitions] is the table:
//
//	Assign        in_stock            -> in_use
//	ChangeBilling in_use, suspended   -> the same
//	Suspend       in_use              -> suspended
//	Resume        suspended           -> in_use
//	Release       in_use, suspended   -> clean_up
//	Restock       clean_up            -> in_stock
//	Retire        in_stock, clean_up  -> retired
//
// [Billing] turns instants into billing periods by pure functions, without a clock.
//
// [Manager] enforces the rules, a [Store] remembers, and every change is committed together with the events it caused
// (see package notify). A Store that is a [BulkStore], and a host's inventory that is a [BulkInventory], answer a tick for a
// hundred due items with one question; they need not. [Runner] is the loop around everything in the library that has
// something to do by itself.
//
// # Errors
//
// Every error answers errors.Is for one of [ErrNotFound], [ErrConflict], [ErrForbidden] and [ErrInvalid], or for the cause
// that a store, a hook or a context gave, and errors.As for an [Error] with the details.
//
// # Concurrency
//
// A Manager may be used by many goroutines, and any number of Managers in any number of processes may work on one Store:
// who loses a race reads and decides again, five times at most.
package dedicated
