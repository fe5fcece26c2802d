package mailtext

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// functions returns the functions that the library adds to those of text/template. Payloads write times in RFC 3339.
func functions(zone *time.Location, locale string) map[string]any {
	return map[string]any{
		"date":     func(s string) (string, error) { return formatTime(s, zone, time.DateOnly) },
		"datetime": func(s string) (string, error) { return formatTime(s, zone, "2006-01-02 15:04 MST") },
		"money":    func(amount any, currency string) (string, error) { return formatMoney(amount, currency, locale) },
		"plural":   plural,
	}
}

// allowedBuiltins returns the names of the text/template functions that templates may call, as keys. Functions that build
// strings are not among them, because their output can grow without limit. The values have no meaning.
func allowedBuiltins() map[string]any {
	allowed := map[string]any{}
	for _, name := range []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index"} {
		allowed[name] = name
	}
	return allowed
}

// formatTime returns "" for "".
func formatTime(s string, zone *time.Location, layout string) (string, error) {
	if s == "" {
		return "", nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return "", fmt.Errorf("%q is not a time such as 2026-03-01T14:30:00Z", s)
	}
	return t.In(zone).Format(layout), nil
}

// formatMoney returns "" for "", and keeps the decimals of an amount. It does not group digits: the character that separates
// thousands in one country is the decimal separator in another.
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
	if !isDecimal(s) {
		return "", fmt.Errorf("%q is not an amount such as 12.50", s)
	}
	if usesDecimalComma(locale) {
		s = strings.Replace(s, ".", ",", 1)
	}
	return strings.TrimSpace(s + " " + currency), nil
}

// isDecimal reports whether s is digits with an optional minus sign and an optional fraction.
func isDecimal(s string) bool {
	whole, fraction, ok := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return isDigits(whole) && (!ok || isDigits(fraction))
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// usesDecimalComma reports whether a language writes 12,50 and not 12.50. The data is from Unicode's CLDR.
func usesDecimalComma(locale string) bool {
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

// plural takes a number of the payload or of the function len.
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
