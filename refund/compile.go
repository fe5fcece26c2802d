package refund

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/internal/text"
)

// op is what a node does.
type op uint8

const (
	opNumber op = iota
	opVariable
	opNegate
	opNot
	opAdd
	opSubtract
	opMultiply
	opDivide
	opEqual
	opNotEqual
	opLess
	opLessEqual
	opMore
	opMoreEqual
	opAnd
	opOr
	opWhen
	opMin
	opMax
	opRound
	opFloor
	opCeil
)

// condition tells the operations whose value is true or false; as a number they are 1 or 0.
func (o op) condition() bool { return o == opNot || o >= opEqual && o <= opOr }

// node is an operation and what it works on.
type node struct {
	op       op
	args     []*node
	value    number   // of opNumber
	variable variable // of opVariable
	from, to int      // in the source, in bytes
}

// variable is the place of a variable's value in an evaluation.
type variable uint8

const (
	varPaid variable = iota
	varUnusedDays
	varUsedDays
	varPeriodDays
	varUnusedSeconds
	varPeriodSeconds
	varServiceDays
	varPlaces
	variables // how many there are
)

// variableNames holds the names in the language.
var variableNames = [variables]string{
	"paid", "unused_days", "used_days", "period_days", "unused_seconds", "period_seconds", "service_days", "places",
}

// operator is an operation with a sign between two values.
type operator struct {
	kind token.Token
	op   op
}

// operators holds the operators of the language between two values.
var operators = [...]operator{
	{token.ADD, opAdd}, {token.SUB, opSubtract}, {token.MUL, opMultiply}, {token.QUO, opDivide},
	{token.EQL, opEqual}, {token.NEQ, opNotEqual}, {token.LSS, opLess}, {token.LEQ, opLessEqual},
	{token.GTR, opMore}, {token.GEQ, opMoreEqual}, {token.LAND, opAnd}, {token.LOR, opOr},
}

// function is an operation with a name, and how many values it takes.
type function struct {
	name        string
	op          op
	least, most int
	usage       string
}

// functions holds the functions of the language.
var functions = [...]function{
	{"min", opMin, 2, mostNodes, "two values or more, as in min(a, b)"},
	{"max", opMax, 2, mostNodes, "two values or more, as in max(a, b)"},
	{"round", opRound, 1, 2, "one or two values, as in round(a) or round(a, 2)"},
	{"floor", opFloor, 1, 2, "one or two values, as in floor(a) or floor(a, 2)"},
	{"ceil", opCeil, 1, 2, "one or two values, as in ceil(a) or ceil(a, 2)"},
	{"when", opWhen, 3, 3, "three values, as in when(condition, a, b)"},
}

func functionNames() []string {
	names := make([]string, 0, len(functions))
	for _, f := range functions {
		names = append(names, f.name)
	}
	return names
}

// compiler turns the tree of go/parser into nodes, and refuses whatever is not on its list.
type compiler struct {
	source string
	fset   *token.FileSet
	used   map[string]bool
}

// compile builds the tree of a source that scan has accepted, and lists the variables that it uses.
func compile(source string) (*node, []string, error) {
	c := &compiler{source: source, fset: token.NewFileSet(), used: map[string]bool{}}
	tree, err := parser.ParseExprFrom(c.fset, "", blank(source), parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, wrongAt(source, 0, "something that is no formula", "operators between numbers and names", "")
	}
	root, err := c.number(tree, 1)
	if err != nil {
		return nil, nil, err
	}
	return root, slices.Sorted(maps.Keys(c.used)), nil
}

// number compiles what has to be a number.
func (c *compiler) number(e ast.Expr, depth int) (*node, error) {
	n, err := c.node(e, depth)
	if err == nil && n.op.condition() {
		return nil, c.wrong(e, "a condition", "a number", "when")
	}
	return n, err
}

// condition compiles what has to be true or false.
func (c *compiler) condition(e ast.Expr, depth int) (*node, error) {
	n, err := c.node(e, depth)
	if err == nil && !n.op.condition() {
		return nil, c.wrong(e, "a number", "a condition such as unused_days > 0", "")
	}
	return n, err
}

func (c *compiler) node(e ast.Expr, depth int) (*node, error) {
	if depth > mostDepth {
		return nil, c.wrong(e, fmt.Sprintf("the nesting level %d", depth), fmt.Sprintf("%d at most", mostDepth), "")
	}
	n := &node{from: c.offset(e.Pos()), to: c.offset(e.End())}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return c.node(e.X, depth+1)
	case *ast.BasicLit:
		return n, c.literal(n, e)
	case *ast.Ident:
		return n, c.name(n, e)
	case *ast.UnaryExpr:
		return n, c.unary(n, e, depth)
	case *ast.BinaryExpr:
		return n, c.binary(n, e, depth)
	case *ast.CallExpr:
		return n, c.call(n, e, depth)
	}
	return nil, c.wrong(e, c.text(e), "a number, a name, an operator or a function", "")
}

// literal reads the digits itself: decimal.NewFromString obeys a global limit that a host may have set.
func (c *compiler) literal(n *node, e *ast.BasicLit) error {
	before, after, _ := strings.Cut(e.Value, ".")
	if len(after) <= mostExponent {
		if digits, ok := new(big.Int).SetString(before+after, 10); ok {
			if value := decimal.NewFromBigInt(digits, -int32(len(after))); bounded(value, mostBits) {
				n.op, n.value = opNumber, exactly(value)
				return nil
			}
		}
	}
	return c.wrong(e, fmt.Sprintf("a number of %d characters", len(e.Value)), "at most 77 digits, 64 of them after the point", "")
}

func (c *compiler) name(n *node, e *ast.Ident) error {
	if i := slices.Index(variableNames[:], e.Name); i >= 0 {
		n.op, n.variable = opVariable, variable(i)
		c.used[e.Name] = true
		return nil
	}
	for _, f := range functions {
		if f.name == e.Name {
			return c.wrong(e, fmt.Sprintf("the function %s by itself", e.Name), f.usage, "")
		}
	}
	return c.wrong(e, c.text(e), "a variable", text.Nearest(e.Name, variableNames[:]))
}

func (c *compiler) unary(n *node, e *ast.UnaryExpr, depth int) (err error) {
	n.args = make([]*node, 1)
	switch e.Op {
	case token.SUB:
		n.op = opNegate
		n.args[0], err = c.number(e.X, depth+1)
	case token.NOT:
		n.op = opNot
		n.args[0], err = c.condition(e.X, depth+1)
	default:
		return c.wrong(e, fmt.Sprintf("%q", e.Op), "a number, a name or (", "")
	}
	return err
}

// binary keeps the depth on the left, where a chain of operators grows.
func (c *compiler) binary(n *node, e *ast.BinaryExpr, depth int) (err error) {
	i := slices.IndexFunc(operators[:], func(o operator) bool { return o.kind == e.Op })
	if i < 0 {
		return c.wrong(e, fmt.Sprintf("%q", e.Op), "one of + - * / == != < <= > >= && ||", "")
	}
	n.op = operators[i].op
	operand := c.number
	if n.op == opAnd || n.op == opOr {
		operand = c.condition
	}
	n.args = make([]*node, 2)
	if n.args[0], err = operand(e.X, depth); err != nil {
		return err
	}
	n.args[1], err = operand(e.Y, depth+1)
	return err
}

func (c *compiler) call(n *node, e *ast.CallExpr, depth int) (err error) {
	name, ok := e.Fun.(*ast.Ident)
	if !ok {
		return c.wrong(e.Fun, c.text(e.Fun), "the name of a function", "")
	}
	i := slices.IndexFunc(functions[:], func(f function) bool { return f.name == name.Name })
	if i < 0 {
		return c.wrong(name, c.text(name), "a function", text.Nearest(name.Name, functionNames()))
	}
	f := functions[i]
	if len(e.Args) < f.least || len(e.Args) > f.most {
		plural := "s"
		if len(e.Args) == 1 {
			plural = ""
		}
		return c.wrong(e, fmt.Sprintf("%d value%s for %s", len(e.Args), plural, f.name), f.usage, "")
	}
	n.op, n.args = f.op, make([]*node, len(e.Args))
	for i, arg := range e.Args {
		compile := c.number
		if f.op == opWhen && i == 0 {
			compile = c.condition
		}
		if n.args[i], err = compile(arg, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) offset(pos token.Pos) int { return c.fset.Position(pos).Offset }

// text quotes the source of e, shortened.
func (c *compiler) text(e ast.Expr) string {
	return fmt.Sprintf("%.40q", c.source[c.offset(e.Pos()):c.offset(e.End())])
}

func (c *compiler) wrong(e ast.Expr, found, expected, nearest string) error {
	return wrongAt(c.source, c.offset(e.Pos()), found, expected, nearest)
}
