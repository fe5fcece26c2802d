package notify

import (
	"errors"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"text/template/parse"
	"time"
	"unicode/utf8"

	"github.com/metalkeep/metalkeep/internal/text"
)

// placed is an error at a place of a source.
type placed struct {
	line, column int
	variable     string
	known        []string
	nearest      string
	reason       string
}

func (e *placed) Error() string { return e.reason }

// wrong makes the error that an editor shows.
func (k *kind) wrong(t Text, p part, err error) error {
	var at *placed
	if !errors.As(err, &at) {
		at = p.placeOfError(err.Error())
	}
	return &TextError{
		Kind: k.Kind, Locale: t.Locale, Part: p.name,
		Line: at.line, Column: at.column, Variable: at.variable, Known: at.known, Nearest: at.nearest,
		Reason: strings.TrimPrefix(at.reason, ErrInvalid.Error()+": "),
	}
}

// parse reads a template. Its errors are placed.
func (p part) parse() (map[string]*parse.Tree, error) {
	functions, allowed := functions(time.UTC, builtinLanguage), builtins()
	read := func(source string) (map[string]*parse.Tree, *placed) {
		trees, err := parse.Parse(p.name, source, "", "", functions, allowed)
		if err != nil {
			return nil, p.placeOfError(err.Error())
		}
		return trees, nil
	}
	trees, at := read(p.source)
	if at == nil {
		return trees, nil
	}
	at.column = columnOfAction(p.source, at, func(source string) bool {
		_, earlier := read(source)
		return earlier != nil && earlier.reason == at.reason
	})
	if name, ok := strings.CutPrefix(at.reason, `function "`); ok {
		name, _, _ = strings.Cut(name, `"`)
		maps.Copy(allowed, functions)
		at.nearest = text.Nearest(name, slices.Sorted(maps.Keys(allowed)))
		at.reason += suggestion(at.nearest)
	}
	return nil, at
}

// columnOfAction finds the action that does not parse, which text/template tells the line of alone: the last one on that
// line before which the source does not fail in the same way. 0: what is wrong is that something is missing at the end.
func columnOfAction(source string, at *placed, fails func(source string) bool) int {
	if at.line == 0 || strings.HasSuffix(at.reason, "unexpected EOF") {
		return 0
	}
	var actions []int
	offset := 0
	for i, line := range strings.SplitAfter(source, "\n") {
		for j := 0; i+1 == at.line && j < len(line); j++ {
			if strings.HasPrefix(line[j:], "{{") {
				actions = append(actions, offset+j)
			}
		}
		offset += len(line)
	}
	after := sort.Search(len(actions), func(i int) bool { return fails(source[:actions[i]]) })
	if after == 0 {
		return 0
	}
	_, column := place(source, parse.Pos(actions[after-1]))
	return column
}

func suggestion(nearest string) string {
	if nearest == "" {
		return ""
	}
	return " (did you mean " + nearest + "?)"
}

// placeOfError takes the place out of what the packages of templates write: "template: subject:3:14: unexpected EOF".
func (p part) placeOfError(said string) *placed {
	for _, prefix := range []string{"html/template:" + p.name + ":", "template: " + p.name + ":"} {
		if _, rest, ok := strings.Cut(said, prefix); ok {
			return p.placedAt(rest)
		}
	}
	return &placed{reason: said}
}

// placedAt reads "line:byte: reason", with or without the number of bytes before the place in its line.
func (p part) placedAt(said string) *placed {
	at := &placed{}
	digits, rest, _ := strings.Cut(said, ":")
	if line, err := strconv.Atoi(digits); err == nil {
		at.line, said = line, rest
	}
	digits, rest, _ = strings.Cut(said, ":")
	if before, err := strconv.Atoi(digits); err == nil && at.line > 0 {
		said = rest
		line := strings.Split(p.source, "\n")[min(at.line-1, strings.Count(p.source, "\n"))]
		at.column = 1 + utf8.RuneCountInString(line[:min(before, len(line))])
	}
	at.reason = strings.TrimSpace(said)
	return at
}

// place says where in a source the byte at pos is.
func place(source string, pos parse.Pos) (line, column int) {
	before := source[:min(int(pos), len(source))]
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}
