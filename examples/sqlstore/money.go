package sqlstore

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/refund"
)

// number is a decimal whose JSON form keeps the scale: 12.50 is "1250e-2". The JSON form of package decimal drops it.
type number decimal.Decimal

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	d := decimal.Decimal(n)
	return json.Marshal(fmt.Sprintf("%de%d", d.Coefficient(), d.Exponent()))
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	digits, scale, _ := strings.Cut(s, "e")
	coefficient, ok := new(big.Int).SetString(digits, 10)
	exponent, err := strconv.ParseInt(scale, 10, 32)
	if !ok || err != nil {
		return fmt.Errorf("found the number %.40q, expected a form such as 1250e-2", s)
	}
	*n = number(decimal.NewFromBigInt(coefficient, int32(exponent)))
	return nil
}

// refundResult is a refund.Result as a document. Its decimals are of type number.
type refundResult refund.Result

// The fields of type number replace the decimals of the embedded types. All other fields stay as they are.
type (
	refundDocument struct {
		Total number
		Lines []lineDocument
	}
	lineDocument struct {
		line
		Charge chargeDocument
		Amount number
	}
	chargeDocument struct {
		charge
		Paid, Refunded number
	}
	line   refund.Line   // without the methods of refund.Line
	charge refund.Charge // without the methods of refund.Charge
)

// MarshalJSON implements json.Marshaler.
func (r refundResult) MarshalJSON() ([]byte, error) {
	d := refundDocument{Total: number(r.Total)}
	for _, l := range r.Lines {
		paid, refunded := number(l.Charge.Paid), number(l.Charge.Refunded)
		d.Lines = append(d.Lines, lineDocument{line(l), chargeDocument{charge(l.Charge), paid, refunded}, number(l.Amount)})
	}
	return json.Marshal(d)
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *refundResult) UnmarshalJSON(text []byte) error {
	var d refundDocument
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	*r = refundResult{Total: decimal.Decimal(d.Total)}
	for _, doc := range d.Lines {
		l := refund.Line(doc.line)
		l.Charge, l.Amount = refund.Charge(doc.Charge.charge), decimal.Decimal(doc.Amount)
		l.Charge.Paid, l.Charge.Refunded = decimal.Decimal(doc.Charge.Paid), decimal.Decimal(doc.Charge.Refunded)
		r.Lines = append(r.Lines, l)
	}
	return nil
}
