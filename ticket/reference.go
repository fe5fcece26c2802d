package ticket

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/google/uuid"
)

// referenceAlphabet has no two characters that look alike: it has neither 0 and O, nor 1, I and L, nor U beside V.
const referenceAlphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	shortPrefix    = "T-"
	shortLength    = 6 // 30^6 = 729,000,000 references
	upstreamPrefix = "U-"
	upstreamLength = 16 // 78 bits
)

// shortReference derives the reference that people read out to each other from a ticket's ID, such as T-7F3K9Q. It is for
// searching and not a key: among 30,000 tickets, two share one with a probability of about one half. A search finds both.
func shortReference(id uuid.UUID) string {
	sum := sha256.Sum256(id[:])
	return shortPrefix + encodeReference(sum[:8], shortLength)
}

// newUpstreamReference makes the reference that a provider's answer quotes. It belongs to exactly one ticket and cannot be
// guessed: an answer that quotes it is added to the thread.
func newUpstreamReference() (string, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(id[:])
	return upstreamPrefix + encodeReference(sum[:8], upstreamLength/2) + encodeReference(sum[8:16], upstreamLength/2), nil
}

// encodeReference writes eight bytes as n characters of the alphabet.
func encodeReference(seed []byte, n int) string {
	value := binary.BigEndian.Uint64(seed)
	out := make([]byte, n)
	for i := range out {
		out[i] = referenceAlphabet[value%uint64(len(referenceAlphabet))]
		value /= uint64(len(referenceAlphabet))
	}
	return string(out)
}

// parseUpstreamReference reads a reference as a provider's mail quotes it: in any case of letters, in brackets or not. It returns
// "" for a text that is not a reference.
func parseUpstreamReference(s string) string {
	reference := strings.ToUpper(strings.Trim(s, " \t\r\n[]()<>#"))
	body, ok := strings.CutPrefix(reference, upstreamPrefix)
	if !ok || len(body) != upstreamLength || strings.Trim(body, referenceAlphabet) != "" {
		return ""
	}
	return reference
}
