// Package ticket carries requests for maintenance from clients to the reseller, and on to the provider where one owns the
// server.
package ticket
