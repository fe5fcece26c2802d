package main

import (
	"fmt"
	"log"
	"time"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/refund"
)

func main() {
	fromFile, err := load(files, "refund.formula")
	if err != nil {
		log.Fatal(err)
	}
	start := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
	c := refund.Case{
		Charges: []refund.Charge{
			{Label: "server", Paid: decimal.New(60_00, -2), Start: start, End: start.AddDate(0, 1, 0)},
			{Label: "licence", Kind: refund.Flat, Paid: decimal.New(8_00, -2), Start: start, End: start.AddDate(0, 1, 0)},
		},
		ServiceStart: start,
		Places:       2,
	}
	fmt.Println("A client paid 60.00 for a server and 8.00 for a licence in November 2026. Refund by date of cancellation:")
	fmt.Printf("%-12s %8s %8s %8s\n", "", "terms", "weeks", "file")
	for day := 0; day < 30; day += 3 {
		c.At = start.AddDate(0, 0, day).Add(12 * time.Hour)
		fmt.Printf("%-12s", c.At.Format(time.DateOnly))
		for _, formula := range []refund.Formula{terms(), weeks(), fromFile} {
			r, err := formula.Refund(c)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf(" %8s", r.Total.StringFixed(2))
		}
		fmt.Println()
	}
}
