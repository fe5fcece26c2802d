package smtpnotify_test

import (
	"bufio"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/examples/smtpnotify"
	"github.com/metalkeep/metalkeep/notify"
)

// TestRefusedArguments shows that a 501 is permanent only if it is about an address. The server gives a fixed answer, because
// mailpit gives no enhanced codes.
func TestRefusedArguments(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{
		"501 5.1.3 Bad recipient address syntax": true,
		"501 5.5.4 Invalid argument":             false,
		"501 Syntax error":                       false,
		"550 5.1.1 No such user":                 true,
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = listener.Close() })
			go answerRecipients(listener, answer)
			sender, err := smtpnotify.New(smtpnotify.Config{
				Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, TLS: smtpnotify.Plaintext,
				From: func(notify.Message) mail.Address { return mail.Address{Address: "desk@host.example"} },
			})
			require.NoError(t, err)
			t.Cleanup(func() { _ = sender.Close() })
			err = sender.Notify(within(t, 10*time.Second), message())
			require.ErrorContains(t, err, answer[:3])
			assert.Equal(t, want, permanent(t, err), err.Error())
		})
	}
}

// answerRecipients runs a mail server that gives the same answer to every recipient.
func answerRecipients(listener net.Listener, answer string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		send := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) }
		send("220 mail.example ready")
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			switch command, _, _ := strings.Cut(lines.Text(), " "); command {
			case "EHLO":
				send("250-mail.example\r\n250 ENHANCEDSTATUSCODES")
			case "RCPT":
				send(answer)
			case "QUIT":
				send("221 2.0.0 bye")
			default:
				send("250 2.0.0 ok")
			}
		}
		_ = conn.Close()
	}
}
