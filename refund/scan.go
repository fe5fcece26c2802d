package refund

import (
	"fmt"
	"go/scanner"
	"go/token"
	"strings"
)

// lexeme is one token of a source.
type lexeme struct {
	kind token.Token
	text string
	at   int // in the source, in bytes
}

// scan accepts a source whose tokens are on the allow-list, not too many, and in an order that the grammar allows. What
// go/parser gets to see afterwards is a small part of Go's expressions, whole and in balance, so that neither its messages
// nor its limits ever reach a reseller.
func scan(source string) error {
	if len(source) > mostSource {
		return wrongAt(source, 0, fmt.Sprintf("%d bytes", len(source)), fmt.Sprintf("%d at most", mostSource), "")
	}
	for i, r := range source {
		if (r < ' ' || r > '~') && r != '\n' && r != '\t' && r != '\r' {
			return wrongAt(source, i, fmt.Sprintf("%q", r), "letters, digits and signs of ASCII", lookalike(r))
		}
	}
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(source))
	s.Init(file, []byte(blank(source)), nil, scanner.ScanComments)
	g := grammar{source: source, expectOperand: true}
	for {
		pos, kind, text := s.Scan()
		l := lexeme{kind: kind, text: text, at: file.Offset(pos)}
		switch {
		case kind == token.SEMICOLON && text == "\n":
			continue // Go's own, at the end
		case kind == token.EOF:
			l.at = len(strings.TrimRight(source, " \t\r\n")) // where a person sees the end
		case text == "":
			l.text = kind.String()
		}
		if err := g.accept(l); err != nil {
			return err
		}
		if kind == token.EOF {
			return nil
		}
		g.last = kind
	}
}

// blank turns line ends into spaces: Go would read a semicolon there. Offsets stay.
func blank(source string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, source)
}

// grammar follows the tokens: whether an operand or an operator is next, and which parentheses are open.
type grammar struct {
	source        string
	last          token.Token
	expectOperand bool
	calls         []bool // the open parentheses: true for those of a function
	nodes         int    // of the tree to come
}

func (g *grammar) accept(l lexeme) error {
	if err := g.known(l); err != nil {
		return err
	}
	if g.nodes > mostNodes {
		found := fmt.Sprintf("more than %d numbers, names, operators and parentheses", mostNodes)
		return wrongAt(g.source, l.at, found, "a shorter formula", "")
	}
	if g.expectOperand {
		return g.operand(l)
	}
	return g.operator(l)
}

// known accepts the tokens that the language has at all, and counts the nodes that they will be.
func (g *grammar) known(l lexeme) error {
	switch l.kind {
	case token.RPAREN, token.COMMA, token.EOF:
		return nil
	case token.IDENT, token.LPAREN, token.ADD, token.SUB, token.MUL, token.QUO,
		token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.LAND, token.LOR, token.NOT:
		g.nodes++
		return nil
	case token.INT, token.FLOAT:
		if !plainNumber(l.text) {
			return g.wrong(l, "a decimal number such as 12 or 0.05", "")
		}
		g.nodes++
		return nil
	case token.COMMENT:
		return wrongAt(g.source, l.at, "a comment", "a formula without comments", "")
	}
	return g.wrong(l, "a number, a name, an operator or a parenthesis", meant(l.text))
}

// operand accepts what may stand at the beginning and behind an operator.
func (g *grammar) operand(l lexeme) error {
	switch l.kind {
	case token.IDENT, token.INT, token.FLOAT:
		g.expectOperand = false
		return nil
	case token.LPAREN:
		g.calls = append(g.calls, false)
		return nil
	case token.SUB, token.NOT:
		return nil
	}
	return g.wrong(l, "a number, a name or (", "")
}

// operator accepts what may stand behind a number, a name or a closed parenthesis.
func (g *grammar) operator(l lexeme) error {
	open := len(g.calls)
	switch l.kind {
	case token.LPAREN:
		if g.last != token.IDENT {
			return g.wrong(l, g.next(), "")
		}
		g.calls = append(g.calls, true)
		g.expectOperand = true
		return nil
	case token.RPAREN:
		if open == 0 {
			return g.wrong(l, g.next(), "")
		}
		g.calls = g.calls[:open-1]
		return nil
	case token.EOF:
		if open > 0 {
			return g.wrong(l, g.next(), "")
		}
		return nil
	case token.COMMA:
		if open == 0 || !g.calls[open-1] {
			return g.wrong(l, g.next(), meantComma(g.last))
		}
	case token.IDENT, token.INT, token.FLOAT, token.NOT:
		return g.wrong(l, g.next(), "")
	}
	g.expectOperand = true
	return nil
}

// next says what may follow here.
func (g *grammar) next() string {
	switch open := len(g.calls); {
	case open == 0:
		return "an operator or the end of the formula"
	case g.calls[open-1]:
		return "an operator, a comma or )"
	default:
		return "an operator or )"
	}
}

func (g *grammar) wrong(l lexeme, expected, nearest string) error {
	found := fmt.Sprintf("%.40q", l.text)
	if l.kind == token.EOF {
		found = "the end of the formula"
	}
	return wrongAt(g.source, l.at, found, expected, nearest)
}

// plainNumber accepts digits with at most one point between them and no needless zero in front.
func plainNumber(s string) bool {
	before, after, point := strings.Cut(s, ".")
	return digits(before) && (!point || digits(after)) && (before[0] != '0' || len(before) == 1)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// meant tells what somebody who wrote a sign or a word of another language probably wanted.
func meant(text string) string {
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

// meantComma tells what a comma outside of a function was probably meant for: half of Europe writes 0,5.
func meantComma(behind token.Token) string {
	if behind == token.INT {
		return "."
	}
	return ""
}

// lookalike tells the sign that a word processor made another of.
func lookalike(r rune) string {
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

// wrongAt is an error about the place at a byte of the source.
func wrongAt(source string, offset int, found, expected, nearest string) *ExpressionError {
	before := source[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return &ExpressionError{
		Line:     strings.Count(before, "\n") + 1,
		Column:   len(before) - start + 1, // all before is ASCII
		Found:    found,
		Expected: expected,
		Nearest:  nearest,
	}
}
