package refund

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// Kind says how a charge is given back.
type Kind uint8

// The kinds of charges.
const (
	Recurring Kind = iota // prorated over its period
	Flat                  // a percentage, never prorated
	Setup                 // nothing
	Usage                 // nothing
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

// refundable tells the kinds that the formulas of this package give anything back of.
func (k Kind) refundable() bool { return k == Recurring || k == Flat }

// Charge is what was actually paid for [Start, End), and what of it was given back before. Paid and Refunded are in the
// currency's main unit and must not be negative; Refunded lowers the most that a formula may give. A Recurring or Flat
// charge needs Start before End, a Recurring one needs both set; of Setup and Usage charges neither is looked at. The
// zero value is not valid: it has no period.
type Charge struct {
	Label          string
	Kind           Kind
	Paid, Refunded decimal.Decimal
	Start, End     time.Time
}

// Case is the question: what is owed back if the service ends at At?
//
// Location decides what a day is and which date an instant has; nil is UTC. Places is the number of decimals of the
// currency (ISO 4217's minor unit: 0 for JPY, 2 for EUR, 3 for KWD), 0 to 8. ServiceStart is when the client got the
// service; only MoneyBack and the variable service_days need it. All instants lie in the years 1 to 9999.
type Case struct {
	Charges      []Charge
	At           time.Time
	ServiceStart time.Time
	Location     *time.Location
	Places       int32
}

const (
	mostPlaces = 8

	// Unix seconds of the first instant of year 1 and of year 10000. Within them no difference of two instants overflows,
	// and every instant survives JSON.
	firstInstant = -62135596800
	afterLast    = 253402300800
)

// Validate returns the first thing that is wrong with the case as an *Error that names the charge and the field, or nil.
// Every formula of this package begins with it.
func (c Case) Validate() error {
	if c.Places < 0 || c.Places > mostPlaces {
		return setting("Places", fmt.Sprint("is ", c.Places), "the decimals of the currency, 0 to 8")
	}
	if found := wrongInstant(c.At); found != "" {
		return setting("At", found, "the instant that the service ends, in the years 1 to 9999")
	}
	if !c.ServiceStart.IsZero() && wrongInstant(c.ServiceStart) != "" {
		return setting("ServiceStart", wrongInstant(c.ServiceStart), "an instant in the years 1 to 9999")
	}
	for i := range c.Charges {
		if e := c.Charges[i].check(); e != nil {
			e.Charge, e.Label = i, c.Charges[i].Label
			return e
		}
	}
	return nil
}

func (c *Charge) check() *Error {
	if c.Kind > Usage {
		return &Error{Field: "Kind", Found: fmt.Sprint("is ", uint8(c.Kind)), Expected: "Recurring, Flat, Setup or Usage"}
	}
	if found := wrongMoney(c.Paid, mostBits); found != "" {
		return &Error{Field: "Paid", Found: found, Expected: "what was paid, 0 or more"}
	}
	if found := wrongMoney(c.Refunded, mostBits); found != "" {
		return &Error{Field: "Refunded", Found: found, Expected: "what was given back before, 0 or more"}
	}
	if !c.Kind.refundable() {
		return nil
	}
	return c.checkPeriod()
}

func (c *Charge) checkPeriod() *Error {
	const expected = "an instant in the years 1 to 9999"
	// A Flat charge is only asked whether its period is over, so a missing start does no harm.
	if found := wrongInstant(c.Start); found != "" && (c.Kind == Recurring || !c.Start.IsZero()) {
		return &Error{Field: "Start", Found: found, Expected: expected}
	}
	if found := wrongInstant(c.End); found != "" {
		return &Error{Field: "End", Found: found, Expected: expected}
	}
	if !c.Start.Before(c.End) {
		found := fmt.Sprintf("is %s", c.End.Format(time.RFC3339Nano))
		return &Error{Field: "End", Found: found, Expected: "an instant after Start, " + c.Start.Format(time.RFC3339Nano)}
	}
	return nil
}

// wrongInstant says what is wrong with an instant; "" is nothing.
func wrongInstant(t time.Time) string {
	switch {
	case t.IsZero():
		return "is missing"
	case t.Unix() < firstInstant || t.Unix() >= afterLast:
		return "is out of range"
	}
	return ""
}

// wrongMoney says what is wrong with an amount of most bits; "" is nothing. An amount that may be enormous is never written
// out.
func wrongMoney(d decimal.Decimal, most uint) string {
	switch {
	case !bounded(d, most):
		return tooLong(most)
	case d.IsNegative():
		return "is " + d.String()
	}
	return ""
}
