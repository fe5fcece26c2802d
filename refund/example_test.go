package refund_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/refund"
)

func cents(n int64) decimal.Decimal { return decimal.New(n, -2) }

// bill returns a server and its backup disk for 1 to 30 November, cancelled on the 10th.
func bill() refund.Case {
	start, end := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC)
	return refund.Case{
		Charges: []refund.Charge{
			{Label: "server", Paid: cents(60_00), Start: start, End: end},
			{Label: "disk", Paid: cents(10_00), Start: start, End: end},
			{Label: "installation", Kind: refund.Setup, Paid: cents(25_00)},
		},
		At:           time.Date(2026, time.November, 10, 15, 30, 0, 0, time.UTC),
		ServiceStart: start,
		Places:       2,
	}
}

func show(r refund.Result, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r)
}

// The default formula refunds the unused days. The day of cancellation counts as used.
func ExampleProrated() {
	show(refund.Prorated{}.Refund(bill()))
	// Output:
	// server: 40.00 of 60.00, 20 of 30 unused
	// disk: 6.67 of 10.00, 20 of 30 unused
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 46.67
}

// A formula of the host's never sees a credit: Calculate takes it off the payments first.
func ExampleCalculate() {
	half := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		fmt.Println("the server counts as paid with", c.Charges[0].Paid)
		return refund.Prorated{Percent: decimal.NewNullDecimal(decimal.New(50, 0))}.Refund(c)
	})
	c := bill()
	c.Charges = c.Charges[:1]
	credit := c.Charges[0]
	credit.Label, credit.Paid = "outage on 2 November", cents(-13_54)
	c.Charges = append(c.Charges, credit)
	show(refund.Calculate(half, c))
	// Output:
	// the server counts as paid with 46.46
	// server: 15.49 of 60.00, 20 of 30 unused (paid less credits: 46.46)
	// outage on 2 November: 0.00 of -13.54 (a credit: it lowers the payments for other charges)
	// total: 15.49
}

// The client paid 3.00 for November and cancels on the 10th. The reseller refunds 10 percent of the unused part.
func ExampleProrated_percent() {
	c := bill()
	c.Charges = c.Charges[:1]
	c.Charges[0].Paid = cents(3_00)
	show(refund.Prorated{Percent: decimal.NewNullDecimal(decimal.New(10, 0))}.Refund(c))
	// Output:
	// server: 0.20 of 3.00, 20 of 30 unused
	// total: 0.20
}

func ExampleProrated_seconds() {
	show(refund.Prorated{By: refund.Seconds}.Refund(bill()))
	// Output:
	// server: 40.71 of 60.00, 1758600 of 2592000 unused
	// disk: 6.78 of 10.00, 1758600 of 2592000 unused
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 47.49
}

// The reseller refunds everything in the first 14 days, and afterwards 80 percent of the unused part.
func ExampleMoneyBack() {
	formula := refund.MoneyBack{Days: 14, Else: refund.Prorated{Percent: decimal.NewNullDecimal(decimal.New(80, 0))}}
	c := bill()
	show(formula.Refund(c))
	c.At = c.At.AddDate(0, 0, 5)
	show(formula.Refund(c))
	// Output:
	// server: 60.00 of 60.00 (money back within 14 days)
	// disk: 10.00 of 10.00 (money back within 14 days)
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 70.00
	// server: 24.00 of 60.00, 15 of 30 unused
	// disk: 4.00 of 10.00, 15 of 30 unused
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 28.00
}

// The fee is deducted once, not once for each line. The lines add up to the total.
func ExampleFee() {
	show(refund.Fee{Amount: cents(5_00)}.Refund(bill()))
	// Output:
	// server: 35.71 of 60.00, 20 of 30 unused (less a fee of 4.29)
	// disk: 5.96 of 10.00, 20 of 30 unused (less a fee of 0.71)
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 41.67
}

func ExampleMinimum() {
	show(refund.Minimum{Amount: cents(50_00)}.Refund(bill()))
	// Output:
	// server: 0.00 of 60.00, 20 of 30 unused (the total is below the minimum of 50.00)
	// disk: 0.00 of 10.00, 20 of 30 unused (the total is below the minimum of 50.00)
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 0.00
}

func ExampleCap() {
	show(refund.Cap{Amount: decimal.NewNullDecimal(cents(30_00))}.Refund(bill()))
	// Output:
	// server: 25.71 of 60.00, 20 of 30 unused (the total is cut to 30.00)
	// disk: 4.29 of 10.00, 20 of 30 unused (the total is cut to 30.00)
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 30.00
}

func ExampleByLabel() {
	show(refund.ByLabel{Formulas: map[string]refund.Formula{"disk": refund.None{}}}.Refund(bill()))
	// Output:
	// server: 40.00 of 60.00, 20 of 30 unused
	// disk: 0.00 of 10.00 (nothing is given back)
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 40.00
}

func ExampleByKind() {
	c := bill()
	c.Charges[1].Kind = refund.Flat
	show(refund.ByKind{Flat: refund.Prorated{Percent: decimal.NewNullDecimal(decimal.New(25, 0))}}.Refund(c))
	// Output:
	// server: 40.00 of 60.00, 20 of 30 unused
	// disk: 2.50 of 10.00
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 42.50
}

// The host has a rule of its own: no refund in the last week of a period.
func ExampleFormulaFunc() {
	formula := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		for _, charge := range c.Charges {
			if charge.Kind == refund.Recurring && c.At.After(charge.End.AddDate(0, 0, -7)) {
				return refund.None{}.Refund(c)
			}
		}
		return refund.Prorated{}.Refund(c)
	})
	c := bill()
	c.At = time.Date(2026, time.November, 24, 8, 0, 0, 0, time.UTC)
	show(formula.Refund(c))
	// Output:
	// server: 0.00 of 60.00 (nothing is given back)
	// disk: 0.00 of 10.00 (nothing is given back)
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 0.00
}

// A reseller types a formula into the hosting panel.
func ExampleParse() {
	formula, err := refund.Parse("when(service_days < 30, paid, paid * unused_days / period_days) - 1.50")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(formula.Variables())
	show(formula.Refund(bill()))
	// Output:
	// [paid period_days service_days unused_days]
	// server: 58.50 of 60.00, 20 of 30 unused
	// disk: 8.50 of 10.00, 20 of 30 unused
	// installation: 0.00 of 25.00 (set-up is not given back)
	// total: 67.00
}

// A frontend marks the position of the error and suggests a correction.
func ExampleExpressionError() {
	_, err := refund.Parse("paid * unusd_days / period_days")
	var e *refund.ExpressionError
	if errors.As(err, &e) {
		fmt.Println(e.Line, e.Column, e.Nearest)
	}
	fmt.Println(err)
	_, err = refund.Parse("paid * 80%")
	fmt.Println(err)
	// Output:
	// 1 8 unused_days
	// line 1, column 8: found "unusd_days", expected a variable; did you mean "unused_days"?
	// line 1, column 10: found "%", expected a number, a name, an operator or a parenthesis; did you mean "/ 100"?
}

// A reseller asks why the refund for the disk is 1.67.
func ExampleExpression_Explain() {
	formula, _ := refund.Parse("max(0, paid * unused_days / period_days - 5)")
	explained, err := formula.Explain(bill())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(explained[1])
	// Output:
	// disk: 1.67 of 10.00, 20 of 30 unused
	//   max(0, paid * unused_days / period_days - 5) = 1.6666666666… (5/3)
	//     paid * unused_days / period_days - 5 = 1.6666666666… (5/3)
	//       paid * unused_days / period_days = 6.6666666666… (20/3)
	//         paid * unused_days = 200
	//           paid = 10
	//           unused_days = 20
	//         period_days = 30
}

// Settings with a formula are stored as JSON. Unmarshal returns an error for an invalid formula.
func ExampleExpression_UnmarshalText() {
	var settings struct{ Formula *refund.Expression }
	fmt.Println(json.Unmarshal([]byte(`{"Formula": "paid * unused_days / period_days"}`), &settings))
	fmt.Println(settings.Formula)
	fmt.Println(json.Unmarshal([]byte(`{"Formula": "paid / "}`), &settings))
	// Output:
	// <nil>
	// paid * unused_days / period_days
	// line 1, column 7: found the end of the formula, expected a number, a name or (
}

// An invalid bill is an error, which names the charge.
func ExampleError() {
	c := bill()
	c.Charges[1].End = c.Charges[1].Start
	_, err := refund.Prorated{}.Refund(c)
	var e *refund.Error
	fmt.Println(errors.Is(err, refund.ErrInvalid), errors.As(err, &e) && e.Charge == 1 && e.Field == "End")
	fmt.Println(err)
	// Output:
	// true true
	// refund: charge 1 ("disk"): End is 2026-11-01T00:00:00Z, expected an instant after Start, 2026-11-01T00:00:00Z
}
