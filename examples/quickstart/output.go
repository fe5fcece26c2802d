package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// event is something that happened in the simulation.
type event struct {
	Time   time.Time `json:"time"`
	Kind   string    `json:"kind"`   // "backup.submitted": the subject, a point, and the event
	Who    string    `json:"who"`    // the person or company that acts, or the recipient of a mail
	Server string    `json:"server"` // the name of the server; "" if the event is about no server
	Text   string    `json:"text"`   // for people; "\n" separates lines
	Data   data      `json:"data"`   // for programs
}

// data holds the details of an event, for programs.
type data map[string]any

// asLines prints each event as a JSON object on its own line.
func asLines(events []event) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for _, e := range events {
		if err := encoder.Encode(e); err != nil {
			return b.String(), fmt.Errorf("%s at %s: %w", e.Kind, e.Time, err)
		}
	}
	return b.String(), nil
}

const (
	width  = 120 // of a line, if its words allow
	margin = "                      "
)

// asText prints a heading for each day and a paragraph for each event.
func asText(events []event) (string, error) {
	var b strings.Builder
	day := ""
	for _, e := range events {
		if today := e.Time.Format("Monday, 2 January 2006"); today != day {
			day = today
			b.WriteString("\n" + day + "\n")
		}
		subject, _, _ := strings.Cut(e.Kind, ".")
		fmt.Fprintf(&b, "  %s  %-13s%s\n", e.Time.Format("15:04"), subject, paragraph(e.Text))
	}
	return strings.TrimPrefix(b.String(), "\n"), nil
}

// paragraph wraps long lines, and indents all lines but the first by the margin.
func paragraph(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, wrap(strings.TrimRight(line, "\n"))...)
	}
	return strings.Join(lines, "\n"+margin)
}

// wrap breaks a line between words. The following lines have the line's indentation and two more spaces.
func wrap(line string) []string {
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	var lines []string
	current := indent
	for i, word := range strings.Fields(line) {
		switch {
		case i == 0:
			current += word
		case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) <= width-len(margin):
			current += " " + word
		default:
			lines = append(lines, current)
			current = indent + "  " + word
		}
	}
	return append(lines, current)
}
