package webhook_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
)

// nameServer answers one question for an IPv4 address after the other, each with the next of its answers, which nobody may
// keep.
type nameServer struct {
	mu      sync.Mutex
	answers []string
}

// dial is a connection to the name server, over a stream (RFC 1035, section 4.2.2).
func (n *nameServer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		_ = n.serve(server) // ends when the client has its answer
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

// answer repeats the one question behind the header of 12 bytes, and adds the address if one is asked for.
func (n *nameServer) answer(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5 // the root, type and class
	const typeA = 1
	wantsAddress := binary.BigEndian.Uint16(query[end-4:]) == typeA
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if wantsAddress {
		answer[7] = 1
		answer = append(answer, 0xC0, 12, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4) // of the name at byte 12, for no time
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
