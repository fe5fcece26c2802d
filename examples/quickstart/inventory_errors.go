package main

import (
	"fmt"
	"strings"
)

// flaw is one mistake in an inventory.
type flaw struct {
	line      int
	column    int    // of the table, from 1; 0 if the flaw is about the whole line
	name      string // of the column; "" if it has none
	character int    // of the line, from 1; 0 if it is unknown
	found     string
	expected  string
}

// String returns the place of the flaw, what was found and what was expected.
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

// inventoryError lists the flaws of an inventory that was rejected.
type inventoryError struct {
	file  string
	flaws []flaw
	more  int // flaws beyond maxFlaws
}

func (e *inventoryError) add(f flaw) {
	if len(e.flaws) == maxFlaws {
		e.more++
		return
	}
	e.flaws = append(e.flaws, f)
}

// Error returns one line for each flaw.
func (e *inventoryError) Error() string {
	var s strings.Builder
	for _, f := range e.flaws {
		fmt.Fprintf(&s, "%s: %s\n", e.file, f)
	}
	if e.more > 0 {
		fmt.Fprintf(&s, "%s: and %d more\n", e.file, e.more)
	}
	fmt.Fprintf(&s, "%s: nothing was imported", e.file)
	return s.String()
}
