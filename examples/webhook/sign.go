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
	minSecret    = 24 // bytes, by the specification
	maxSecret    = 64
	version      = "v1,"
)

// parseSecrets decodes secrets, which are "whsec_" and base64.
func parseSecrets(secrets []string) ([][]byte, error) {
	if len(secrets) == 0 {
		return nil, errors.New("webhook: a secret is required")
	}
	var found [][]byte
	for i, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
		if err != nil || len(key) < minSecret || len(key) > maxSecret {
			return nil, fmt.Errorf("webhook: secret %d is not %s and %d to %d bytes in base64", i+1, secretPrefix, minSecret, maxSecret)
		}
		found = append(found, key)
	}
	return found, nil
}

// sign returns the signature of a post with one key.
func sign(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return version + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signatures returns the header with the signatures of all keys.
func signatures(keys [][]byte, id string, at time.Time, body []byte) string {
	var list []string
	for _, key := range keys {
		list = append(list, sign(key, id, at, body))
	}
	return strings.Join(list, " ")
}

// isSigned reports whether a header has a signature of one of the keys. It ignores signatures of other versions.
func isSigned(header string, keys [][]byte, id string, at time.Time, body []byte) bool {
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
