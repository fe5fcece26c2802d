package smtpnotify

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/metalkeep/metalkeep/notify"
)

// compose converts a message to a mail.
func (s *Sender) compose(m notify.Message) (*gomail.Msg, error) {
	from := s.from(m)
	domain := from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	if _, err := mail.ParseAddress(from.Address); err != nil || domain == "" {
		return nil, fmt.Errorf("the sender's address %q is not a mail address", from.Address)
	}
	to, err := recipient(m.Person)
	if err != nil {
		return nil, err
	}
	from.Name = oneLine(from.Name)
	msg := gomail.NewMsg()
	msg.FromMailAddress(&from)
	msg.ToMailAddress(to)
	msg.Subject(oneLine(m.Subject))
	msg.SetDate()
	msg.SetMessageIDWithValue(m.ID.String() + "@" + domain)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	if isLanguageTag(m.Locale) {
		msg.SetGenHeader("Content-Language", m.Locale)
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}

// recipient returns the address of a person, with the name from the Directory. Several addresses are an error.
func recipient(p notify.Person) (*mail.Address, error) {
	if strings.TrimSpace(p.Address) == "" {
		return nil, errors.New("the recipient has no address")
	}
	a, err := mail.ParseAddress(p.Address)
	if err != nil || strings.ContainsFunc(a.Address, unicode.IsControl) {
		return nil, fmt.Errorf("the recipient's address %q is not a mail address", p.Address)
	}
	return &mail.Address{Name: oneLine(p.Name), Address: a.Address}, nil
}

// oneLine replaces line breaks, other control characters and characters that change the direction of text.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " ")))
}

// isLanguageTag reports whether s is valid in Content-Language.
func isLanguageTag(s string) bool {
	return s != "" && len(s) <= 35 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
}
