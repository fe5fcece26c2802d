package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/dedicated"
)

// Limits of an inventory. They keep the check of any file short.
const (
	maxBytes   = 4 << 20
	maxServers = 2_000
	maxFlaws   = 20 // that are reported
)

// columns lists the columns of an inventory. A file has all of them, in any order.
func columns() []string {
	return []string{
		"name", "client", "client_email", "provider", "reference", "zone", "anchor", "cycle", "currency", "price",
	}
}

// inventory holds the servers of a reseller, in the order of the file.
type inventory struct{ servers []listing }

// listing is a line of an inventory: a server with its owner, its client and its price.
type listing struct {
	name    string
	owner   dedicated.Owner
	client  person            // zero if the server is in stock
	billing dedicated.Billing // without an Anchor if the server is in stock
	price   decimal.Decimal   // of a billing period
}

// person is a client. Clients are identified by their addresses.
type person struct{ name, email string }

func (l listing) id() uuid.UUID { return idOf("server", l.name) }

func (p person) id() uuid.UUID { return idOf("client", strings.ToLower(p.email)) }

func (l listing) inStock() bool { return l.client == person{} }

// idOf derives an ID from a name, so that the IDs are the same in every run.
func idOf(kind, name string) uuid.UUID {
	namespace := uuid.NewSHA1(uuid.NameSpaceDNS, []byte("quickstart.metalkeep.example"))
	return uuid.NewSHA1(namespace, []byte(kind+" "+name))
}

// clients lists all clients, in the order of their first servers.
func (inv inventory) clients() []person {
	var all []person
	for _, l := range inv.servers {
		if !l.inStock() && !slices.Contains(all, l.client) {
			all = append(all, l.client)
		}
	}
	return all
}

// byAnchor returns the servers in order of their anchors. Servers in stock are first.
func (inv inventory) byAnchor() []listing {
	return slices.SortedStableFunc(slices.Values(inv.servers), func(a, b listing) int {
		return a.billing.Anchor.Compare(b.billing.Anchor)
	})
}

// begin returns the start of the simulation: the first day of the month after the latest anchor.
func (inv inventory) begin() time.Time {
	all := inv.byAnchor()
	latest := all[len(all)-1].billing.Anchor.UTC()
	if latest.IsZero() { // all servers are in stock
		latest = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(latest.Year(), latest.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// readInventory reads an inventory. If anything is wrong with it, the error is an *inventoryError that lists the flaws.
func readInventory(file string, from io.Reader) (inventory, error) {
	source, err := io.ReadAll(io.LimitReader(from, maxBytes+1))
	if err != nil {
		return inventory{}, fmt.Errorf("%s: %w", file, err)
	}
	r := &reader{
		errors: inventoryError{file: file},
		names:  map[string]int{},
		people: map[string]personLine{},
	}
	if len(source) > maxBytes {
		r.errors.add(flaw{line: 1, found: "more than 4 MiB", expected: "at most 4 MiB"})
	} else {
		r.csv = csv.NewReader(bytes.NewReader(bytes.TrimPrefix(source, []byte("\ufeff"))))
		r.read()
	}
	if len(r.errors.flaws) > 0 {
		return inventory{}, &r.errors
	}
	return r.inv, nil
}

// reader reads an inventory.
type reader struct {
	csv    *csv.Reader
	header []string
	row    []string
	inv    inventory
	errors inventoryError
	names  map[string]int        // the line of each server name
	people map[string]personLine // by ID
}

// personLine is a client with the line that names it first.
type personLine struct {
	person
	line int
}

func (r *reader) read() {
	if !r.readHeader() {
		return
	}
	for len(r.inv.servers) <= maxServers {
		row, err := r.csv.Read()
		switch {
		case errors.Is(err, io.EOF):
			if len(r.inv.servers) == 0 && len(r.errors.flaws) == 0 {
				r.errors.add(flaw{line: 2, found: "no server", expected: "a line for each server"})
			}
			return
		case err != nil:
			r.addMalformed(row, err)
		default:
			r.row = row
			r.inv.servers = append(r.inv.servers, r.listing())
		}
	}
	r.errors.add(flaw{
		line: r.line(0), found: fmt.Sprintf("more than %d servers", maxServers), expected: fmt.Sprintf("at most %d", maxServers),
	})
}

func (r *reader) readHeader() bool {
	row, err := r.csv.Read()
	switch {
	case errors.Is(err, io.EOF):
		r.errors.add(flaw{line: 1, found: "nothing", expected: "a line with the columns " + strings.Join(columns(), ",")})
		return false
	case err != nil:
		r.addMalformed(row, err)
		return false
	case len(row) > 2*len(columns()):
		r.errors.add(flaw{line: r.line(0), found: count(len(row), "column"), expected: strings.Join(columns(), ",")})
		return false
	}
	for i, name := range row {
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case !slices.Contains(columns(), name):
			r.errors.add(flaw{line: r.line(i), column: i + 1, found: quoted(name), expected: "one of " + strings.Join(columns(), ",")})
		case slices.Contains(r.header, name):
			r.errors.add(flaw{line: r.line(i), column: i + 1, name: name, found: "the column twice", expected: "each column once"})
		}
		r.header = append(r.header, name)
	}
	for _, name := range columns() {
		if !slices.Contains(r.header, name) {
			r.errors.add(flaw{line: r.line(0), found: "no column " + name, expected: strings.Join(columns(), ",")})
		}
	}
	return len(r.errors.flaws) == 0
}

// addMalformed adds a flaw for a line that is not CSV or has a wrong number of columns.
func (r *reader) addMalformed(row []string, err error) {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		r.errors.add(flaw{line: r.line(0), found: count(len(row), "column"), expected: strconv.Itoa(len(r.header))})
	case errors.As(err, &parse):
		r.errors.add(flaw{line: parse.Line, character: parse.Column, found: "a quotation mark in a wrong place",
			expected: `quotation marks around the whole column, and doubled ("") inside`})
	default:
		r.errors.add(flaw{line: 1, found: err.Error(), expected: "CSV"})
	}
}

func (r *reader) line(field int) int {
	line, _ := r.csv.FieldPos(field)
	return line
}

// get returns the value of a column of the current row.
func (r *reader) get(column string) string {
	return strings.TrimSpace(r.row[slices.Index(r.header, column)])
}

// addFlaw adds a flaw for a column of the current row.
func (r *reader) addFlaw(column, expected string) {
	found := r.get(column)
	i := slices.Index(r.header, column)
	f := flaw{line: r.line(i), column: i + 1, name: column, found: "nothing", expected: expected}
	if found != "" {
		f.found = quoted(found)
	}
	r.errors.add(f)
}

// listing reads the current row. It adds the row's flaws to r.errors.
func (r *reader) listing() listing {
	l := listing{name: r.get("name")}
	r.readName()
	l.owner = r.readOwner()
	l.client = r.readClient()
	l.billing.Zone = r.get("zone")
	zoneValid := r.check("zone", "an IANA time zone such as Europe/Berlin", func(b *dedicated.Billing) { b.Zone = l.billing.Zone })
	l.billing.Cycle = r.readCycle()
	l.billing.Currency = r.get("currency")
	currencyValid := r.check("currency", "three capital letters of ISO 4217 such as EUR", func(b *dedicated.Billing) {
		b.Currency, b.Places = l.billing.Currency, 0
	})
	l.price = r.readPrice(currencyValid)
	l.billing.Anchor = r.readAnchor(zoneValid)
	return l
}

// check reports whether the library accepts a billing in which set changes one field. If not, it adds a flaw.
func (r *reader) check(column, expected string, set func(*dedicated.Billing)) bool {
	b := dedicated.Billing{
		Anchor:   time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		Cycle:    dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Currency: "EUR",
	}
	set(&b)
	if b.Validate() == nil && r.get(column) != "" {
		return true
	}
	r.addFlaw(column, expected)
	return false
}

func (r *reader) readName() {
	name := r.get("name")
	if !isPlain(name) {
		r.addFlaw("name", "the server's name, "+plainText)
		return
	}
	if line, taken := r.names[name]; taken {
		r.addFlaw("name", fmt.Sprintf("a different name: line %d has this one", line))
		return
	}
	r.names[name] = r.line(0)
}

func (r *reader) readOwner() dedicated.Owner {
	o := dedicated.Owner{Provider: r.get("provider"), Reference: r.get("reference")}
	for _, column := range []string{"provider", "reference"} {
		if o != (dedicated.Owner{}) && !isPlain(r.get(column)) {
			r.addFlaw(column, "a provider's name and its reference for the server, "+plainText+"; both empty for an own server")
		}
	}
	return o
}

func (r *reader) readClient() person {
	p := person{name: r.get("client"), email: r.get("client_email")}
	if p == (person{}) {
		return p
	}
	if !isPlain(p.name) {
		r.addFlaw("client", "the client's name, "+plainText)
	}
	if a, err := mail.ParseAddress(p.email); err != nil || a.Address != p.email || !isPlain(p.email) {
		r.addFlaw("client_email", "an address such as ada@brightwater.example")
		return p
	}
	key := p.id().String()
	if first, ok := r.people[key]; ok && first.person != p {
		r.addFlaw("client", fmt.Sprintf("%q with the address %q, as in line %d", first.name, first.email, first.line))
		return p
	}
	if _, ok := r.people[key]; !ok {
		r.people[key] = personLine{p, r.line(0)}
	}
	return p
}

// readCycle reads "month", "3 months", "30 days".
func (r *reader) readCycle() dedicated.Cycle {
	units := map[string]dedicated.Unit{"day": dedicated.Day, "week": dedicated.Week, "month": dedicated.Month, "year": dedicated.Year}
	c := dedicated.Cycle{Count: 1}
	number, unit, counted := strings.Cut(r.get("cycle"), " ")
	if !counted {
		number, unit = "1", number
	}
	c.Unit = units[strings.TrimSuffix(unit, "s")]
	n, err := strconv.Atoi(number)
	if err == nil {
		c.Count = n
	}
	expected := fmt.Sprintf("day, week, month or year, or a number of them up to %d such as 3 months", dedicated.MaxCount)
	if err != nil {
		r.addFlaw("cycle", expected)
		return c
	}
	r.check("cycle", expected, func(b *dedicated.Billing) { b.Cycle = c })
	return c
}

// readPrice reads an amount in the row's currency. It has the currency's decimals: 79.5 euros are 79.50. An amount with more is
// refused, even if they are zeros: 1.230 could mean one thousand.
func (r *reader) readPrice(currencyValid bool) decimal.Decimal {
	places := int32(dedicated.MaxPlaces) // of an unknown currency
	if currencyValid {
		places = dedicated.Billing{Currency: r.get("currency")}.Decimals()
	}
	example := decimal.New(79, 0).StringFixed(min(places, 2))
	expected := fmt.Sprintf("an amount above 0 with a decimal point and at most the currency's %d decimals, such as %s", places, example)
	source := r.get("price")
	whole, fraction, hasPoint := strings.Cut(source, ".")
	if !digits(whole, 9) || hasPoint && !digits(fraction, int(places)) {
		r.addFlaw("price", expected)
		return decimal.Zero
	}
	price, err := decimal.NewFromString(whole + "." + fraction + strings.Repeat("0", int(places)-len(fraction)))
	if err != nil || !price.IsPositive() {
		r.addFlaw("price", expected)
		return decimal.Zero
	}
	return price
}

func digits(s string, maxLength int) bool {
	return len(s) >= 1 && len(s) <= maxLength && strings.Trim(s, "0123456789") == ""
}

// readAnchor reads the start of the first billing period, in local time of the row's zone.
func (r *reader) readAnchor(zoneValid bool) time.Time {
	source := r.get("anchor")
	if source == "" && r.get("client") == "" {
		return time.Time{}
	}
	const expected = "a local date from 2000 to 2099, with or without a time that exists: 2026-01-31 or 2026-01-31 14:30; empty in stock"
	loc := time.UTC
	if zoneValid {
		var err error
		if loc, err = time.LoadLocation(r.get("zone")); err != nil {
			r.addFlaw("zone", "a time zone that can be loaded")
			return time.Time{}
		}
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04"} {
		t, err := time.ParseInLocation(layout, source, loc)
		if err == nil && t.Format(layout) == source && t.Year() >= 2000 && t.Year() < 2100 && r.get("client") != "" {
			return t
		}
	}
	r.addFlaw("anchor", expected)
	return time.Time{}
}

const plainText = "one line of printable text"

// isPlain reports whether s is plainText, and not too long for the library.
func isPlain(s string) bool {
	return s != "" && len(s) <= dedicated.MaxName && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}
