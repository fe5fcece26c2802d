// Package smtpnotify sends the mail of a metalkeep host by SMTP, with github.com/wneessen/go-mail. A Sender is a
// notify.Notifier.
//
//	sender, err := smtpnotify.New(smtpnotify.Config{
//		Host: "mail.example.com", Port: 587, Username: "panel", Password: secret,
//		From: func(m notify.Message) mail.Address { return mail.Address{Name: "Example Hosting", Address: "panel@example.com"} },
//	})
//	defer sender.Close()
//	dispatcher, err := notify.New(config, catalog.Mail("mail to clients", notify.ToClient, sender), …)
//
// The package keeps these rules:
//
//   - Encryption: STARTTLS is required unless Config.TLS says otherwise. A password is never sent without encryption.
//   - Repeats: the Message-ID comes from notify.Message.ID, which is the same in every attempt. So mail servers and mail
//     readers can drop a mail that arrives twice.
//   - Errors: if the server refuses this mail permanently (5xx), the error is notify.Permanent and the delivery becomes a dead
//     letter. All other errors are retried: a temporary refusal (4xx), no connection, a timeout, and a refused password.
//   - Connections are kept open and used again, at most Config.Connections of them. A connection that the server has closed is
//     replaced.
//   - Auto-Submitted (RFC 3834) and X-Auto-Response-Suppress prevent automatic replies.
//   - A line break in a name, a subject or an address never starts a new header.
//
// When the context ends, Notify returns at once. It is then unknown whether the server accepted the mail, and the dispatcher
// sends it again.
package smtpnotify
