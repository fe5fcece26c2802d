package refund

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// Kind decides how a charge is refunded.
type Kind uint8

// The kinds of charges, and how the formulas of this package refund them.
const (
	Recurring Kind = iota // in proportion to the unused part of the period
	Flat                  // a percentage of the payment, independent of the unused part
	Setup                 // no refund
	Usage                 // no refund
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case Recurring:
		return "recurring"
	case Flat:
		return "flat"
	case Setup:
		return "setup"
	case Usage:
		return "usage"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// refundable reports whether the formulas of this package refund charges of this kind.
func (k Kind) refundable() bool { return k == Recurring || k == Flat }

// Charge is one payment of the client for the period from Start, inclusive, to End, exclusive.
//
// A Recurring charge needs Start and End, with Start before End. A Flat charge needs End; its Start may be zero. Start and End of
// Setup and Usage charges are ignored. The zero value is invalid, because it has no period.
type Charge struct {
	Label      string // the name on the bill, for texts and ByLabel
	Kind       Kind
	Paid       decimal.Decimal // the amount paid, in the currency's main unit; below 0 it is a credit on the bill, see Calculate
	Refunded   decimal.Decimal // the amount refunded before, 0 or more, of a credit Paid or more; reduces the largest permitted refund
	Start, End time.Time
}

// Case is the input of a Formula: the charges, and everything else that the refund depends on. All instants must lie in the years
// 1 to 9999.
type Case struct {
	Charges      []Charge
	At           time.Time      // the instant of cancellation, at which the service ends; required
	ServiceStart time.Time      // the instant at which the service began; MoneyBack and the variable service_days need it
	Location     *time.Location // decides which local date an instant has; nil means UTC
	Places       int32          // the number of the currency's decimals, 0 to 8: 0 for JPY, 2 for EUR, 3 for KWD (ISO 4217)

	inner bool // it is a part of a whole case, without credits: the limit of all payments together is for the whole
}

const (
	maxPlaces = 8

	// firstInstant and afterLastInstant are Unix seconds: the start of the year 1 and the start of the year 10000. Between them
	// the difference of two instants does not overflow, and JSON can represent every instant.
	firstInstant     = -62135596800
	afterLastInstant = 253402300800
)

// Validate returns nil if the case is valid. Otherwise it returns the first problem as an *Error that names the charge and the
// field. Every formula of this package calls it first.
func (c Case) Validate() error {
	if c.Places < 0 || c.Places > maxPlaces {
		return settingError("Places", fmt.Sprint("is ", c.Places), "the number of the currency's decimals, 0 to 8")
	}
	if problem := instantProblem(c.At); problem != "" {
		return settingError("At", problem, "the instant at which the service ends, in the years 1 to 9999")
	}
	if !c.ServiceStart.IsZero() && instantProblem(c.ServiceStart) != "" {
		return settingError("ServiceStart", instantProblem(c.ServiceStart), "an instant in the years 1 to 9999")
	}
	for i := range c.Charges {
		if e := c.Charges[i].validate(); e != nil {
			e.Charge, e.Label = i, c.Charges[i].Label
			return e
		}
	}
	if c.hasCredits() {
		if e := c.validateCredits(); e != nil {
			return e
		}
	}
	return nil
}

func (c *Charge) validate() *Error {
	const amount = "an amount of 0 or more"
	if c.Kind > Usage {
		return &Error{Field: "Kind", Found: fmt.Sprint("is ", uint8(c.Kind)), Expected: "Recurring, Flat, Setup or Usage"}
	}
	if !withinBounds(c.Paid, maxBits) {
		return &Error{Field: "Paid", Found: boundsProblem(maxBits), Expected: amount}
	}
	if c.isCredit() && withinBounds(c.Refunded, maxBits) && c.Refunded.IsNegative() {
		if c.Refunded.LessThan(c.Paid) {
			return &Error{Field: "Refunded", Found: "is " + c.Refunded.String(), Expected: "the credit of " + c.Paid.String() + " or more"}
		}
	} else if problem := amountProblem(c.Refunded, maxBits); problem != "" {
		return &Error{Field: "Refunded", Found: problem, Expected: amount}
	}
	if !c.Kind.refundable() {
		return nil
	}
	return c.validatePeriod()
}

func (c *Charge) validatePeriod() *Error {
	const expected = "an instant in the years 1 to 9999"
	// No formula of this package reads the zero Start of a Flat charge.
	if problem := instantProblem(c.Start); problem != "" && (c.Kind == Recurring || !c.Start.IsZero()) {
		return &Error{Field: "Start", Found: problem, Expected: expected}
	}
	if problem := instantProblem(c.End); problem != "" {
		return &Error{Field: "End", Found: problem, Expected: expected}
	}
	if !c.Start.Before(c.End) {
		found := fmt.Sprintf("is %s", c.End.Format(time.RFC3339Nano))
		return &Error{Field: "End", Found: found, Expected: "an instant after Start, " + c.Start.Format(time.RFC3339Nano)}
	}
	return nil
}

// instantProblem returns "" for a valid instant, and otherwise the end of the sentence "the instant …".
func instantProblem(t time.Time) string {
	switch {
	case t.IsZero():
		return "is missing"
	case t.Unix() < firstInstant || t.Unix() >= afterLastInstant:
		return "is out of range"
	}
	return ""
}

// amountProblem returns "" for an amount of 0 or more whose coefficient has at most width bits, and otherwise the end of the
// sentence "the amount …". It never writes out an amount that may be enormous.
func amountProblem(d decimal.Decimal, width uint) string {
	switch {
	case !withinBounds(d, width):
		return boundsProblem(width)
	case d.IsNegative():
		return "is " + d.String()
	}
	return ""
}
