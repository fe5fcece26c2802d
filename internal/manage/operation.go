package manage

import (
	"context"
	"errors"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// Attempts is how often an operation is decided before its conflict is given to the caller.
const Attempts = 5

// Operation is one operation of a Manager. S is what the operation reads, D what it decides.
type Operation[S, D any] struct {
	// Read returns everything that the decision depends on.
	Read func(context.Context) (S, error)
	// Decide is pure. Its error ends the operation. If write is false, the operation ends without asking the gates and
	// without a commit.
	Decide func(S) (decision D, write bool, err error)
	// Gate asks the host's gates whether the decision may be written. It is called once. nil: there are none to ask.
	Gate func(context.Context, D) error
	// Covers reports whether what the gates said of the decision that they were asked about holds for a later one. If not, the
	// operation ends with ErrConflict. nil: it always does.
	Covers func(asked, later D) bool
	// Commit writes the decision.
	Commit func(context.Context, D) error
}

// Run reads, decides, asks the gates and commits. If Read or Commit returns ErrConflict, it reads and decides again, but
// does not ask the gates again. It decides Attempts times at most and then returns the conflict. It returns the decision
// that was written, or the one that needed no writing.
func (o Operation[S, D]) Run(ctx context.Context) (D, error) {
	var decision, asked D
	var err error
	askedGates := false
	for range Attempts {
		var write bool
		var state S
		if err = ctx.Err(); err != nil {
			return decision, err
		}
		if state, err = o.Read(ctx); errors.Is(err, fault.ErrConflict) {
			continue
		}
		if err != nil {
			return decision, err
		}
		if decision, write, err = o.Decide(state); err != nil || !write {
			return decision, err
		}
		switch {
		case o.Gate == nil:
		case !askedGates:
			if err = o.Gate(ctx, decision); err != nil {
				return decision, err
			}
			asked, askedGates = decision, true
		case o.Covers != nil && !o.Covers(asked, decision):
			return decision, fault.ErrConflict
		}
		if err = o.Commit(ctx, decision); !errors.Is(err, fault.ErrConflict) {
			return decision, err
		}
	}
	return decision, err
}
