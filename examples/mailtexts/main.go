// Command mailtexts prints documentation for people who edit mail texts: every kind of event with its audience, its variables
// and its built-in texts. KINDS.md contains its output:
//
//	go run ./examples/mailtexts > examples/mailtexts/KINDS.md
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

func main() {
	page, err := document()
	if err == nil {
		_, err = os.Stdout.WriteString(page)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// catalog returns the catalog of all kinds of all packages.
func catalog() (*notify.Catalog, error) {
	return notify.NewCatalog(dedicated.Kinds(), backup.Kinds(), ticket.Kinds(), cancellation.Kinds(), notify.Kinds())
}

const introduction = `# Kinds of mail, and their variables

` + "`go run ./examples/mailtexts`" + ` makes this page, and a test compares the two. The texts are templates:
[notify.Text](../../notify/text.go) describes their syntax. A name with ` + "`[]`" + ` belongs to each entry of a list: ` +
	"`.lines[].paid`" + ` is ` + "`.paid`" + ` within ` + "`{{range .lines}}`" + `.
Kinds for the audience "host" are for plug-ins. They are not mailed and have no texts.
`

func document() (string, error) {
	c, err := catalog()
	if err != nil {
		return "", err
	}
	var page strings.Builder
	page.WriteString(introduction)
	page.WriteString("\n| Kind | Audience | When |\n|---|---|---|\n")
	for _, s := range c.Specs() {
		fmt.Fprintf(&page, "| [%s](#%s) | %s | %s |\n", s.Kind, anchor(s.Kind), s.Audience, cell(s.Description))
	}
	for _, s := range c.Specs() {
		if err := section(&page, s); err != nil {
			return "", err
		}
	}
	return page.String(), nil
}

func section(page *strings.Builder, s notify.Spec) error {
	variables, err := s.Variables()
	if err != nil {
		return err
	}
	fmt.Fprintf(page, "\n## %s\n\n%s For the %s. Group: %s.\n\n| Variable | Meaning | Type | Example |\n|---|---|---|---|\n",
		s.Kind, s.Description, s.Audience, s.Group)
	for _, v := range variables {
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", v.Name, cell(v.Meaning), v.Type, cell(v.Example))
	}
	if s.Audience == notify.ToHost {
		return nil
	}
	for _, language := range []string{"en", "de"} {
		fmt.Fprintf(page, "\n%s:\n\n```text\n%s\n\n%s\n```\n", language, s.Subject[language], strings.TrimSpace(s.Text[language]))
	}
	return nil
}

// anchor returns the anchor of a heading.
func anchor(k notify.Kind) string { return strings.ReplaceAll(string(k), ".", "") }

// cell escapes a text for a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}
