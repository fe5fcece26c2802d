// Command quickstart plays two months of a reseller's life with metalkeep, on a clock of its own: backups, tickets and
// cancellations, and the mail that goes out about them.
//
//	go run ./examples/quickstart [-json] [-inventory FILE] [-db DSN]
//
// It is wired as a host would wire the library; host.go is the place to start reading. Everything is kept in memory, or,
// with -db, in an SQL database.
package main

import (
	"context"
	_ "embed" // the inventory
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	_ "time/tzdata" // the zones of the inventory, whatever the system has
)

//go:embed inventory.csv
var embedded string

const usage = `Usage: quickstart [-json] [-inventory FILE] [-db DSN]

Plays two months of a reseller's life with the library metalkeep, on a clock of its own, and prints what happens when. The
times are in UTC. Two runs print the same.

  -inventory FILE  the servers to play with, as CSV; without it, 40 servers that the program brings along
  -db DSN          keep everything in a database, which must be empty; without it, in memory. DSN is one of
                     sqlite:panel.db                 a file, which is made if there is none
                     postgres://user@host/database   as libpq takes it; also postgres:host=/run/postgresql dbname=panel
  -json            print a JSON object a line: time, kind, who (acts, or gets the mail), server, text and data
  -h               print this

The first line of FILE names its columns, in any order:

  name          the server's, unlike all others
  client        who rents it; empty: it is in stock
  client_email  the client's address, by which clients are told apart; empty in stock
  provider      whose machine it is; empty: the reseller's own
  reference     the provider's name for it; empty for an own machine
  zone          its time zone: Europe/Berlin
  anchor        the local date, and time, at which its first billing period began: 2026-01-31 or 2026-01-31 14:30
  cycle         the length of a billing period: month, 3 months, 30 days
  currency      ISO 4217: EUR
  price         of a billing period, with all the currency's decimal places: 79.00

The story begins with the month after the latest anchor. Scenes whose server the inventory lacks are named and left out.

Exit codes: 0 played; 1 not played, or not to the end (the inventory is wrong, the database is not empty or fails, the
output cannot be written); 2 wrong usage.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// The exit codes.
const (
	exitPlayed = iota
	exitFailed
	exitUsage
)

// run is the program.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("inventory", "", "")
	dsn := flags.String("db", "", "")
	asJSON := flags.Bool("json", false, "")
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("found the argument %q, expected none", flags.Arg(0))
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return report(stderr, write(stdout, usage))
	case err != nil:
		report(stderr, fmt.Errorf("%w\n\n%s", err, strings.TrimSpace(usage)))
		return exitUsage
	}
	inv, err := open(*file)
	if err != nil {
		return report(stderr, err)
	}
	ctx := context.Background()
	kept, done, err := openStores(ctx, *dsn)
	if err != nil {
		return report(stderr, err)
	}
	events, failure := play(ctx, inv, kept)
	failure = errors.Join(failure, done())
	printer := asText
	if *asJSON {
		printer = asLines
	}
	output, err := printer(events)
	return report(stderr, errors.Join(failure, err, write(stdout, output)))
}

// report tells what went wrong, if anything, and returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitPlayed
	}
	// Nobody is left to tell where even this cannot be written.
	_, _ = fmt.Fprintln(stderr, "quickstart:", err)
	return exitFailed
}

func write(w io.Writer, s string) error {
	_, err := io.WriteString(w, s)
	return err
}

// open reads the inventory in the named file, or the embedded one.
func open(file string) (inventory, error) {
	if file == "" {
		return readInventory("inventory.csv", strings.NewReader(embedded))
	}
	f, err := os.Open(file)
	if err != nil {
		return inventory{}, err
	}
	inv, err := readInventory(file, f)
	return inv, errors.Join(err, f.Close())
}
