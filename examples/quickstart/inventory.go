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

// Bounds of an inventory, so that no file is slow to refuse.
const (
	mostBytes   = 4 << 20
	mostServers = 2_000
	mostFlaws   = 20
)

// columns are those of an inventory. A file has all of them, in any order.
func columns() []string {
	return []string{
		"name", "client", "client_email", "provider", "reference", "zone", "anchor", "cycle", "currency", "price",
	}
}

// inventory is what a reseller rents out, in the order of its file.
type inventory struct{ servers []listing }

// listing is a line of an inventory: a server, whose it is, who rents it and for how much.
type listing struct {
	name    string
	owner   dedicated.Owner
	client  person            // zero: in stock
	billing dedicated.Billing // without an Anchor while it is in stock
	price   decimal.Decimal   // of a billing period
}

// person is a client. The address is what tells two of them apart.
type person struct{ name, email string }

func (l listing) id() uuid.UUID { return idOf("server", l.name) }

func (p person) id() uuid.UUID { return idOf("client", strings.ToLower(p.email)) }

func (l listing) inStock() bool { return l.client == person{} }

// idOf derives an ID from a name, so that every run of the story has the same ones.
func idOf(what, name string) uuid.UUID {
	story := uuid.NewSHA1(uuid.NameSpaceDNS, []byte("quickstart.metalkeep.example"))
	return uuid.NewSHA1(story, []byte(what+" "+name))
}

// clients are everybody who rents a server, in the order of their first.
func (inv inventory) clients() []person {
	var all []person
	for _, l := range inv.servers {
		if !l.inStock() && !slices.Contains(all, l.client) {
			all = append(all, l.client)
		}
	}
	return all
}

// byAnchor are the servers in the order in which they were rented out, those in stock first.
func (inv inventory) byAnchor() []listing {
	return slices.SortedStableFunc(slices.Values(inv.servers), func(a, b listing) int {
		return a.billing.Anchor.Compare(b.billing.Anchor)
	})
}

// begin is when the story begins: with the month after everything was rented out.
func (inv inventory) begin() time.Time {
	all := inv.byAnchor()
	latest := all[len(all)-1].billing.Anchor.UTC()
	if latest.IsZero() { // all in stock
		latest = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(latest.Year(), latest.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// readInventory reads a whole inventory or returns *badInventory, which lists what is wrong with it.
func readInventory(file string, from io.Reader) (inventory, error) {
	source, err := io.ReadAll(io.LimitReader(from, mostBytes+1))
	if err != nil {
		return inventory{}, fmt.Errorf("%s: %w", file, err)
	}
	r := &reader{
		bad:    badInventory{file: file},
		names:  map[string]int{},
		people: map[string]acquaintance{},
	}
	if len(source) > mostBytes {
		r.bad.add(flaw{line: 1, found: "more than 4 MiB", expected: "an inventory of at most that"})
	} else {
		r.csv = csv.NewReader(bytes.NewReader(bytes.TrimPrefix(source, []byte("\ufeff"))))
		r.read()
	}
	if len(r.bad.flaws) > 0 {
		return inventory{}, &r.bad
	}
	return r.inv, nil
}

// reader is an inventory being read.
type reader struct {
	csv    *csv.Reader
	header []string
	row    []string
	inv    inventory
	bad    badInventory
	names  map[string]int          // the line of each name
	people map[string]acquaintance // by ID
}

type acquaintance struct {
	person
	line int
}

func (r *reader) read() {
	if !r.readHeader() {
		return
	}
	for len(r.inv.servers) <= mostServers {
		row, err := r.csv.Read()
		switch {
		case errors.Is(err, io.EOF):
			if len(r.inv.servers) == 0 && len(r.bad.flaws) == 0 {
				r.bad.add(flaw{line: 2, found: "no server", expected: "a line for each"})
			}
			return
		case err != nil:
			r.malformed(row, err)
		default:
			r.row = row
			r.inv.servers = append(r.inv.servers, r.listing())
		}
	}
	r.bad.add(flaw{line: r.line(0), found: fmt.Sprintf("more than %d servers", mostServers), expected: "at most that"})
}

func (r *reader) readHeader() bool {
	row, err := r.csv.Read()
	switch {
	case errors.Is(err, io.EOF):
		r.bad.add(flaw{line: 1, found: "nothing", expected: "a line with the columns " + strings.Join(columns(), ",")})
		return false
	case err != nil:
		r.malformed(row, err)
		return false
	case len(row) > 2*len(columns()):
		r.bad.add(flaw{line: r.line(0), found: count(len(row), "column"), expected: strings.Join(columns(), ",")})
		return false
	}
	for i, name := range row {
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case !slices.Contains(columns(), name):
			r.bad.add(flaw{line: r.line(i), column: i + 1, found: quoted(name), expected: "one of " + strings.Join(columns(), ",")})
		case slices.Contains(r.header, name):
			r.bad.add(flaw{line: r.line(i), column: i + 1, name: name, found: "it a second time", expected: "each column once"})
		}
		r.header = append(r.header, name)
	}
	for _, name := range columns() {
		if !slices.Contains(r.header, name) {
			r.bad.add(flaw{line: r.line(0), found: "no column " + name, expected: strings.Join(columns(), ",")})
		}
	}
	return len(r.bad.flaws) == 0
}

// malformed reports a line that is not CSV, or has too few or too many columns.
func (r *reader) malformed(row []string, err error) {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		r.bad.add(flaw{line: r.line(0), found: count(len(row), "column"), expected: strconv.Itoa(len(r.header))})
	case errors.As(err, &parse):
		r.bad.add(flaw{line: parse.Line, character: parse.Column, found: "a quotation mark out of place",
			expected: `them around a whole column, and twice ("") inside`})
	default:
		r.bad.add(flaw{line: 1, found: err.Error(), expected: "CSV"})
	}
}

func (r *reader) line(field int) int {
	line, _ := r.csv.FieldPos(field)
	return line
}

// get is what the present row has in a column.
func (r *reader) get(column string) string {
	return strings.TrimSpace(r.row[slices.Index(r.header, column)])
}

// want reports that the present row has something else in a column than what was expected.
func (r *reader) want(column, expected string) {
	found := r.get(column)
	i := slices.Index(r.header, column)
	f := flaw{line: r.line(i), column: i + 1, name: column, found: "nothing", expected: expected}
	if found != "" {
		f.found = quoted(found)
	}
	r.bad.add(f)
}

// listing reads the present row. What is wrong with it is in r.bad; then the listing is not used.
func (r *reader) listing() listing {
	l := listing{name: r.get("name")}
	r.readName()
	l.owner = r.readOwner()
	l.client = r.readClient()
	l.billing.Zone = r.get("zone")
	located := r.check("zone", "an IANA time zone such as Europe/Berlin", func(b *dedicated.Billing) { b.Zone = l.billing.Zone })
	l.billing.Cycle = r.readCycle()
	l.billing.Currency = r.get("currency")
	known := r.check("currency", "three capital letters of ISO 4217 such as EUR", func(b *dedicated.Billing) {
		b.Currency = l.billing.Currency
	})
	l.price, l.billing.Places = r.readPrice(known)
	l.billing.Anchor = r.readAnchor(located)
	return l
}

// check asks the library whether a billing that is sound but for what set changes is valid.
func (r *reader) check(column, expected string, set func(*dedicated.Billing)) bool {
	b := dedicated.Billing{
		Anchor:   time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		Cycle:    dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Currency: "EUR", Places: 2,
	}
	set(&b)
	if b.Validate() == nil && r.get(column) != "" {
		return true
	}
	r.want(column, expected)
	return false
}

func (r *reader) readName() {
	name := r.get("name")
	if !plain(name) {
		r.want("name", "the server's name, "+plainText)
		return
	}
	if line, taken := r.names[name]; taken {
		r.want("name", fmt.Sprintf("a name of its own: line %d has this one", line))
		return
	}
	r.names[name] = r.line(0)
}

func (r *reader) readOwner() dedicated.Owner {
	o := dedicated.Owner{Provider: r.get("provider"), Reference: r.get("reference")}
	for _, column := range []string{"provider", "reference"} {
		if o != (dedicated.Owner{}) && !plain(r.get(column)) {
			r.want(column, "a provider's name and its reference for the server, "+plainText+"; neither for an own server")
		}
	}
	return o
}

func (r *reader) readClient() person {
	p := person{name: r.get("client"), email: r.get("client_email")}
	if p == (person{}) {
		return p
	}
	if !plain(p.name) {
		r.want("client", "the client's name, "+plainText)
	}
	if a, err := mail.ParseAddress(p.email); err != nil || a.Address != p.email || !plain(p.email) {
		r.want("client_email", "an address such as ada@brightwater.example")
		return p
	}
	key := p.id().String()
	if known, ok := r.people[key]; ok && known.person != p {
		r.want("client", fmt.Sprintf("%q with the address %q, as in line %d", known.name, known.email, known.line))
		return p
	}
	if _, ok := r.people[key]; !ok {
		r.people[key] = acquaintance{p, r.line(0)}
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
		r.want("cycle", expected)
		return c
	}
	r.check("cycle", expected, func(b *dedicated.Billing) { b.Cycle = c })
	return c
}

// readPrice reads an amount that is written with all of its currency's decimal places, which it thereby tells.
func (r *reader) readPrice(currencyKnown bool) (decimal.Decimal, int32) {
	const expected = "an amount above 0 with the currency's decimal places, such as 79.00"
	source := r.get("price")
	whole, fraction, _ := strings.Cut(source, ".")
	if !digits(whole, 9) || strings.Contains(source, ".") && !digits(fraction, dedicated.MaxPlaces) {
		r.want("price", expected)
		return decimal.Zero, 0
	}
	price, err := decimal.NewFromString(source)
	if err != nil || !price.IsPositive() {
		r.want("price", expected)
		return decimal.Zero, 0
	}
	places := int32(len(fraction))
	if currencyKnown {
		r.check("price", expected, func(b *dedicated.Billing) { b.Currency, b.Places = r.get("currency"), places })
	}
	return price, places
}

func digits(s string, most int) bool {
	return len(s) >= 1 && len(s) <= most && strings.Trim(s, "0123456789") == ""
}

// readAnchor reads when the first billing period began, by the clock on the wall in the row's zone.
func (r *reader) readAnchor(located bool) time.Time {
	source := r.get("anchor")
	if source == "" && r.get("client") == "" {
		return time.Time{}
	}
	const expected = "a local date from 2000 to 2099, with or without a time that exists: 2026-01-31 or 2026-01-31 14:30; none in stock"
	loc := time.UTC
	if located {
		var err error
		if loc, err = time.LoadLocation(r.get("zone")); err != nil {
			r.want("zone", "a time zone that can be loaded")
			return time.Time{}
		}
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04"} {
		t, err := time.ParseInLocation(layout, source, loc)
		if err == nil && t.Format(layout) == source && t.Year() >= 2000 && t.Year() < 2100 && r.get("client") != "" {
			return t
		}
	}
	r.want("anchor", expected)
	return time.Time{}
}

const plainText = "one line of printable text"

// plain says whether s is plainText, and not too long for the library.
func plain(s string) bool {
	return s != "" && len(s) <= dedicated.MaxName && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}
