package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/output.txt")

// program runs the program with arguments.
func program(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(args, &out, &err)
	return code, out.String(), err.String()
}

// TestOutput compares the output with testdata/output.txt, which a person has checked.
func TestOutput(t *testing.T) {
	t.Parallel()
	got := embeddedText()
	const golden = "testdata/output.txt"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	lines, n := strings.Split(string(want), "\n"), 0
	for got := range strings.SplitSeq(got, "\n") {
		require.Less(t, n, len(lines), "the output has an additional line: %s", got)
		require.Equal(t, lines[n], got, "line %d; go test ./examples/quickstart -update writes the file", n+1)
		n++
	}
	require.Len(t, lines, n, "the output has too few lines")
}

func TestSameOutputInEachRun(t *testing.T) {
	t.Parallel()
	first := embeddedJSON()
	for range 2 {
		_, again, _ := program("-json")
		require.Equal(t, first, again)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		"help":           {[]string{"-h"}, exitOK, "Usage: quickstart", ""},
		"long help":      {[]string{"--help"}, exitOK, "Exit codes: 0", ""},
		"unknown flag":   {[]string{"-fast"}, exitUsage, "", "not defined: -fast"},
		"flag alone":     {[]string{"-inventory"}, exitUsage, "", "needs an argument: -inventory"},
		"argument":       {[]string{"servers.csv"}, exitUsage, "", `found the argument "servers.csv", expected no arguments`},
		"no database":    {[]string{"-db", "mysql:panel"}, exitFailed, "", `neither "sqlite:" nor "postgres:"`},
		"no such folder": {[]string{"-db", "sqlite:testdata/none/panel.db"}, exitFailed, "", "unable to open database file"},
		"no server":      {[]string{"-db", "postgres://127.0.0.1:1/panel"}, exitFailed, "", "connection"},
		"no such file":   {[]string{"-inventory", "testdata/none.csv"}, exitFailed, "", "testdata/none.csv"},
		"a folder":       {[]string{"-inventory", "testdata"}, exitFailed, "", "testdata"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := program(tt.args...)
			assert.Equal(t, tt.code, code)
			checkOutput(t, stdout, tt.stdout)
			checkOutput(t, stderr, tt.stderr)
		})
	}
}

// checkOutput checks that an output contains a text, or is empty if the text is.
func checkOutput(t *testing.T, output, text string) {
	t.Helper()
	if text == "" {
		assert.Empty(t, output)
		return
	}
	assert.Contains(t, output, text)
}

// TestUsageIsComplete: every flag and every column is explained.
func TestUsageIsComplete(t *testing.T) {
	t.Parallel()
	for _, word := range append(columns(), "-inventory FILE", "-db DSN", "-json", "-h") {
		assert.Contains(t, usage, "\n  "+word+" ")
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-inventory", "testdata/small.csv"}, {"-h"}} {
		var stderr bytes.Buffer
		assert.Equal(t, exitFailed, run(args, fullDisk{}, &stderr), args)
		assert.Contains(t, stderr.String(), "no space left")
	}
	assert.Equal(t, exitFailed, run([]string{"-h"}, fullDisk{}, fullDisk{}))
	assert.Equal(t, exitUsage, run([]string{"-fast"}, fullDisk{}, fullDisk{}))
}

func TestBadInventoryPlaysNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bad.csv")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(embedded, "Europe/Oslo", "Europe/Asgard", 1)), 0o600))
	code, stdout, stderr := program("-inventory", file)
	assert.Equal(t, exitFailed, code)
	assert.Empty(t, stdout)
	assert.Equal(t, "quickstart: "+file+`: line 21, column 6 (zone): found "Europe/Asgard", expected an IANA time zone such as Europe/Berlin`+
		"\n"+file+": nothing was imported\n", stderr)
}
