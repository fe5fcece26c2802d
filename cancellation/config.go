package cancellation

import (
	"context"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/refund"
)

// Servers is the part of the host's inventory that this package needs. *dedicated.Manager fits. The Manager always asks as
// dedicated.System of one reseller, and checks the client and the owner itself: a client's view of a server has a blank
// Owner, which does not mean "own". Many goroutines call it at once. A Servers that is also a dedicated.BulkInventory is
// asked for many servers at once before warnings, and by Badges, Ends and ShouldRenew.
type Servers interface {
	// Server returns one server, or ErrNotFound. The Manager reads ID, ResellerID, ClientID, Name, Owner, State, Billing, BilledAt,
	// Assignment, AssignedAt and LockedBy.
	Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error)
	// Release ends the assignment and locks the server with lockedBy. Repeating it succeeds.
	Release(ctx context.Context, a dedicated.Actor, id, assignment, lockedBy uuid.UUID, reason string) (dedicated.Server, error)
	// Unlock removes the lock. It succeeds if the server is not locked.
	Unlock(ctx context.Context, a dedicated.Actor, id, key uuid.UUID) (dedicated.Server, error)
}

var _ Servers = (*dedicated.Manager)(nil)

// RefundFormula computes a refund. See package refund.
type RefundFormula = refund.Formula

// The defaults of Config.
const (
	DefaultLease         = 15 * time.Minute // of Config.Lease
	DefaultStepTimeout   = 5 * time.Minute  // of Config.StepTimeout
	DefaultParallel      = 4                // of Config.Parallel
	DefaultMaxExecutions = 100              // of Config.MaxExecutions
)

// Config is what a Manager works with.
type Config struct {
	Store         Store         // required
	Servers       Servers       // required
	Biller        Biller        // nil: no refunds
	RefundFormula RefundFormula // of resellers without a formula of their own; nil: refund.Prorated{}
	Hooks         Hooks         // zero: no hooks
	Clock         clock.Clock   // nil: real time
	// Lease is how long an execution waits after the death of its process, before another process continues it. A process that lives
	// renews it. 0: DefaultLease; negative is ErrInvalid.
	Lease time.Duration
	// StepTimeout is the deadline of each call of a host's part: a step, the biller, the inventory, a gate, the formula. 0: a third of
	// Lease, at the most DefaultStepTimeout; negative, and more than a third of Lease, is ErrInvalid.
	StepTimeout time.Duration
	Parallel    int // how many executions run at once in this process; 0: DefaultParallel; negative is ErrInvalid
	// MaxExecutions is how many executions of a reseller may begin on one day (UTC). What exceeds it waits for Confirm, and the
	// reseller is told. 0: DefaultMaxExecutions; negative: any number.
	MaxExecutions int
	// Epoch is the epoch that the database of this process holds: see "Restore" in the comment of the package. It enters the IDs of new
	// events. At most notify.MaxEpoch visible characters of ASCII without spaces. "": that of the Store if it is a dedicated.EpochStore,
	// otherwise the first one. Another one than that of the Store is ErrInvalid.
	Epoch string
}
