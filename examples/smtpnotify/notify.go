package smtpnotify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/metalkeep/metalkeep/notify"
)

// Notify sends a message. The error is notify.Permanent if the server refuses the mail permanently, or if the message cannot be
// made a mail.
func (s *Sender) Notify(ctx context.Context, m notify.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	mail, err := s.compose(m)
	if err != nil {
		return notify.Permanent(fmt.Errorf("message %s: %w", m.ID, err))
	}
	for {
		c, used, err := s.connection(ctx)
		if err != nil {
			return err
		}
		err = s.sendOn(ctx, c, mail)
		var failed *gomail.SendError
		if used && errors.As(err, &failed) && failed.Reason == gomail.ErrConnCheck && ctx.Err() == nil {
			continue // the server has closed the connection since its last use, and nothing was sent
		}
		return err
	}
}

// connection returns an idle connection, or a new one. used is true for an idle one.
func (s *Sender) connection(ctx context.Context) (c *connection, used bool, err error) {
	select {
	case c = <-s.idle:
		return c, true, nil
	default:
		c, err = s.connect(ctx)
		return c, false, err
	}
}

// sendOn sends a mail on a connection. It keeps the connection if it can be used again, and closes it otherwise.
func (s *Sender) sendOn(ctx context.Context, c *connection, mail *gomail.Msg) error {
	stop := context.AfterFunc(ctx, c.close)
	err := s.client.SendWithSMTPClient(c.smtp, mail)
	ended := !stop()
	if mail.IsDelivered() {
		if err != nil || ended {
			c.close() // the error came after the server had accepted the mail
			return nil
		}
		s.keep(c)
		return nil
	}
	if err == nil {
		err = errors.New("the mail was not sent")
	}
	if ended {
		return errors.Join(context.Cause(ctx), err)
	}
	var failed *gomail.SendError
	if errors.As(err, &failed) && refusesAddress(failed) && failed.ErrorCode() != codeClosing {
		s.keep(c)
	} else {
		c.close()
	}
	if failed != nil && isPermanent(failed) {
		return notify.Permanent(err)
	}
	return err
}

// codeClosing is the code of a server that closes the connection (RFC 5321, section 3.8).
const codeClosing = 421

// refusesAddress reports whether the server refused the sender or the recipient. Then the connection can be used for other mails.
func refusesAddress(e *gomail.SendError) bool {
	return e.ErrorCode() != 0 && (e.Reason == gomail.ErrSMTPMailFrom || e.Reason == gomail.ErrSMTPRcptTo)
}

// isPermanent reports whether the server refused this mail with a 5xx. Some codes mean a fault of the session, not of the mail:
// commands in a wrong order, missing encryption, missing authentication (RFC 4954, section 6). An invalid argument (501) is a fault
// of the mail only if the enhanced code names an address (RFC 3463, section 3.2).
func isPermanent(e *gomail.SendError) bool {
	switch e.ErrorCode() {
	case 500, 502, 503, 504, 530, 534, 535, 538:
		return false
	case 501:
		if !strings.HasPrefix(e.EnhancedStatusCode(), "5.1.") {
			return false
		}
	}
	switch e.Reason {
	case gomail.ErrSMTPMailFrom, gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		return e.ErrorCode() >= 500 && e.ErrorCode() < 600
	}
	return false
}
