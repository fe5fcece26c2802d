package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

const header = "name,client,client_email,provider,reference,zone,anchor,cycle,currency,price\n"

const good = "web,Ada,ada@x.example,,,Europe/Berlin,2026-01-31,month,EUR,79.00\n"

func read(t *testing.T, source string) inventory {
	t.Helper()
	inv, err := readInventory("test.csv", strings.NewReader(source))
	require.NoError(t, err)
	return inv
}

func TestEmbeddedInventory(t *testing.T) {
	t.Parallel()
	inv := read(t, embedded)
	providers, zones, monthEnds, inStock := map[string]bool{}, map[string]bool{}, 0, 0
	for _, l := range inv.servers {
		zones[l.billing.Zone] = true
		if !l.owner.Own() {
			providers[l.owner.Provider] = true
		}
		if l.inStock() {
			inStock++
		} else if l.billing.Anchor.Day() >= 29 {
			monthEnds++
		}
	}
	assert.Len(t, inv.servers, 40)
	assert.Len(t, providers, 2)
	assert.GreaterOrEqual(t, len(zones), 10)
	assert.GreaterOrEqual(t, monthEnds, 12)
	assert.Equal(t, 4, inStock)
	assert.Equal(t, "2026-02-01 00:00:00 +0000 UTC", inv.begin().String())
}

func TestReadInventory(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	web := listing{
		name: "web", client: person{"Ada", "ada@x.example"},
		billing: dedicated.Billing{
			Anchor: time.Date(2026, 1, 31, 0, 0, 0, 0, berlin), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1},
			Zone: "Europe/Berlin", Currency: "EUR",
		},
	}
	for name, tt := range map[string]struct {
		source string
		change func(*listing)
	}{
		"plain":           {header + good, func(*listing) {}},
		"byte order mark": {"\ufeff" + header + good, func(*listing) {}},
		"Windows":         {strings.ReplaceAll(header+good, "\n", "\r\n"), func(*listing) {}},
		"no last newline": {header + strings.TrimSpace(good), func(*listing) {}},
		"blank lines":     {"\n" + header + "\n\n" + good, func(*listing) {}},
		"spaces":          {header + strings.ReplaceAll(good, ",", " , "), func(*listing) {}},
		"capitals":        {strings.ToUpper(header) + good, func(*listing) {}},
		"quotes": {header + strings.Replace(good, "web", `"we""b, 1"`, 1), func(l *listing) {
			l.name = `we"b, 1`
		}},
		"another order": {
			"price,currency,cycle,anchor,zone,reference,provider,client_email,client,name\n" +
				"79.00,EUR,month,2026-01-31,Europe/Berlin,,,ada@x.example,Ada,web\n",
			func(*listing) {},
		},
		"provider": {header + strings.Replace(good, ",,,", ",Upstream,U-7,", 1), func(l *listing) {
			l.owner = dedicated.Owner{Provider: "Upstream", Reference: "U-7"}
		}},
		"time": {header + strings.Replace(good, "-31", "-31 14:30", 1), func(l *listing) {
			l.billing.Anchor = l.billing.Anchor.Add(14*time.Hour + 30*time.Minute)
		}},
		"quarter": {header + strings.Replace(good, "month", "3 months", 1), func(l *listing) { l.billing.Cycle.Count = 3 }},
		"30 days": {header + strings.Replace(good, "month", "30 days", 1), func(l *listing) {
			l.billing.Cycle = dedicated.Cycle{Unit: dedicated.Day, Count: 30}
		}},
		"yen": {header + strings.Replace(good, "EUR,79.00", "JPY,79", 1), func(l *listing) {
			l.billing.Currency = "JPY"
		}},
		"in stock": {header + "web,,,,,Europe/Berlin,,month,EUR,79.00\n", func(l *listing) {
			l.client, l.billing.Anchor = person{}, time.Time{}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inv := read(t, tt.source)
			require.Len(t, inv.servers, 1)
			got, want := inv.servers[0], web
			tt.change(&want)
			assert.Equal(t, "79", got.price.String())
			assert.True(t, want.billing.Anchor.Equal(got.billing.Anchor), "%s", got.billing.Anchor)
			want.price, want.billing.Anchor = got.price, got.billing.Anchor
			assert.Equal(t, want, got)
		})
	}
}

// A spreadsheet may drop zeros of a price. The price keeps the decimals of its currency.
func TestReadPrices(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ currency, price, want string }{
		"euros":              {"EUR", "79.50", "79.50"},
		"euros, one decimal": {"EUR", "79.5", "79.50"},
		"euros, none":        {"EUR", "79", "79.00"},
		"yen":                {"JPY", "7900", "7900"},
		"dinars":             {"KWD", "79.5", "79.500"},
		"dinars, three":      {"KWD", "79.505", "79.505"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := read(t, header+strings.Replace(good, "EUR,79.00", tt.currency+","+tt.price, 1)).servers[0]
			assert.Equal(t, tt.want, l.price.StringFixed(max(0, -l.price.Exponent())))
			assert.Equal(t, tt.want+" "+tt.currency, money(l.price, l.billing))
		})
	}
}

func TestReadInventoryErrors(t *testing.T) {
	t.Parallel()
	swap := func(old, with string) string { return header + strings.Replace(good, old, with, 1) }
	for name, tt := range map[string]struct {
		source string
		errors []string
	}{
		"empty":             {"", []string{"line 1: found nothing, expected a line with the columns name,"}},
		"header alone":      {header, []string{"line 2: found no server, expected a line for each server"}},
		"unknown column":    {strings.Replace(header, "price", "prize", 1), []string{`line 1, column 10: found "prize", expected one of name,`, "line 1: found no column price"}},
		"column twice":      {strings.Replace(header, "price", "name", 1), []string{"line 1, column 10 (name): found the column twice", "no column price"}},
		"semicolons":        {strings.ReplaceAll(header, ",", ";"), []string{`column 1: found "name;client;`, "found no column zone"}},
		"endless header":    {strings.Repeat(",", 100_000), []string{"line 1: found 100001 columns, expected name,"}},
		"too few columns":   {header + "web,Ada\n" + good, []string{"line 2: found 2 columns, expected 10"}},
		"too many columns":  {swap("79.00", "79.00,,"), []string{"line 2: found 12 columns, expected 10"}},
		"bare quote":        {swap("web", `we"b`), []string{"line 2, character 3: found a quotation mark in a wrong place"}},
		"open quote":        {swap("web", `"web`), []string{"found a quotation mark in a wrong place", `expected quotation marks around the whole column`}},
		"no name":           {swap("web", ""), []string{"line 2, column 1 (name): found nothing, expected the server's name, one line of printable text"}},
		"two lines":         {swap("web", "\"we\nb\""), []string{`line 2, column 1 (name): found "we\nb"`}},
		"long name":         {swap("web", strings.Repeat("w", 201)), []string{"column 1 (name): found \"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww…\""}},
		"bidi control":      {swap("web", "we\u202eb"), []string{`(name): found "we\u202eb"`}},
		"not UTF-8":         {swap("web", "we\xffb"), []string{`(name): found "we\xffb"`}},
		"name twice":        {header + good + "\n" + good, []string{"line 4, column 1 (name): found \"web\", expected a different name: line 2 has this one"}},
		"no client":         {swap("Ada", ""), []string{"line 2, column 2 (client): found nothing, expected the client's name", "column 7 (anchor)"}},
		"no address":        {swap("ada@x.example", ""), []string{"line 2, column 3 (client_email): found nothing, expected an address such as"}},
		"no such address":   {swap("ada@x.example", "ada at x"), []string{`column 3 (client_email): found "ada at x"`}},
		"named address":     {swap("ada@x.example", "Ada <ada@x.example>"), []string{`column 3 (client_email)`}},
		"two names":         {header + good + strings.Replace(strings.Replace(good, "Ada", "Ida", 1), "web", "db", 1), []string{`line 3, column 2 (client): found "Ida", expected "Ada" with the address "ada@x.example", as in line 2`}},
		"provider alone":    {swap(",,,", ",Upstream,,"), []string{"line 2, column 5 (reference): found nothing, expected a provider's name and its reference"}},
		"reference alone":   {swap(",,,", ",,U-7,"), []string{"line 2, column 4 (provider): found nothing"}},
		"no zone":           {swap("Europe/Berlin", ""), []string{"line 2, column 6 (zone): found nothing, expected an IANA time zone such as Europe/Berlin"}},
		"local zone":        {swap("Europe/Berlin", "Local"), []string{`column 6 (zone): found "Local"`}},
		"zone as path":      {swap("Europe/Berlin", "../Berlin"), []string{`column 6 (zone): found "../Berlin"`}},
		"no anchor":         {swap("2026-01-31", ""), []string{"line 2, column 7 (anchor): found nothing, expected a local date from 2000 to 2099"}},
		"no such date":      {swap("2026-01-31", "2026-02-30"), []string{`column 7 (anchor): found "2026-02-30"`}},
		"no such time":      {swap("2026-01-31", "2026-03-29 02:30"), []string{`column 7 (anchor): found "2026-03-29 02:30", expected a local date`}},
		"other date":        {swap("2026-01-31", "31.1.2026"), []string{`column 7 (anchor): found "31.1.2026"`}},
		"far anchor":        {swap("2026-01-31", "2100-01-01"), []string{`column 7 (anchor): found "2100-01-01"`}},
		"anchor in stock":   {header + "web,,,,,UTC,2026-01-31,month,EUR,79.00\n", []string{`column 7 (anchor): found "2026-01-31", expected`, "empty in stock"}},
		"no cycle":          {swap("month", ""), []string{"line 2, column 8 (cycle): found nothing, expected day, week, month or year"}},
		"other cycle":       {swap("month", "fortnight"), []string{`column 8 (cycle): found "fortnight"`}},
		"cycle of nothing":  {swap("month", "0 months"), []string{`column 8 (cycle): found "0 months"`}},
		"long cycle":        {swap("month", "1001 days"), []string{`column 8 (cycle): found "1001 days", expected`, "up to 1000"}},
		"cycle without end": {swap("month", "99999999999999999999 days"), []string{`column 8 (cycle)`}},
		"cycle of text":     {swap("month", "some months"), []string{`column 8 (cycle): found "some months"`}},
		"other currency":    {swap("EUR", "euro"), []string{`line 2, column 9 (currency): found "euro", expected three capital letters of ISO 4217 such as EUR`}},
		"no price":          {swap("79.00", ""), []string{"line 2, column 10 (price): found nothing, expected an amount above 0"}},
		"free":              {swap("79.00", "0.00"), []string{`column 10 (price): found "0.00"`}},
		"negative":          {swap("79.00", "-1.00"), []string{`column 10 (price): found "-1.00"`}},
		"too many decimals": {swap("79.00", "79.505"), []string{
			`line 2, column 10 (price): found "79.505", expected an amount above 0 with a decimal point and at most the currency's 2 decimals, such as 79.00`,
		}},
		"maybe a thousand":  {swap("79.00", "1.230"), []string{`line 2, column 10 (price): found "1.230"`}},
		"thousands":         {swap("79.00", `"1.234,50"`), []string{`line 2, column 10 (price): found "1.234,50"`}},
		"yen with decimals": {swap("EUR,79.00", "JPY,79.0"), []string{`line 2, column 10 (price): found "79.0", expected an amount above 0 with a decimal point and at most the currency's 0 decimals, such as 79`}},
		"four decimals":     {swap("EUR,79.00", "KWD,79.0000"), []string{`line 2, column 10 (price): found "79.0000"`}},
		"unknown currency":  {swap("EUR,79.00", "PTS,79.00"), []string{`line 2, column 9 (currency): found "PTS", expected three capital letters of ISO 4217`}},
		"point alone":       {swap("79.00", "79."), []string{`column 10 (price): found "79."`}},
		"comma":             {swap("79.00", `"79,00"`), []string{`column 10 (price): found "79,00"`}},
		"exponent":          {swap("79.00", "1e999999999"), []string{`column 10 (price): found "1e999999999"`}},
		"enormous":          {swap("79.00", strings.Repeat("9", 100)), []string{`column 10 (price)`}},
		"everything at once": {
			header + ",Ada,nobody,Upstream,,Nowhere,yesterday,moon,x,free\n" + good + "db,,,,,UTC,,month,EUR,\n",
			[]string{
				"line 2, column 1 (name)", "line 2, column 3 (client_email)", "line 2, column 5 (reference)", "line 2, column 6 (zone)",
				"line 2, column 7 (anchor)", "line 2, column 8 (cycle)", "line 2, column 9 (currency)", "line 2, column 10 (price)", "line 4, column 10 (price)",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inv, err := readInventory("test.csv", strings.NewReader(tt.source))
			assert.Empty(t, inv.servers, "nothing is imported")
			var bad *inventoryError
			require.ErrorAs(t, err, &bad)
			for _, words := range tt.errors {
				assert.ErrorContains(t, err, words)
			}
			assert.True(t, strings.HasSuffix(err.Error(), "\ntest.csv: nothing was imported"), "%v", err)
			for line := range strings.SplitSeq(err.Error(), "\n") {
				assert.True(t, strings.HasPrefix(line, "test.csv: "), line)
			}
		})
	}
}

func TestErrorsAreLimited(t *testing.T) {
	t.Parallel()
	_, err := readInventory("test.csv", strings.NewReader(header+strings.Repeat("x\n", 1234)))
	assert.ErrorContains(t, err, "line 2: found 1 column, expected 10")
	assert.ErrorContains(t, err, "test.csv: and 1214 more\n")
	assert.Equal(t, maxFlaws+2, len(strings.Split(err.Error(), "\n")))

	var many strings.Builder
	many.WriteString(header)
	for n := range maxServers + 1 {
		fmt.Fprintf(&many, "s%d,,,,,UTC,,month,EUR,1.00\n", n)
	}
	_, err = readInventory("test.csv", strings.NewReader(many.String()))
	assert.ErrorContains(t, err, fmt.Sprintf("line %d: found more than %d servers", maxServers+2, maxServers))

	_, err = readInventory("test.csv", io.MultiReader(strings.NewReader(header), strings.NewReader(strings.Repeat("\n", maxBytes))))
	assert.ErrorContains(t, err, "found more than 4 MiB")
}

func TestReadFails(t *testing.T) {
	t.Parallel()
	failure := errors.New("bad sector")
	_, err := readInventory("test.csv", io.MultiReader(strings.NewReader(header), iotest.ErrReader(failure)))
	require.ErrorIs(t, err, failure)
	assert.ErrorContains(t, err, "test.csv: ")
}

func TestIDs(t *testing.T) {
	t.Parallel()
	inv := read(t, embedded)
	seen := map[uuid.UUID]string{}
	for _, l := range inv.servers {
		require.Empty(t, seen[l.id()], l.name)
		seen[l.id()] = l.name
	}
	for _, p := range inv.clients() {
		require.Empty(t, seen[p.id()], p.name)
		seen[p.id()] = p.name
	}
}

// FuzzReadInventory shows that every file gives servers that the library accepts, or flaws with their places.
func FuzzReadInventory(f *testing.F) {
	f.Add(header + good)
	f.Add(header + good + "db,,,,,UTC,,3 months,JPY,79\n")
	f.Add(header + "web,Ada,ada@x.example,Up,U-7,America/Santiago,2025-09-07 01:00,year,KWD,0.001\n")
	f.Add(header + "\"web\n,Ada")
	f.Add("\ufeff" + header + "a\"b,\n\n\",")
	f.Add(strings.ToUpper(header) + strings.ReplaceAll(good, ",", "\t,"))
	f.Add(embedded[:1000])
	f.Fuzz(func(t *testing.T, source string) {
		inv, err := readInventory("fuzz.csv", strings.NewReader(source))
		if err == nil {
			if len(inv.servers) == 0 {
				t.Fatal("no server and no error")
			}
			inv.servers = inv.servers[:min(len(inv.servers), 3)]
			if _, err := newHost(context.Background(), inv, inMemory()); err != nil {
				t.Fatalf("the library rejects the inventory: %v", err)
			}
			return
		}
		var bad *inventoryError
		if !errors.As(err, &bad) || len(inv.servers) > 0 {
			t.Fatalf("%d servers and %v", len(inv.servers), err)
		}
		for _, flaw := range bad.flaws {
			if flaw.line < 1 || flaw.line > strings.Count(source, "\n")+2 || flaw.column > len(columns())+len(source) || flaw.found == "" || flaw.expected == "" {
				t.Fatalf("%+v", flaw)
			}
		}
		if len(err.Error()) > 100_000 {
			t.Fatalf("%d bytes of errors", len(err.Error()))
		}
	})
}
