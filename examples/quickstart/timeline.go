package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// event is something that happened in the story.
type event struct {
	Time   time.Time `json:"time"`
	Kind   string    `json:"kind"`   // "backup.submitted"; what comes before the point is the chapter
	Who    string    `json:"who"`    // did it, or got the mail
	Server string    `json:"server"` // its name; "" where none is concerned
	Text   string    `json:"text"`   // for people; lines are separated by "\n"
	Data   data      `json:"data"`   // for programs
}

// data is what an event has for programs.
type data map[string]any

// asLines prints a JSON object a line.
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
	width  = 120 // of a line, where its words allow
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
		chapter, _, _ := strings.Cut(e.Kind, ".")
		fmt.Fprintf(&b, "  %s  %-13s%s\n", e.Time.Format("15:04"), chapter, paragraph(e.Text))
	}
	return strings.TrimPrefix(b.String(), "\n"), nil
}

// paragraph breaks lines that are too long, and moves all but the first behind the margin.
func paragraph(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, broken(strings.TrimRight(line, "\n"))...)
	}
	return strings.Join(lines, "\n"+margin)
}

// broken breaks a line between words; what is broken off keeps the line's indentation, and two spaces more.
func broken(line string) []string {
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	var lines []string
	present := indent
	for i, word := range strings.Fields(line) {
		switch {
		case i == 0:
			present += word
		case utf8.RuneCountInString(present)+1+utf8.RuneCountInString(word) <= width-len(margin):
			present += " " + word
		default:
			lines = append(lines, present)
			present = indent + "  " + word
		}
	}
	return append(lines, present)
}
