package mailtext

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"text/template/parse"
	"unicode/utf8"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// Error says what is wrong with a template, and where. It is ErrInvalid.
type Error struct {
	Part     string   // "subject", "text", "html"
	Line     int      // from 1; 0: the error is about the whole part
	Column   int      // from 1, in characters; 0: not known
	Variable string   // the variable that the schema does not have; "": something else is wrong
	Known    []string // with Variable: the names that the schema has instead
	Nearest  string   // the variable or function that was probably meant; "": no name is similar
	Reason   string

	cause error // an error of text/template or html/template; nil: there is none
}

// Error returns the part and the reason.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Part, e.Reason) }

// Unwrap returns ErrInvalid and the cause.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{fault.ErrInvalid}
	}
	return []error{fault.ErrInvalid, e.cause}
}

// Reason returns the text of an error without the name of the sentinel ErrInvalid in front.
func Reason(err error) string { return strings.TrimPrefix(err.Error(), fault.ErrInvalid.Error()+": ") }

// locate makes an *Error about this part of any error.
func (p part) locate(err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		e = p.readPosition(Reason(err))
		e.cause = err
	}
	e.Part = p.name
	return e
}

// readPosition reads an error text of the template packages, such as "template: subject:3:14: unexpected EOF".
func (p part) readPosition(message string) *Error {
	for _, prefix := range []string{"html/template:" + p.name + ":", "template: " + p.name + ":"} {
		if _, rest, ok := strings.Cut(message, prefix); ok {
			return p.readLineAndColumn(rest)
		}
	}
	return &Error{Reason: message}
}

// readLineAndColumn reads "line:bytes: reason" or "line: reason". The template packages count the bytes of the line that
// precede the mistake.
func (p part) readLineAndColumn(message string) *Error {
	e := &Error{}
	digits, rest, _ := strings.Cut(message, ":")
	if line, err := strconv.Atoi(digits); err == nil {
		e.Line, message = line, rest
	}
	digits, rest, _ = strings.Cut(message, ":")
	if n, err := strconv.Atoi(digits); err == nil && e.Line > 0 {
		message = rest
		line := strings.Split(p.source, "\n")[min(e.Line-1, strings.Count(p.source, "\n"))]
		e.Column = 1 + utf8.RuneCountInString(line[:min(n, len(line))])
	}
	e.Reason = strings.TrimSpace(message)
	return e
}

// columnOfAction finds the action that does not parse. text/template names only its line. The action is the last one on that
// line before which the source does not fail in the same way. The column is 0 if the source ends too early: then no action
// is wrong.
func columnOfAction(source string, failure *Error, fails func(source string) bool) int {
	if failure.Line == 0 || strings.HasSuffix(failure.Reason, "unexpected EOF") {
		return 0
	}
	var actions []int
	offset := 0
	for i, line := range strings.SplitAfter(source, "\n") {
		for j := 0; i+1 == failure.Line && j < len(line); j++ {
			if strings.HasPrefix(line[j:], "{{") {
				actions = append(actions, offset+j)
			}
		}
		offset += len(line)
	}
	next := sort.Search(len(actions), func(i int) bool { return fails(source[:actions[i]]) })
	if next == 0 {
		return 0
	}
	_, column := position(source, parse.Pos(actions[next-1]))
	return column
}

// position returns the line and the column of a byte of a source.
func position(source string, pos parse.Pos) (line, column int) {
	head := source[:min(int(pos), len(source))]
	return 1 + strings.Count(head, "\n"), 1 + utf8.RuneCountInString(head[strings.LastIndexByte(head, '\n')+1:])
}

func suggestion(nearest string) string {
	if nearest == "" {
		return ""
	}
	return " (did you mean " + nearest + "?)"
}
