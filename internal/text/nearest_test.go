package text_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/metalkeep/metalkeep/internal/text"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	valid := []string{"amount", "at", "contact", "server_id", "server_name"}
	for name, want := range map[string]string{
		"amuont": "amount", "Server_Name": "server_name", "servername": "server_name", "_name": "server_name", "server": "server_id",
		"an": "at", "provider": "", "": "", strings.Repeat("x", 65): "",
	} {
		assert.Equal(t, want, text.Nearest(name, valid), name)
	}
	assert.Empty(t, text.Nearest("amount", nil))
}
