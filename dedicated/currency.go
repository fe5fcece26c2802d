package dedicated

import "strings"

// The currencies of ISO 4217 by the number of their minor unit's decimals, from list one of its maintenance agency, SIX
// (https://www.six-group.com/en/products-services/financial-information/market-reference-data/data-standards.html). A currency
// that list one drops stays here, because its charges may still be refunded. Funds and metals without a minor unit are not here.
const (
	currencies0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
	currencies2 = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF " +
		"CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR " +
		"ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD " +
		"NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL " +
		"THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG ZWL"
	currencies3 = "BHD IQD JOD KWD LYD OMR TND"
	currencies4 = "CLF UYW"
)

// minorUnit returns the number of decimals that ISO 4217 gives the currency. known is false for a code that is not in its list, and
// for one without a minor unit, such as XAU.
func minorUnit(currency string) (decimals int32, known bool) {
	if len(currency) != 3 || !capitals(currency) {
		return 0, false
	}
	for _, list := range [...]struct {
		codes    string
		decimals int32
	}{{currencies2, 2}, {currencies0, 0}, {currencies3, 3}, {currencies4, 4}} {
		if strings.Contains(list.codes, currency) { // codes have three letters, and a space is between two of them
			return list.decimals, true
		}
	}
	return 0, false
}

// Decimals returns how many decimals amounts under this Billing have: those of ISO 4217 if Places is 0, none if it is -1, otherwise
// Places. It never returns more than ISO 4217 gives the currency. It returns -1 if nobody says how many: the currency is not in
// ISO 4217, or has no minor unit there, and Places is 0. Validate refuses such a Billing.
func (b Billing) Decimals() int32 {
	standard, known := minorUnit(b.Currency)
	switch {
	case b.Places < 0:
		return 0
	case b.Places == 0 && !known:
		return -1
	case b.Places == 0:
		return standard
	case known:
		return min(b.Places, standard)
	}
	return min(b.Places, MaxPlaces)
}

// validateMoney checks Currency and Places.
func (b Billing) validateMoney() error {
	if len(b.Currency) != 3 || !capitals(b.Currency) {
		return invalid(opBilling, "Currency", "%.20q is not a code of ISO 4217, three capital letters such as EUR", b.Currency)
	}
	standard, known := minorUnit(b.Currency)
	switch {
	case known && (b.Places < -1 || b.Places > standard):
		return invalid(opBilling, "Places", "%d decimal places: want 0 for the %d that %s has by ISO 4217, fewer, or -1 for none",
			b.Places, standard, b.Currency)
	case b.Places < -1 || b.Places > MaxPlaces:
		return invalid(opBilling, "Places", "%d decimal places: want 1 to %d, or -1 for none", b.Places, MaxPlaces)
	case b.Decimals() < 0:
		return invalid(opBilling, "Places", "0 stands for the decimals by ISO 4217, but %s has none there: want 1 to %d, or -1 for none",
			b.Currency, MaxPlaces)
	}
	return nil
}
