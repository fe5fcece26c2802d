package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/refund"
)

// quoted quotes a part of a file, and shortens it if it is long.
func quoted(s string) string {
	const maxRunes = 40
	short := []rune(s)
	if len(short) > maxRunes {
		return fmt.Sprintf("%q", string(short[:maxRunes])+"…")
	}
	return fmt.Sprintf("%q", s)
}

// count returns "1 server" or "3 servers".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// list returns "a, b and c".
func list(items []string) string {
	if len(items) == 0 {
		return "nothing"
	}
	last := len(items) - 1
	if last == 0 {
		return items[0]
	}
	return strings.Join(items[:last], ", ") + " and " + items[last]
}

func appendNew(items []string, item string) []string {
	if slices.Contains(items, item) {
		return items
	}
	return append(items, item)
}

// quotation returns a colon and the quoted text, or "" if the text is empty.
func quotation(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf(": \"%s\"", text)
}

// local returns an instant as people at the server's location read it.
func local(t time.Time, b dedicated.Billing) string {
	loc := location(b)
	return t.In(loc).Format("Mon 2 Jan 2006 15:04") + " " + loc.String()
}

func location(b dedicated.Billing) *time.Location {
	loc, err := time.LoadLocation(b.Zone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// excerpt returns the beginning of a text on one line.
func excerpt(text string) string {
	const maxRunes = 160
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	all := []rune(strings.Join(lines, " / "))
	if len(all) > maxRunes {
		return string(all[:maxRunes]) + "…"
	}
	return string(all)
}

func money(d decimal.Decimal, b dedicated.Billing) string {
	return d.StringFixed(b.Decimals()) + " " + b.Currency
}

// refundText lists a refund line by line. It sums up the charges of past periods in one line.
func refundText(lines []refund.Line, total decimal.Decimal, b dedicated.Billing) string {
	var s strings.Builder
	used := 0
	for _, l := range lines {
		if l.Amount.IsZero() && l.Unused == 0 && l.Charge.Kind == refund.Recurring {
			used++
			continue
		}
		fmt.Fprintf(&s, "\n  %s", l)
	}
	if used > 0 {
		fmt.Fprintf(&s, "\n  %s fully used: nothing", count(used, "charge"))
	}
	fmt.Fprintf(&s, "\n  total %s", money(total, b))
	return s.String()
}

// refundLine is a line of a refund, for programs.
type refundLine struct {
	Label  string `json:"label"`
	Kind   string `json:"kind"`
	Paid   string `json:"paid"`
	Amount string `json:"amount"`
	Unused int64  `json:"unused"`
	Total  int64  `json:"total"`
	Note   string `json:"note"`
}

func refundLines(lines []refund.Line, b dedicated.Billing) []refundLine {
	all := make([]refundLine, len(lines))
	for i, l := range lines {
		all[i] = refundLine{
			l.Charge.Label, l.Charge.Kind.String(), l.Charge.Paid.StringFixed(b.Decimals()), l.Amount.StringFixed(b.Decimals()),
			l.Unused, l.Total, l.Note,
		}
	}
	return all
}
