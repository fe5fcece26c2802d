package notify

import (
	"fmt"
	"slices"
	"strings"
)

const (
	builtinLanguage = "en" // that every kind's built-in texts have
	longestLocale   = 35   // bytes; RFC 5646, section 4.4.1
)

// canonical writes a language tag as RFC 5646, section 2.1.1, recommends: "de", "pt-BR", "zh-Hant". An underscore is taken
// for a hyphen. What is no tag is ErrInvalid.
func canonical(locale string) (string, error) {
	if len(locale) > longestLocale {
		return "", fmt.Errorf("%w: the language tag has %d bytes, at most %d are allowed", ErrInvalid, len(locale), longestLocale)
	}
	parts := strings.Split(strings.ToLower(strings.ReplaceAll(locale, "_", "-")), "-")
	for i, part := range parts {
		if !subtag(part, i == 0) {
			return "", fmt.Errorf("%w: %q is not a language tag such as en or pt-BR", ErrInvalid, locale)
		}
		switch {
		case i > 0 && len(part) == 2:
			parts[i] = strings.ToUpper(part)
		case i > 0 && len(part) == 4:
			parts[i] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, "-"), nil
}

// subtag: the first is 2 to 8 letters, the others are 1 to 8 letters and digits.
func subtag(s string, first bool) bool {
	if len(s) == 0 || len(s) > 8 || first && len(s) < 2 {
		return false
	}
	for _, c := range []byte(s) {
		letter, digit := c >= 'a' && c <= 'z', c >= '0' && c <= '9'
		if !letter && (first || !digit) {
			return false
		}
	}
	return true
}

// languages lists where a text is looked for, best first: each locale, and what is left of it without its last parts. What
// is no language tag is left out.
func languages(locales ...string) []string {
	var list []string
	for _, locale := range locales {
		tag, err := canonical(locale)
		for err == nil && tag != "" {
			if !slices.Contains(list, tag) {
				list = append(list, tag)
			}
			tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
		}
	}
	return list
}
