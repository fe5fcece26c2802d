package cancellation

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/refund"
)

// BookedRefunds is an optional interface of a Biller that remembers what it booked. The Manager asks it before each call of
// Biller.Refund, and before the refund step is done without one. If another amount was booked under the key than was computed now,
// the record and the mails say what was booked, and Refund is called with that. This happens after a copy of the database was
// restored, if the refund was booked after the copy was made.
type BookedRefunds interface {
	Biller
	// Booked returns the refund that was booked under a Refund.Key, also if it is not paid yet. found is false without one. The
	// Manager reads Amount, Currency and Lines. Amount is above zero, with the decimals of the currency. Currency may be "". Lines that
	// do not add up to Amount, and lines with more decimals than the currency or below zero, are left out.
	Booked(ctx context.Context, key uuid.UUID) (r Refund, found bool, err error)
}

// remembersRefunds reports whether the Biller is asked what it booked before.
func (m *Manager) remembersRefunds() bool {
	_, ok := m.config.Biller.(BookedRefunds)
	return ok
}

// bookedBefore returns the refund that the Biller booked under the key of the cancellation, if it booked another one than was computed.
func (m *Manager) bookedBefore(ctx context.Context, c Cancellation) (booked refund.Result, found bool, err error) {
	biller, ok := m.config.Biller.(BookedRefunds)
	if !ok {
		return booked, false, nil
	}
	answer, err := fault.Call(ctx, m.calls, partBooked, func(ctx context.Context) (answer bookedRefund, err error) {
		answer.refund, answer.found, err = biller.Booked(ctx, c.refund().Key)
		return answer, err
	})
	r := answer.refund
	if err != nil || !answer.found {
		return booked, false, refusePending(partBooked, err)
	}
	if err := c.checkBooked(r); err != nil {
		return booked, false, fault.Nonsense(partBooked, err)
	}
	if r.Amount.Equal(c.Refund.Total) {
		return booked, false, nil // with the lines that were computed
	}
	booked.Total = r.Amount
	if checkDigits(r.Amount, r.Lines) == nil && sumOf(r.Lines).Equal(r.Amount) && checkLines(r.Lines, c.Places) == nil {
		booked.Lines = r.Lines
	}
	return storedRefund(booked, c.Places), true, nil
}

// bookedRefund is what Booked answers.
type bookedRefund struct {
	refund Refund
	found  bool
}

// partBooked is the name of Booked in errors.
const partBooked = "Biller.Booked"

// checkBooked refuses a refund that cannot have been booked for the cancellation.
func (c Cancellation) checkBooked(r Refund) error {
	if err := checkDigits(r.Amount, nil); err != nil {
		return err
	}
	switch {
	case !r.Amount.IsPositive():
		return fmt.Errorf("%s was booked: want an amount above zero", r.Amount)
	case r.Currency != "" && r.Currency != c.Currency:
		return fmt.Errorf("%s %.8q was booked, but the refund is in %s", r.Amount, r.Currency, c.Currency)
	case !r.Amount.Equal(r.Amount.Truncate(c.Places)):
		return fmt.Errorf("%s was booked, with more than the currency's %d decimal places", r.Amount, c.Places)
	}
	return nil
}
