// Package dedicated keeps the servers that a reseller rents out: the owner of each machine, the client that uses it, its
// state, and its billing periods.
//
// The problem: servers change hands. A request of one client must never reach the next client. A machine that is being wiped
// must not be sold. "The end of the billing period" must mean the same instant to the invoice, the warning and the
// cancellation. The smallest program:
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
// An [Actor] calls operations in a [Role], for one reseller. It cannot see another reseller's records. A client sees the
// servers that it uses, without their [Owner]: it does not learn whether a machine is the reseller's own or a provider's.
//
// A [Server] has a [State]. Assign gives it to a client under a fresh Assignment. It always passes clean_up before another
// client gets it. [Transitions] returns the state table:
//
//	Add           (new)               -> in_stock
//	Assign        in_stock            -> in_use
//	ChangeBilling in_use, suspended   -> the same
//	Suspend       in_use              -> suspended
//	Resume        suspended           -> in_use
//	Release       in_use, suspended   -> clean_up
//	Restock       clean_up            -> in_stock
//	Retire        in_stock, clean_up  -> retired
//	Rename        any                 -> the same
//	Unlock        any                 -> the same
//
// [Billing] computes billing periods by pure functions, without a clock.
//
// [Manager] enforces the rules and a [Store] remembers. Each change is committed together with the events that it caused
// (see package notify). [Runner] calls everything in the library that has work of its own, and says which part of it hangs.
//
// A Tick of another package reads a hundred servers with one question if the Store is a [BulkStore], or the host's inventory a
// [BulkInventory]. Both are optional.
//
// # Errors
//
// Every error is an [Error] (errors.As), with the data that a frontend needs. errors.Is finds one of [ErrNotFound],
// [ErrConflict], [ErrForbidden] and [ErrInvalid], which are the caller's doing, or [ErrHost] if a part of the host failed, or
// the error of a context that ended.
//
// # Concurrency
//
// Many goroutines may use a Manager, and any number of Managers in any number of processes may work on one Store. If a
// record changed meanwhile, an operation reads it and decides again, five times at most.
package dedicated
