package smtpnotify_test

import (
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy is a proxy between a sender and its server. It can count connections, close them, and delay the data of the server.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	resumed *sync.Cond
	stalled bool
	count   int
	open    []net.Conn
}

func newProxy(t *testing.T, port int) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: l, target: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	p.resumed = sync.NewCond(&p.mu)
	go p.accept()
	t.Cleanup(func() {
		_ = l.Close()
		p.stall(false)
		p.cut()
	})
	return p
}

func (p *proxy) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		_ = c.Close() // may be closed already
	}
	p.open = nil
}

// stall delays the data of the server until stall(false).
func (p *proxy) stall(stalled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = stalled
	p.resumed.Broadcast()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.count++
		p.open = append(p.open, client, server)
		p.mu.Unlock()
		go p.copy(server, client, func() {})
		go p.copy(client, server, p.wait)
	}
}

// wait returns when the proxy is not stalled.
func (p *proxy) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stalled {
		p.resumed.Wait()
	}
}

func (p *proxy) copy(to, from net.Conn, before func()) {
	defer func() {
		_ = to.Close() // the other direction may have closed both
		_ = from.Close()
	}()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		before()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
