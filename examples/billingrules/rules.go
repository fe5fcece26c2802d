package main

import (
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/refund"
)

//go:embed refund.formula
var files embed.FS

// terms is the formula of the host's contract. In the first 14 days it refunds everything. Later it refunds 80 percent of the
// unused days minus one fee of 2.50, nothing for licences, and no amount below 1.00.
func terms() refund.Formula {
	return refund.MoneyBack{
		Days: 14,
		Else: refund.Minimum{
			Amount: decimal.New(1_00, -2),
			Of: refund.Fee{
				Amount: decimal.New(2_50, -2),
				Of: refund.ByLabel{
					Formulas: map[string]refund.Formula{"licence": refund.None{}},
					Else:     refund.Prorated{Percent: decimal.NewNullDecimal(decimal.New(80, 0))},
				},
			},
		},
	}
}

// weeks is a formula that the library does not have: it refunds only whole unused weeks. It calls a formula of the library with
// the start of the next week as the date, so it has all properties of that formula.
func weeks() refund.Formula {
	return refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		if err := c.Validate(); err != nil {
			return refund.Result{}, err
		}
		lines, total := make([]refund.Line, 0, len(c.Charges)), decimal.New(0, -c.Places)
		for _, charge := range c.Charges {
			part := c
			part.Charges, part.At = []refund.Charge{charge}, nextWeek(charge, c.At)
			r, err := refund.Prorated{CancelDayUnused: true}.Refund(part)
			if err != nil {
				return refund.Result{}, err
			}
			lines = append(lines, r.Lines[0])
			total = total.Add(r.Total)
		}
		return refund.Result{Total: total, Lines: lines}, nil
	})
}

// nextWeek returns the start of the first week of the charge's period that is not before at.
func nextWeek(charge refund.Charge, at time.Time) time.Time {
	begin := charge.Start
	for n := 1; begin.Before(at) && begin.Before(charge.End); n++ {
		begin = charge.Start.AddDate(0, 0, 7*n)
	}
	return begin
}

// load reads a formula that a reseller wrote. An error names the file, the line and the column.
func load(fsys fs.FS, name string) (refund.Formula, error) {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	formula, err := refund.Parse(string(source))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return formula, nil
}
