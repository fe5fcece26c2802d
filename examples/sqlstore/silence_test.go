package sqlstore_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// silence is a proxy for PostgreSQL. While it is silent, it passes nothing on, and closes no connection.
type silence struct {
	mu     sync.Mutex
	silent chan struct{} // closed at the end of the silence; nil: the network works
}

func (s *silence) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = make(chan struct{})
}

func (s *silence) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.silent)
	s.silent = nil
}

func (s *silence) wait() {
	s.mu.Lock()
	silent := s.silent
	s.mu.Unlock()
	if silent != nil {
		<-silent
	}
}

// start starts the proxy and returns a DSN that uses it.
func (s *silence) start(t *testing.T, dsn string) string {
	t.Helper()
	return startProxy(t, dsn, s.pass, s.pass)
}

func (s *silence) pass(from, to net.Conn) {
	defer func() { _ = from.Close() }()
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		s.wait()
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestRunnerReportsASilentDatabase: the network falls silent, without an error. OnError hears of it, and Health says it. After the silence
// the Tick ends as if nothing had happened, and nothing is done twice.
func TestRunnerReportsASilentDatabase(t *testing.T) {
	t.Parallel()
	var network silence
	db := open(t, network.start(t, server.Schema(t)))
	now := clock.NewMock()
	now.Set(day(1))
	refunds := make(chan cancellation.Refund, 10)
	p, err := newPanel(storesOf(db), host{
		clock: now, parallel: 1, mail: func(context.Context, notify.Event) error { return nil },
		biller: monthlyBiller{func(_ context.Context, r cancellation.Refund) error {
			refunds <- r
			return nil
		}},
	})
	require.NoError(t, err)
	s, err := p.servers.Add(t.Context(), p.reseller, dedicated.NewServer{Name: "web"})
	require.NoError(t, err)
	_, err = p.servers.Assign(t.Context(), p.reseller, s.ID, dedicated.NewAssignment{ClientID: named("client"), Billing: monthly()})
	require.NoError(t, err)
	_, err = p.cancellations.Schedule(t.Context(), p.reseller, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: day(3)}})
	require.NoError(t, err)
	now.Set(day(3))

	reports := make(chan error, 100)
	r := &dedicated.Runner{
		Tickers: []dedicated.Ticker{p.cancellations}, Timeout: 50 * time.Millisecond,
		OnError: func(_ dedicated.Ticker, err error) { reports <- err },
	}
	network.begin()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	for range 3 {
		require.ErrorAs(t, <-reports, new(*dedicated.HangError))
	}
	assert.True(t, r.Health()[0].Hangs)
	network.end()
	assert.Equal(t, "EUR", (<-refunds).Currency)
	stop()
	require.ErrorIs(t, <-done, context.Canceled)
	assert.Empty(t, refunds)
}
