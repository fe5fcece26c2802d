// Command quickstart simulates two months of a reseller with metalkeep, on a mock clock: backups, tickets, cancellations,
// and the mail about them.
//
//	go run ./examples/quickstart [-json] [-inventory FILE] [-db DSN]
//
// It uses the library as a host does. Start reading at host.go. The records are in memory, or with -db in an SQL database.
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
	_ "time/tzdata" // the zones of the inventory, on systems without a time zone database
)

//go:embed inventory.csv
var embedded string

const usage = `Usage: quickstart [-json] [-inventory FILE] [-db DSN]

Simulates two months of a reseller with the library metalkeep, on a mock clock, and prints every event. The times are in
UTC. Two runs print the same.

  -inventory FILE  the servers, as CSV; without it, 40 servers that are part of the program
  -db DSN          save the records in an empty database; without it, in memory. DSN is one of
                     sqlite:panel.db                 a file; it is created if it does not exist
                     postgres://user@host/database   as in libpq; also postgres:host=/run/postgresql dbname=panel
  -json            print a JSON object per line: time, kind, who (the actor, or the recipient of a mail), server, text, data
  -h               print this help

The first line of FILE names its columns, in any order:

  name          the name of the server; every server has a different one
  client        the name of the client; empty if the server is in stock
  client_email  the address of the client; it identifies the client; empty in stock
  provider      the owner of the machine; empty if the reseller owns it
  reference     the provider's name for the machine; empty if the reseller owns it
  zone          the time zone of the server: Europe/Berlin
  anchor        the local date, and optionally time, of the start of its first billing period: 2026-01-31 or 2026-01-31 14:30
  cycle         the length of a billing period: month, 3 months, 30 days
  currency      ISO 4217: EUR
  price         of a billing period, with at most the decimals of the currency: 79.00, 79.5, 79

The simulation starts with the month after the latest anchor. It leaves out the scenarios that need a server which the
inventory lacks, and says so.

Exit codes: 0 success; 1 the simulation failed (the inventory is wrong, the database is not empty or fails, the output
cannot be written); 2 wrong usage.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// The exit codes.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

// run runs the program and returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("inventory", "", "")
	dsn := flags.String("db", "", "")
	asJSON := flags.Bool("json", false, "")
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("found the argument %q, expected no arguments", flags.Arg(0))
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitCode(stderr, write(stdout, usage))
	case err != nil:
		exitCode(stderr, fmt.Errorf("%w\n\n%s", err, strings.TrimSpace(usage)))
		return exitUsage
	}
	inv, err := open(*file)
	if err != nil {
		return exitCode(stderr, err)
	}
	ctx := context.Background()
	opened, closeStores, err := openStores(ctx, *dsn)
	if err != nil {
		return exitCode(stderr, err)
	}
	events, failure := simulate(ctx, inv, opened)
	failure = errors.Join(failure, closeStores())
	printer := asText
	if *asJSON {
		printer = asLines
	}
	output, err := printer(events)
	return exitCode(stderr, errors.Join(failure, err, write(stdout, output)))
}

// exitCode prints an error, if there is one, and returns the exit code for it.
func exitCode(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	// There is no place to report that stderr itself fails.
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
