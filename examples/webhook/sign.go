package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The headers of a post.
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

const (
	secretPrefix = "whsec_"
	leastSecret  = 24 // bytes, as the specification has it
	mostSecret   = 64
	version      = "v1,"
)

// keys reads secrets, "whsec_" and base64. All of them sign, any of them is enough to be believed.
func keys(secrets []string) ([][]byte, error) {
	if len(secrets) == 0 {
		return nil, errors.New("webhook: a secret is required")
	}
	var found [][]byte
	for i, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
		if err != nil || len(key) < leastSecret || len(key) > mostSecret {
			return nil, fmt.Errorf("webhook: secret %d is not %s and %d to %d bytes in base64", i+1, secretPrefix, leastSecret, mostSecret)
		}
		found = append(found, key)
	}
	return found, nil
}

// sign is one signature of a post.
func sign(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return version + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signatures of all keys, as the header has them.
func signatures(keys [][]byte, id string, at time.Time, body []byte) string {
	var list []string
	for _, key := range keys {
		list = append(list, sign(key, id, at, body))
	}
	return strings.Join(list, " ")
}

// signed says whether one of the signatures in a header is of one of the keys. Signatures of other versions are passed over.
func signed(header string, keys [][]byte, id string, at time.Time, body []byte) bool {
	found := false
	for _, key := range keys {
		want := []byte(sign(key, id, at, body))
		for _, got := range strings.Fields(header) {
			if hmac.Equal(want, []byte(got)) {
				found = true
			}
		}
	}
	return found
}
