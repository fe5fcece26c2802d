// Package text checks texts that people type, before the library stores them, lists them or writes them into the header of a mail.
package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// CheckLine checks a text of one line, such as a name or a subject: at most limit bytes of valid UTF-8, without control characters and
// without characters that change the writing direction. An error is ErrInvalid and begins with the name of the text.
func CheckLine(name, s string, limit int) error {
	return check(name, s, limit, func(rune) bool { return false })
}

// CheckBlock checks a text of several lines. Its rules are those of CheckLine, except that line breaks and tabs are allowed.
func CheckBlock(name, s string, limit int) error {
	return check(name, s, limit, isBreak)
}

// CheckFilled checks a text of one line that must not be blank. Its other rules are those of CheckLine.
func CheckFilled(name, s string, limit int) error {
	if strings.TrimSpace(s) == "" {
		return fmt.Errorf("%w: %s is empty", fault.ErrInvalid, name)
	}
	return CheckLine(name, s, limit)
}

// MaxEpoch is the longest name of an epoch, in bytes.
const MaxEpoch = 64

// CheckEpoch checks the name of an epoch: at most MaxEpoch visible characters of ASCII, without spaces. "" is the first epoch. An error is
// ErrInvalid and begins with the name of the field.
func CheckEpoch(name, epoch string) error {
	if len(epoch) > MaxEpoch {
		return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", fault.ErrInvalid, name, len(epoch), MaxEpoch)
	}
	for i := range len(epoch) {
		if c := epoch[i]; c <= ' ' || c > '~' {
			return fmt.Errorf("%w: %s has the byte 0x%02x at %d: want visible characters of ASCII without spaces", fault.ErrInvalid, name, c, i)
		}
	}
	return nil
}

func check(name, s string, limit int, allowed func(rune) bool) error {
	if len(s) > limit {
		return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", fault.ErrInvalid, name, len(s), limit)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: %s is not valid UTF-8", fault.ErrInvalid, name)
	}
	for i, r := range s {
		if isUnsafe(r) && !allowed(r) {
			return fmt.Errorf("%w: %s has the character %U at byte %d, which is not allowed there", fault.ErrInvalid, name, r, i)
		}
	}
	return nil
}

// Clean turns any text into one line that CheckLine accepts. It is for texts that nobody can correct. Each character that CheckLine rejects
// becomes a space, and everything after limit bytes is cut off, without splitting a character.
func Clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if isUnsafe(r) {
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

// isBreak reports whether r is a line break or a tab.
func isBreak(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }

// CleanBlock is Clean for a text of several lines: it keeps line breaks and tabs, and does not limit the length.
func CleanBlock(s string) string {
	return strings.Map(func(r rune) rune {
		if isUnsafe(r) && !isBreak(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
}

// isUnsafe reports whether r can break a line or a mail header, or changes the writing direction (Unicode Standard Annex 9). With such
// a change a reader sees another text than the stored one.
func isUnsafe(r rune) bool {
	switch {
	case unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp):
		return true
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

// Or joins alternatives for a person: "in_use or suspended".
func Or[T ~string](words []T) string {
	names := make([]string, len(words))
	for i, word := range words {
		names[i] = string(word)
	}
	return strings.Join(names, " or ")
}

// Contains reports whether s contains part, without regard to upper and lower case. Every text contains "".
func Contains(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
