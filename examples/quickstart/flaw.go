package main

import (
	"fmt"
	"slices"
	"strings"
)

// flaw is one thing that is wrong with an inventory.
type flaw struct {
	line      int
	column    int    // of the table, from 1; 0: it is about the whole line
	name      string // of the column; "" where it has none
	character int    // of the line, from 1; 0: not known
	found     string
	expected  string
}

func (f flaw) String() string {
	where := fmt.Sprintf("line %d", f.line)
	if f.column > 0 {
		where += fmt.Sprintf(", column %d", f.column)
	}
	if f.name != "" {
		where += " (" + f.name + ")"
	}
	if f.character > 0 {
		where += fmt.Sprintf(", character %d", f.character)
	}
	return fmt.Sprintf("%s: found %s, expected %s", where, f.found, f.expected)
}

// badInventory is the error of an inventory that was not read.
type badInventory struct {
	file  string
	flaws []flaw
	more  int // than mostFlaws
}

func (b *badInventory) add(f flaw) {
	if len(b.flaws) == mostFlaws {
		b.more++
		return
	}
	b.flaws = append(b.flaws, f)
}

func (b *badInventory) Error() string {
	var s strings.Builder
	for _, f := range b.flaws {
		fmt.Fprintf(&s, "%s: %s\n", b.file, f)
	}
	if b.more > 0 {
		fmt.Fprintf(&s, "%s: and %d more\n", b.file, b.more)
	}
	fmt.Fprintf(&s, "%s: nothing was imported", b.file)
	return s.String()
}

// quoted is a piece of a file, fit to be shown.
func quoted(s string) string {
	const most = 40
	short := []rune(s)
	if len(short) > most {
		return fmt.Sprintf("%q", string(short[:most])+"…")
	}
	return fmt.Sprintf("%q", s)
}

// count says "1 server" or "3 servers".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// list says "a, b and c".
func list(items []string) string {
	if len(items) == 0 {
		return "nothing"
	}
	last := len(items) - 1
	if last == 0 {
		return items[0]
	}
	return strings.Join(items[:last], ", ") + " and " + items[last]
}

func appendNew(items []string, item string) []string {
	if slices.Contains(items, item) {
		return items
	}
	return append(items, item)
}
