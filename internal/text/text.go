// Package text checks what people type, before it is stored, shown in a list or put into a mail's header.
package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// Line checks a name, a subject, a reason: at most limit bytes of UTF-8 in one line, without control characters and
// without the marks that turn the direction of what follows. An error is ErrInvalid and names what.
func Line(what, s string, limit int) error {
	return check(what, s, limit, func(rune) bool { return false })
}

// Block checks a text of several lines, like Line otherwise.
func Block(what, s string, limit int) error {
	return check(what, s, limit, breaks)
}

// Filled is Line for what must not be blank.
func Filled(what, s string, limit int) error {
	if strings.TrimSpace(s) == "" {
		return fmt.Errorf("%w: %s is empty", fault.ErrInvalid, what)
	}
	return Line(what, s, limit)
}

func check(what, s string, limit int, allowed func(rune) bool) error {
	if len(s) > limit {
		return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", fault.ErrInvalid, what, len(s), limit)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: %s is not valid UTF-8", fault.ErrInvalid, what)
	}
	for i, r := range s {
		if hostile(r) && !allowed(r) {
			return fmt.Errorf("%w: %s has the character %U at byte %d, which is not allowed there", fault.ErrInvalid, what, r, i)
		}
	}
	return nil
}

// Clean makes one line of any text, where nobody can be asked for a better one: what Line refuses becomes a space, and
// what is beyond limit bytes is cut off.
func Clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if hostile(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// breaks are the hostile characters that a text of several lines may have.
func breaks(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }

// CleanBlock is Clean for a text of several lines, of any length.
func CleanBlock(s string) string {
	return strings.Map(func(r rune) rune {
		if hostile(r) && !breaks(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
}

// hostile characters break lines or headers, or make a text read other than it is (Unicode Standard Annex 9).
func hostile(r rune) bool {
	switch {
	case unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp):
		return true
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

// Or lists alternatives for a person: "in_use or suspended".
func Or[T ~string](words []T) string {
	names := make([]string, len(words))
	for i, word := range words {
		names[i] = string(word)
	}
	return strings.Join(names, " or ")
}

// Contains says whether s contains part, whatever the case of their letters. An empty part is in every text.
func Contains(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
