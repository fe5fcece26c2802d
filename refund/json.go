package refund

import (
	"encoding/json"
	"fmt"

	"github.com/shopspring/decimal"
)

// scaledDecimal writes a decimal with its scale. The JSON of the decimal package writes 2.00 as 2, and depends on global settings.
type scaledDecimal struct{ decimal.Decimal }

// MarshalJSON returns a string, because many programs read a JSON number as a float.
func (d scaledDecimal) MarshalJSON() ([]byte, error) {
	if !withinBounds(d.Decimal, maxResultBits) {
		return nil, settingError("an amount", boundsProblem(maxResultBits), "fewer")
	}
	if e := d.Exponent(); e > 0 { // 50 has another scale than 5e1
		return json.Marshal(fmt.Sprintf("%de%d", d.Coefficient(), e))
	}
	return json.Marshal(formatDecimal(d.Decimal))
}

// MarshalJSON writes each amount as a string with all its decimals, so 2.00 stays 2.00. An amount with a positive exponent is
// written with it: decimal.New(5, 1) is "5e1". json.Unmarshal reads back the same value and scale. MarshalJSON returns an *Error for
// an amount with more than 308 digits or an exponent outside -64 to 64.
func (c Charge) MarshalJSON() ([]byte, error) {
	type plain Charge
	return json.Marshal(struct {
		plain
		Paid, Refunded scaledDecimal
	}{plain(c), scaledDecimal{c.Paid}, scaledDecimal{c.Refunded}})
}

// MarshalJSON writes the amount like Charge.MarshalJSON, and returns the same errors.
func (l Line) MarshalJSON() ([]byte, error) {
	type plain Line
	return json.Marshal(struct {
		plain
		Amount scaledDecimal
	}{plain(l), scaledDecimal{l.Amount}})
}

// MarshalJSON writes the total like Charge.MarshalJSON, and returns the same errors.
func (r Result) MarshalJSON() ([]byte, error) {
	type plain Result
	return json.Marshal(struct {
		plain
		Total scaledDecimal
	}{plain(r), scaledDecimal{r.Total}})
}
