package refund

import (
	"fmt"
	"go/scanner"
	"go/token"
	"strings"
)

// lexeme is one token of a source.
type lexeme struct {
	kind   token.Token
	text   string
	offset int // in the source, in bytes
}

// checkSource checks the length, the characters and the tokens of a source. It permits only the tokens of the language, in an
// order that the grammar allows, and not too many. go/parser then parses a small, complete and balanced subset of Go's
// expressions, so a reseller never sees its messages or its limits.
func checkSource(source string) error {
	if len(source) > maxSourceBytes {
		return newExpressionError(source, 0, fmt.Sprintf("%d bytes", len(source)), fmt.Sprintf("at most %d", maxSourceBytes), "")
	}
	for i, r := range source {
		if (r < ' ' || r > '~') && r != '\n' && r != '\t' && r != '\r' {
			return newExpressionError(source, i, fmt.Sprintf("%q", r), "ASCII letters, digits and signs", suggestASCII(r))
		}
	}
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(source))
	s.Init(file, []byte(replaceLineBreaks(source)), nil, scanner.ScanComments)
	c := tokenChecker{source: source, expectOperand: true}
	for {
		pos, kind, text := s.Scan()
		l := lexeme{kind: kind, text: text, offset: file.Offset(pos)}
		switch {
		case kind == token.SEMICOLON && text == "\n":
			continue // the Go scanner adds it at the end
		case kind == token.EOF:
			l.offset = len(strings.TrimRight(source, " \t\r\n")) // a reader sees the end there
		case text == "":
			l.text = kind.String()
		}
		if err := c.check(l); err != nil {
			return err
		}
		if kind == token.EOF {
			return nil
		}
		c.last = kind
	}
}

// replaceLineBreaks replaces line breaks and tabs by spaces, because Go reads a semicolon at the end of a line. Offsets do not
// change.
func replaceLineBreaks(source string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, source)
}

// tokenChecker checks one token after another. It keeps track of the open parentheses and of what comes next: an operand or an
// operator.
type tokenChecker struct {
	source        string
	last          token.Token
	expectOperand bool
	calls         []bool // one entry for each open parenthesis: true if it belongs to a function
	nodes         int    // an upper bound of the nodes of the syntax tree
}

func (c *tokenChecker) check(l lexeme) error {
	if err := c.checkKind(l); err != nil {
		return err
	}
	if c.nodes > maxNodes {
		found := fmt.Sprintf("more than %d numbers, names, operators and parentheses", maxNodes)
		return newExpressionError(c.source, l.offset, found, "a shorter formula", "")
	}
	if c.expectOperand {
		return c.checkOperand(l)
	}
	return c.checkOperator(l)
}

// checkKind permits the tokens of the language, and counts the nodes that they become.
func (c *tokenChecker) checkKind(l lexeme) error {
	switch l.kind {
	case token.RPAREN, token.COMMA, token.EOF:
		return nil
	case token.IDENT, token.LPAREN, token.ADD, token.SUB, token.MUL, token.QUO,
		token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.LAND, token.LOR, token.NOT:
		c.nodes++
		return nil
	case token.INT, token.FLOAT:
		if !isDecimal(l.text) {
			return c.errorAt(l, "a decimal number such as 12 or 0.05", "")
		}
		c.nodes++
		return nil
	case token.COMMENT:
		return newExpressionError(c.source, l.offset, "a comment", "a formula without comments", "")
	}
	return c.errorAt(l, "a number, a name, an operator or a parenthesis", suggestToken(l.text))
}

// checkOperand permits the tokens that may begin an operand: at the start, or after an operator, a comma or a parenthesis.
func (c *tokenChecker) checkOperand(l lexeme) error {
	switch l.kind {
	case token.IDENT, token.INT, token.FLOAT:
		c.expectOperand = false
		return nil
	case token.LPAREN:
		c.calls = append(c.calls, false)
		return nil
	case token.SUB, token.NOT:
		return nil
	}
	return c.errorAt(l, "a number, a name or (", "")
}

// checkOperator permits the tokens that may follow a number, a name or a closing parenthesis.
func (c *tokenChecker) checkOperator(l lexeme) error {
	open := len(c.calls)
	switch l.kind {
	case token.LPAREN:
		if c.last != token.IDENT {
			return c.errorAt(l, c.expected(), "")
		}
		c.calls = append(c.calls, true)
		c.expectOperand = true
		return nil
	case token.RPAREN:
		if open == 0 {
			return c.errorAt(l, c.expected(), "")
		}
		c.calls = c.calls[:open-1]
		return nil
	case token.EOF:
		if open > 0 {
			return c.errorAt(l, c.expected(), "")
		}
		return nil
	case token.COMMA:
		if open == 0 || !c.calls[open-1] {
			return c.errorAt(l, c.expected(), suggestForComma(c.last))
		}
	case token.IDENT, token.INT, token.FLOAT, token.NOT:
		return c.errorAt(l, c.expected(), "")
	}
	c.expectOperand = true
	return nil
}

// expected describes the tokens that may follow an operand.
func (c *tokenChecker) expected() string {
	switch open := len(c.calls); {
	case open == 0:
		return "an operator or the end of the formula"
	case c.calls[open-1]:
		return "an operator, a comma or )"
	default:
		return "an operator or )"
	}
}

func (c *tokenChecker) errorAt(l lexeme, expected, nearest string) error {
	found := fmt.Sprintf("%.40q", l.text)
	if l.kind == token.EOF {
		found = "the end of the formula"
	}
	return newExpressionError(c.source, l.offset, found, expected, nearest)
}

// isDecimal reports whether s consists of digits, with at most one point between them and without superfluous zeros in front.
func isDecimal(s string) bool {
	before, after, point := strings.Cut(s, ".")
	return isDigits(before) && (!point || isDigits(after)) && (before[0] != '0' || len(before) == 1)
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// suggestToken returns the token that the author of a token from another language probably meant, or "".
func suggestToken(text string) string {
	switch text {
	case "=", ":=":
		return "=="
	case "&":
		return "&&"
	case "|":
		return "||"
	case "%":
		return "/ 100"
	case "<-":
		return "< -"
	case "--":
		return "- -"
	case "if", "switch", "case":
		return "when"
	case "[", "{":
		return "("
	case "]", "}":
		return ")"
	case ";":
		return ","
	}
	return ""
}

// suggestForComma suggests a point for a comma between numbers, because many countries write 0,5. last is the token before it.
func suggestForComma(last token.Token) string {
	if last == token.INT {
		return "."
	}
	return ""
}

// suggestASCII returns the ASCII sign that a word processor has replaced by r, or "".
func suggestASCII(r rune) string {
	switch r {
	case '×', '·', '∙', '⋅':
		return "*"
	case '÷', '∕':
		return "/"
	case '–', '—', '−':
		return "-"
	case '≤':
		return "<="
	case '≥':
		return ">="
	case '≠':
		return "!="
	}
	return ""
}

// newExpressionError returns an error at a byte offset of the source.
func newExpressionError(source string, offset int, found, expected, nearest string) *ExpressionError {
	before := source[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return &ExpressionError{
		Line:     strings.Count(before, "\n") + 1,
		Column:   len(before) - start + 1, // the source before it is ASCII
		Found:    found,
		Expected: expected,
		Nearest:  nearest,
	}
}
