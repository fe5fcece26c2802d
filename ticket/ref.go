package ticket

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/google/uuid"
)

// refAlphabet has no character that reads like another one: neither 0 and O nor 1, I and L, and no U for V.
const refAlphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	refPrefix      = "T-"
	refLength      = 6 // 30^6 = 729,000,000 references
	upstreamPrefix = "U-"
	upstreamLength = 16 // 78 bits
)

// refOf derives the short reference that people read to each other from a ticket's ID, such as T-7F3K9Q. It is for
// searching, not a key: of 30,000 tickets two share one about as often as not, and a search shows both.
func refOf(id uuid.UUID) string {
	sum := sha256.Sum256(id[:])
	return refPrefix + spell(sum[:8], refLength)
}

// newUpstreamRef makes the reference under which a provider answers. It finds exactly one ticket and cannot be guessed:
// whoever knows it may add to a thread.
func newUpstreamRef() (string, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(id[:])
	return upstreamPrefix + spell(sum[:8], upstreamLength/2) + spell(sum[8:16], upstreamLength/2), nil
}

// spell writes eight bytes in the alphabet, n characters of it.
func spell(seed []byte, n int) string {
	value := binary.BigEndian.Uint64(seed)
	out := make([]byte, n)
	for i := range out {
		out[i] = refAlphabet[value%uint64(len(refAlphabet))]
		value /= uint64(len(refAlphabet))
	}
	return string(out)
}

// parseUpstreamRef reads what a provider's mail quoted: in any case of letters, in brackets or not. "" is not a reference.
func parseUpstreamRef(s string) string {
	ref := strings.ToUpper(strings.Trim(s, " \t\r\n[]()<>#"))
	body, ok := strings.CutPrefix(ref, upstreamPrefix)
	if !ok || len(body) != upstreamLength || strings.Trim(body, refAlphabet) != "" {
		return ""
	}
	return ref
}
