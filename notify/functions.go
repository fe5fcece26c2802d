package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// functions are those that texts have of their own. Payloads write times as RFC 3339.
func functions(loc *time.Location, locale string) map[string]any {
	if loc == nil {
		loc = time.UTC
	}
	return map[string]any{
		"date":     func(s string) (string, error) { return formatTime(s, loc, time.DateOnly) },
		"datetime": func(s string) (string, error) { return formatTime(s, loc, "2006-01-02 15:04 MST") },
		"money":    func(amount any, currency string) (string, error) { return formatMoney(amount, currency, locale) },
		"plural":   plural,
	}
}

// formatTime leaves an empty time empty.
func formatTime(s string, loc *time.Location, layout string) (string, error) {
	if s == "" {
		return "", nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return "", fmt.Errorf("%q is not a time such as 2026-03-01T14:30:00Z", s)
	}
	return t.In(loc).Format(layout), nil
}

// formatMoney keeps an amount's decimals, and an empty amount empty. Digits are not grouped: what separates thousands in
// one country separates decimals in another.
func formatMoney(amount any, currency, locale string) (string, error) {
	var s string
	switch amount := amount.(type) {
	case string:
		s = amount
	case int, int64, json.Number:
		s = fmt.Sprint(amount)
	default:
		return "", fmt.Errorf("%s is not an amount such as 12.50", typeName(amount))
	}
	if s == "" {
		return "", nil
	}
	if !decimalNumber(s) {
		return "", fmt.Errorf("%q is not an amount such as 12.50", s)
	}
	if decimalComma(locale) {
		s = strings.Replace(s, ".", ",", 1)
	}
	return strings.TrimSpace(s + " " + currency), nil
}

// decimalNumber: digits, with a sign before them or not, and a point and digits behind them or not.
func decimalNumber(s string) bool {
	whole, fraction, ok := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return allDigits(whole) && (!ok || allDigits(fraction))
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// decimalComma says whether people write 12,50 rather than 12.50 in a language, as Unicode's CLDR has it.
func decimalComma(locale string) bool {
	language, region, _ := strings.Cut(locale, "-")
	switch region {
	case "CH", "LI":
		return language == "fr"
	case "MX", "US", "PR", "GT", "HN", "NI", "PA", "PE", "SV", "DO", "CU":
		return false
	}
	switch language {
	case "be", "bg", "bs", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fr", "gl", "hr", "hu", "id", "is", "it", "lt", "lv",
		"nb", "nl", "nn", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk", "vi":
		return true
	}
	return false
}

// plural takes a number of the payload, or what len returns.
func plural(n any, one, many string) (string, error) {
	switch n := n.(type) {
	case int, int64, json.Number:
		if fmt.Sprint(n) == "1" {
			return one, nil
		}
		return many, nil
	}
	return "", fmt.Errorf("%s is not a number", typeName(n))
}

// builtins are the functions of text/template that texts may call: none that builds a string, which could be made to grow
// without end. What stands here is compared by name alone.
func builtins() map[string]any {
	allowed := map[string]any{}
	for _, name := range []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index"} {
		allowed[name] = name
	}
	return allowed
}
