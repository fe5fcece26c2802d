// Package smtpnotify sends a metalkeep host's mail by SMTP, with github.com/wneessen/go-mail: it is a notify.Notifier.
//
//	sender, err := smtpnotify.New(smtpnotify.Config{
//		Host: "mail.example.com", Port: 587, Username: "panel", Password: secret,
//		From: func(m notify.Message) mail.Address { return mail.Address{Name: "Example Hosting", Address: "panel@example.com"} },
//	})
//	defer sender.Close()
//	dispatcher, err := notify.New(config, catalog.Mail("mail to clients", notify.ToClient, sender), …)
//
// What it takes care of:
//
//   - TLS: STARTTLS is demanded unless Config.TLS says otherwise; a password never travels in the clear.
//   - Repeats: Message-ID is made of notify.Message.ID, which is the same at each try, so that mail servers and readers drop
//     a mail that arrives twice.
//   - Errors: a refusal of this mail for good (5xx) is notify.Permanent and becomes a dead letter. All else is tried again: a
//     refusal for now (4xx), no connection, a time-out; and also a password that is refused, which is not the mail's fault.
//   - Connections are kept and used again, Config.Connections of them at most; one that the server has closed meanwhile is
//     replaced.
//   - Auto-Submitted (RFC 3834) and X-Auto-Response-Suppress keep holiday notes from being answered to a machine.
//   - Names, subjects and addresses are data: a line break in one starts no header.
//
// The end of the context ends a send at once. Whether the server took the mail is then unknown; it is sent again.
package smtpnotify
