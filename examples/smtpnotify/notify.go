package smtpnotify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/metalkeep/metalkeep/notify"
)

// Notify sends a message. What the server refuses for good, and what cannot be made a mail, is notify.Permanent.
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
			continue // the server has closed it since; nothing was sent
		}
		return err
	}
}

// connection is an idle one, used before, or else a new one.
func (s *Sender) connection(ctx context.Context) (c *connection, used bool, err error) {
	select {
	case c = <-s.idle:
		return c, true, nil
	default:
		c, err = s.connect(ctx)
		return c, false, err
	}
}

// sendOn sends, and keeps the connection if it still can be used.
func (s *Sender) sendOn(ctx context.Context, c *connection, mail *gomail.Msg) error {
	stop := context.AfterFunc(ctx, c.close)
	err := s.client.SendWithSMTPClient(c.smtp, mail)
	ended := !stop()
	if mail.IsDelivered() {
		if err != nil || ended {
			c.close() // it failed after the server had taken the mail
			return nil
		}
		s.keep(c)
		return nil
	}
	if err == nil {
		err = errors.New("not sent")
	}
	if ended {
		return errors.Join(context.Cause(ctx), err)
	}
	var failed *gomail.SendError
	if errors.As(err, &failed) && refusal(failed) && failed.ErrorCode() != closing {
		s.keep(c)
	} else {
		c.close()
	}
	if failed != nil && forGood(failed) {
		return notify.Permanent(err)
	}
	return err
}

// closing is what a server says that ends the connection (RFC 5321, section 3.8).
const closing = 421

// refusal of sender or recipient: the connection is good for another mail.
func refusal(e *gomail.SendError) bool {
	return e.ErrorCode() != 0 && (e.Reason == gomail.ErrSMTPMailFrom || e.Reason == gomail.ErrSMTPRcptTo)
}

// forGood: the server refuses this mail with a 5xx. One that says what is wrong with the session is not the mail's fault:
// commands out of order, no encryption, no authentication (RFC 4954, section 6). An argument that it does not take (501) is
// the mail's fault where it says that it is an address (RFC 3463, section 3.2).
func forGood(e *gomail.SendError) bool {
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
