package refund

import (
	"encoding/json"

	"github.com/shopspring/decimal"
)

// scaled writes a decimal with its scale. decimal's own JSON makes 2.00 a 2, and obeys global settings besides.
type scaled struct{ decimal.Decimal }

// MarshalJSON writes a string: JSON's numbers are floats to many who read them.
func (d scaled) MarshalJSON() ([]byte, error) {
	if !bounded(d.Decimal, mostWideBits) {
		return nil, setting("an amount", tooLong(mostWideBits), "fewer")
	}
	return json.Marshal(fixed(d.Decimal))
}

// MarshalJSON writes the amounts as strings with their scale, so that a store gives back exactly what it was given. What it
// writes is read by the default decoder.
func (c Charge) MarshalJSON() ([]byte, error) {
	type plain Charge
	return json.Marshal(struct {
		plain
		Paid, Refunded scaled
	}{plain(c), scaled{c.Paid}, scaled{c.Refunded}})
}

// MarshalJSON writes the amount as a string with its scale, like Charge.MarshalJSON.
func (l Line) MarshalJSON() ([]byte, error) {
	type plain Line
	return json.Marshal(struct {
		plain
		Amount scaled
	}{plain(l), scaled{l.Amount}})
}

// MarshalJSON writes the total as a string with its scale, like Charge.MarshalJSON.
func (r Result) MarshalJSON() ([]byte, error) {
	type plain Result
	return json.Marshal(struct {
		plain
		Total scaled
	}{plain(r), scaled{r.Total}})
}
