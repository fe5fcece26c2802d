package webhook_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
)

// nameServer answers each question for an IPv4 address with the next of its answers. Clients may not cache an answer.
type nameServer struct {
	mu      sync.Mutex
	answers []string
}

// dial connects to the name server over a stream (RFC 1035, section 4.2.2).
func (n *nameServer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		_ = n.serve(server) // returns when the client closes the connection
		_ = server.Close()
	}()
	return client, nil
}

func (n *nameServer) serve(c net.Conn) error {
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return err
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return err
		}
		answer := n.answer(query)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return err
		}
	}
}

// answer repeats the question, which follows the header of 12 bytes, and adds an address if the question asks for one.
func (n *nameServer) answer(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5 // the root label, the type and the class
	const typeA = 1
	asksForAddress := binary.BigEndian.Uint16(query[end-4:]) == typeA
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if asksForAddress {
		answer[7] = 1
		answer = append(answer, 0xC0, 12, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4) // for the name at byte 12, with a lifetime of 0
		answer = append(answer, n.next().AsSlice()...)
	}
	return answer
}

func (n *nameServer) next() netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := netip.MustParseAddr(n.answers[0])
	n.answers = n.answers[1:]
	return next
}
