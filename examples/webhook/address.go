package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// ErrPrivate says that the name of an endpoint leads to an address that is not public.
var ErrPrivate = errors.New("the address is not public")

// special are the addresses that netip does not tell from public ones, or that lead to private ones by another way: the
// special-purpose registries of IANA (RFC 6890), and IPv6 addresses that hold an IPv4 address.
func special() []netip.Prefix {
	var list []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

// global is where public IPv6 addresses are (RFC 4291, section 2.4).
const global = "2000::/3"

// public says whether an address is one of the internet's.
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" || a.Is6() && !netip.MustParsePrefix(global).Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special(), func(p netip.Prefix) bool { return p.Contains(a) })
}

// guard refuses connections to addresses that are neither public nor allowed. It is a net.Dialer's Control: it sees the
// address that is connected to, whatever a name led to before.
func guard(allowed []netip.Prefix) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %q", ErrPrivate, address)
		}
		a := to.Addr().Unmap()
		if public(a) || slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return nil
		}
		return fmt.Errorf("%w: %s", ErrPrivate, a)
	}
}
