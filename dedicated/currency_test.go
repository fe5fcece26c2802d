package dedicated_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

func TestDecimals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		currency string
		places   int32
		want     int32
	}{
		{"yen", "JPY", 0, 0},
		{"won", "KRW", 0, 0},
		{"CFA francs", "XOF", 0, 0},
		{"Ugandan shillings", "UGX", 0, 0},
		{"euros", "EUR", 0, 2},
		{"dollars", "USD", 0, 2},
		{"forints", "HUF", 0, 2},
		{"leones since 2022", "SLE", 0, 2},
		{"Caribbean guilders", "XCG", 0, 2},
		{"dinars of Kuwait", "KWD", 0, 3},
		{"dinars of Tunisia", "TND", 0, 3},
		{"unidades de fomento", "CLF", 0, 4},
		{"the same number said", "EUR", 2, 2},
		{"whole forints", "HUF", -1, 0},
		{"dinars in hundredths", "KWD", 2, 2},
		{"more than yen have", "JPY", 2, 0},
		{"more than euros have", "EUR", 8, 2},
		{"a currency of the host's own", "PTS", 4, 4},
		{"a currency of the host's own, none", "PTS", -1, 0},
		{"a currency of the host's own, too many", "PTS", math.MaxInt32, dedicated.MaxPlaces},
		{"a currency of the host's own that does not say", "PTS", 0, -1},
		{"gold", "XAU", 0, -1},
		{"two codes", "EUR USD", 0, -1},
		{"across two codes", "R U", 0, -1},
		{"no currency", "", 0, -1},
		{"small letters", "eur", 0, -1},
		{"below none", "EUR", math.MinInt32, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, dedicated.Billing{Currency: tt.currency, Places: tt.places}.Decimals())
		})
	}
}

// For every code and number of places: what Validate accepts has decimals, and never more than were said.
func TestDecimalsOfEveryCode(t *testing.T) {
	t.Parallel()
	b := billing(t, "2026-01-31 00:00", "UTC", dedicated.Month, 1)
	byDecimals := map[int32]int{}
	for n := range 26 * 26 * 26 {
		b.Currency, b.Places = string([]byte{byte('A' + n/676), byte('A' + n/26%26), byte('A' + n%26)}), 0
		standard := b.Decimals()
		byDecimals[standard]++
		require.Equal(t, standard >= 0, b.Validate() == nil, b.Currency)
		for places := int32(-3); places <= dedicated.MaxPlaces+1; places++ {
			b.Places = places
			if b.Validate() != nil || places == 0 {
				continue
			}
			require.Equal(t, max(places, 0), b.Decimals(), "%s with %d places", b.Currency, places)
			require.False(t, standard >= 0 && places > standard, "%s with %d places", b.Currency, places)
		}
	}
	assert.Equal(t, map[int32]int{-1: 17576 - 17 - 145 - 7 - 2, 0: 17, 2: 145, 3: 7, 4: 2}, byDecimals)
}
