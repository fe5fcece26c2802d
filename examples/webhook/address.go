package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// ErrPrivate means that the name of an endpoint resolves to an address that is neither public nor allowed.
var ErrPrivate = errors.New("the address is not public")

// special lists addresses that are not public although netip treats them as such: the special-purpose registries of IANA
// (RFC 6890), and IPv6 addresses that contain an IPv4 address.
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

// global contains all public IPv6 addresses (RFC 4291, section 2.4).
const global = "2000::/3"

// isPublic reports whether an address is public.
func isPublic(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" || a.Is6() && !netip.MustParsePrefix(global).Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special(), func(p netip.Prefix) bool { return p.Contains(a) })
}

// checkAddress returns a Control function for a net.Dialer. It refuses addresses that are neither public nor allowed. It gets the
// address of the connection itself, so an earlier lookup of the name does not matter.
func checkAddress(allowed []netip.Prefix) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %q", ErrPrivate, address)
		}
		a := to.Addr().Unmap()
		if isPublic(a) || slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return nil
		}
		return fmt.Errorf("%w: %s", ErrPrivate, a)
	}
}
