package mailtext

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metalkeep/metalkeep/internal/fault"
)

const maxLocale = 35 // bytes; RFC 5646, section 4.4.1

// CanonicalLocale spells a language tag as RFC 5646, section 2.1.1, recommends: "de", "pt-BR", "zh-Hant". It reads an
// underscore as a hyphen. Anything that is not a language tag is ErrInvalid.
func CanonicalLocale(locale string) (string, error) {
	if len(locale) > maxLocale {
		return "", fmt.Errorf("%w: the language tag has %d bytes; at most %d are allowed", fault.ErrInvalid, len(locale), maxLocale)
	}
	subtags := strings.Split(strings.ToLower(strings.ReplaceAll(locale, "_", "-")), "-")
	for i, s := range subtags {
		if !isSubtag(s, i == 0) {
			return "", fmt.Errorf("%w: %q is not a language tag such as en or pt-BR", fault.ErrInvalid, locale)
		}
		switch {
		case i > 0 && len(s) == 2:
			subtags[i] = strings.ToUpper(s)
		case i > 0 && len(s) == 4:
			subtags[i] = strings.ToUpper(s[:1]) + s[1:]
		}
	}
	return strings.Join(subtags, "-"), nil
}

// isSubtag reports whether s has the form of a subtag: 2 to 8 letters for the first, 1 to 8 letters and digits for the others.
func isSubtag(s string, first bool) bool {
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

// Fallbacks lists the language tags under which to look for a text, best first: each locale, and each locale without its last
// subtags ("pt-BR", then "pt"). It leaves out strings that are not language tags.
func Fallbacks(locales ...string) []string {
	var list []string
	for _, locale := range locales {
		tag, err := CanonicalLocale(locale)
		for err == nil && tag != "" {
			if !slices.Contains(list, tag) {
				list = append(list, tag)
			}
			tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
		}
	}
	return list
}
