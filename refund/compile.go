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

// op is the operation of a node.
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

// isCondition reports whether the value of the operation is true or false. Such a value is stored as the number 1 or 0.
func (o op) isCondition() bool { return o == opNot || o >= opEqual && o <= opOr }

// node is an operation with its arguments.
type node struct {
	op       op
	args     []*node
	value    number   // for opNumber
	variable variable // for opVariable
	from, to int      // byte offsets in the source
}

// variable is the index of a variable in variableNames and in evaluation.values.
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
	variableCount
)

// variableNames holds the names of the variables in the language.
var variableNames = [variableCount]string{
	"paid", "unused_days", "used_days", "period_days", "unused_seconds", "period_seconds", "service_days", "places",
}

// binaryOperator is an operator between two values.
type binaryOperator struct {
	kind token.Token
	op   op
}

// binaryOperators holds the binary operators of the language.
var binaryOperators = [...]binaryOperator{
	{token.ADD, opAdd}, {token.SUB, opSubtract}, {token.MUL, opMultiply}, {token.QUO, opDivide},
	{token.EQL, opEqual}, {token.NEQ, opNotEqual}, {token.LSS, opLess}, {token.LEQ, opLessEqual},
	{token.GTR, opMore}, {token.GEQ, opMoreEqual}, {token.LAND, opAnd}, {token.LOR, opOr},
}

// function is a function of the language.
type function struct {
	name             string
	op               op
	minArgs, maxArgs int
	usage            string // for errors: the arguments that it takes
}

// functions holds the functions of the language.
var functions = [...]function{
	{"min", opMin, 2, maxNodes, "two values or more, as in min(a, b)"},
	{"max", opMax, 2, maxNodes, "two values or more, as in max(a, b)"},
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

// compiler converts the syntax tree of go/parser to nodes. Anything that is not in the language is an error.
type compiler struct {
	source string
	fset   *token.FileSet
	used   map[string]bool
}

// compile converts a source that checkSource has accepted. It returns the root of the tree and the sorted names of the variables.
func compile(source string) (*node, []string, error) {
	c := &compiler{source: source, fset: token.NewFileSet(), used: map[string]bool{}}
	tree, err := parser.ParseExprFrom(c.fset, "", replaceLineBreaks(source), parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, newExpressionError(source, 0, "an invalid formula", "operators between numbers and names", "")
	}
	root, err := c.compileNumber(tree, 1)
	if err != nil {
		return nil, nil, err
	}
	return root, slices.Sorted(maps.Keys(c.used)), nil
}

// compileNumber compiles an expression whose value must be a number.
func (c *compiler) compileNumber(e ast.Expr, depth int) (*node, error) {
	n, err := c.compileNode(e, depth)
	if err == nil && n.op.isCondition() {
		return nil, c.errorAt(e, "a condition", "a number", "when")
	}
	return n, err
}

// compileCondition compiles an expression whose value must be true or false.
func (c *compiler) compileCondition(e ast.Expr, depth int) (*node, error) {
	n, err := c.compileNode(e, depth)
	if err == nil && !n.op.isCondition() {
		return nil, c.errorAt(e, "a number", "a condition such as unused_days > 0", "")
	}
	return n, err
}

func (c *compiler) compileNode(e ast.Expr, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, c.errorAt(e, fmt.Sprintf("nesting level %d", depth), fmt.Sprintf("at most %d", maxDepth), "")
	}
	n := &node{from: c.offset(e.Pos()), to: c.offset(e.End())}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return c.compileNode(e.X, depth+1)
	case *ast.BasicLit:
		return n, c.compileLiteral(n, e)
	case *ast.Ident:
		return n, c.compileName(n, e)
	case *ast.UnaryExpr:
		return n, c.compileUnary(n, e, depth)
	case *ast.BinaryExpr:
		return n, c.compileBinary(n, e, depth)
	case *ast.CallExpr:
		return n, c.compileCall(n, e, depth)
	}
	return nil, c.errorAt(e, c.quote(e), "a number, a name, an operator or a function", "")
}

// compileLiteral parses the digits without decimal.NewFromString, which depends on a global limit that a host may set.
func (c *compiler) compileLiteral(n *node, e *ast.BasicLit) error {
	before, after, _ := strings.Cut(e.Value, ".")
	if len(after) <= maxExponent {
		if digits, ok := new(big.Int).SetString(before+after, 10); ok {
			if value := decimal.NewFromBigInt(digits, -int32(len(after))); withinBounds(value, maxBits) {
				n.op, n.value = opNumber, fromDecimal(value)
				return nil
			}
		}
	}
	return c.errorAt(e, fmt.Sprintf("a number of %d characters", len(e.Value)), "at most 77 digits, at most 64 of them after the point", "")
}

func (c *compiler) compileName(n *node, e *ast.Ident) error {
	if i := slices.Index(variableNames[:], e.Name); i >= 0 {
		n.op, n.variable = opVariable, variable(i)
		c.used[e.Name] = true
		return nil
	}
	for _, f := range functions {
		if f.name == e.Name {
			return c.errorAt(e, fmt.Sprintf("the function %s without arguments", e.Name), f.usage, "")
		}
	}
	return c.errorAt(e, c.quote(e), "a variable", text.Nearest(e.Name, variableNames[:]))
}

func (c *compiler) compileUnary(n *node, e *ast.UnaryExpr, depth int) (err error) {
	n.args = make([]*node, 1)
	switch e.Op {
	case token.SUB:
		n.op = opNegate
		n.args[0], err = c.compileNumber(e.X, depth+1)
	case token.NOT:
		n.op = opNot
		n.args[0], err = c.compileCondition(e.X, depth+1)
	default:
		return c.errorAt(e, fmt.Sprintf("%q", e.Op), "a number, a name or (", "")
	}
	return err
}

// compileBinary does not count the left operand as nested, because a chain of operators nests there.
func (c *compiler) compileBinary(n *node, e *ast.BinaryExpr, depth int) (err error) {
	i := slices.IndexFunc(binaryOperators[:], func(o binaryOperator) bool { return o.kind == e.Op })
	if i < 0 {
		return c.errorAt(e, fmt.Sprintf("%q", e.Op), "one of + - * / == != < <= > >= && ||", "")
	}
	n.op = binaryOperators[i].op
	compileOperand := c.compileNumber
	if n.op == opAnd || n.op == opOr {
		compileOperand = c.compileCondition
	}
	n.args = make([]*node, 2)
	if n.args[0], err = compileOperand(e.X, depth); err != nil {
		return err
	}
	n.args[1], err = compileOperand(e.Y, depth+1)
	return err
}

func (c *compiler) compileCall(n *node, e *ast.CallExpr, depth int) (err error) {
	name, ok := e.Fun.(*ast.Ident)
	if !ok {
		return c.errorAt(e.Fun, c.quote(e.Fun), "the name of a function", "")
	}
	i := slices.IndexFunc(functions[:], func(f function) bool { return f.name == name.Name })
	if i < 0 {
		return c.errorAt(name, c.quote(name), "a function", text.Nearest(name.Name, functionNames()))
	}
	f := functions[i]
	if len(e.Args) < f.minArgs || len(e.Args) > f.maxArgs {
		plural := "s"
		if len(e.Args) == 1 {
			plural = ""
		}
		return c.errorAt(e, fmt.Sprintf("%d value%s for %s", len(e.Args), plural, f.name), f.usage, "")
	}
	n.op, n.args = f.op, make([]*node, len(e.Args))
	for i, arg := range e.Args {
		compileArg := c.compileNumber
		if f.op == opWhen && i == 0 {
			compileArg = c.compileCondition
		}
		if n.args[i], err = compileArg(arg, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) offset(pos token.Pos) int { return c.fset.Position(pos).Offset }

// quote returns the source of e in quotes, cut to 40 characters.
func (c *compiler) quote(e ast.Expr) string {
	return fmt.Sprintf("%.40q", c.source[c.offset(e.Pos()):c.offset(e.End())])
}

func (c *compiler) errorAt(e ast.Expr, found, expected, nearest string) error {
	return newExpressionError(c.source, c.offset(e.Pos()), found, expected, nearest)
}
