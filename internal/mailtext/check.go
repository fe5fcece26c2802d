package mailtext

import (
	"fmt"
	"strings"
	"text/template/parse"

	"github.com/metalkeep/metalkeep/internal/text"
)

// Limits of a template. With them the cost of rendering grows with the size of the payload only: a range cannot contain
// another range, and text/template searches the declared variables one by one.
const (
	maxRanges    = 16
	maxVariables = 32
)

// checkTree walks through a template with the sample as its data. It checks every branch, also those that rendering the
// sample would skip.
func checkTree(source string, tree *parse.Tree, sample map[string]any) error {
	c := &checker{source: source, variables: []declared{{"$", sample}}}
	return c.node(tree.Root, sample)
}

// checker walks through one template. Its methods check a node and, where the node has a value, return it.
type checker struct {
	source       string
	variables    []declared // in scope, the innermost last
	declarations int
	ranges       int
	inRange      bool
}

// declared is a variable that the template declares, such as $x.
type declared struct {
	name  string
	value any
}

// anyValue is the value of an expression if the sample does not determine it.
type anyValue struct{}

// node checks a statement. dot is the value of the dot.
func (c *checker) node(n parse.Node, dot any) error {
	switch n := n.(type) {
	case *parse.ListNode:
		return c.list(n, dot)
	case *parse.ActionNode:
		_, err := c.pipe(n.Pipe, dot)
		return err
	case *parse.IfNode:
		return c.branch(&n.BranchNode, dot)
	case *parse.WithNode:
		return c.branch(&n.BranchNode, dot)
	case *parse.RangeNode:
		return c.branch(&n.BranchNode, dot)
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
		return nil
	}
	return c.errorf(n, "%s is not allowed in a text", n)
}

func (c *checker) list(l *parse.ListNode, dot any) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := c.node(n, dot); err != nil {
			return err
		}
	}
	return nil
}

// branch checks an if, a with or a range. The scope of variables that it declares ends with it.
func (c *checker) branch(n *parse.BranchNode, dot any) error {
	outer := len(c.variables)
	defer func() { c.variables = c.variables[:outer] }()
	inner := dot
	var err error
	switch n.NodeType {
	case parse.NodeRange:
		inner, err = c.rangePipe(n, dot)
		c.inRange = true
		defer func() { c.inRange = false }()
	case parse.NodeWith:
		inner, err = c.pipe(n.Pipe, dot)
	default:
		_, err = c.pipe(n.Pipe, dot)
	}
	if err != nil {
		return err
	}
	if err := c.list(n.List, inner); err != nil {
		return err
	}
	return c.list(n.ElseList, dot)
}

// rangePipe checks the pipeline of a range and returns the dot inside the range. A range takes a list of the payload only: a
// range over a large number would not end.
func (c *checker) rangePipe(n *parse.BranchNode, dot any) (any, error) {
	if c.ranges++; c.ranges > maxRanges || c.inRange {
		return nil, c.errorf(n, "a text may have at most %d ranges, and no range inside another", maxRanges)
	}
	bare := *n.Pipe
	bare.Decl = nil
	value, err := c.pipe(&bare, dot)
	if err != nil {
		return nil, err
	}
	items, ok := value.([]any)
	if !ok {
		return nil, c.errorf(n.Pipe, "range takes a list of the payload; %s is not one", &bare)
	}
	var item any = anyValue{}
	if len(items) > 0 {
		item = items[0]
	}
	for i, v := range n.Pipe.Decl {
		value := item
		if i == 0 && len(n.Pipe.Decl) == 2 {
			value = anyValue{} // the index
		}
		if err := c.declare(v, value); err != nil {
			return nil, err
		}
	}
	return item, nil
}

// pipe checks a pipeline.
func (c *checker) pipe(p *parse.PipeNode, dot any) (any, error) {
	if p.IsAssign {
		return nil, c.errorf(p, "a variable cannot be changed: %s is not allowed; := declares another variable", p)
	}
	var value any = anyValue{}
	for _, command := range p.Cmds {
		var err error
		if value, err = c.command(command, dot); err != nil {
			return nil, err
		}
	}
	if len(p.Cmds) > 1 {
		value = anyValue{}
	}
	for _, v := range p.Decl {
		if err := c.declare(v, value); err != nil {
			return nil, err
		}
	}
	return value, nil
}

func (c *checker) declare(v *parse.VariableNode, value any) error {
	if c.declarations++; c.declarations > maxVariables {
		return c.errorf(v, "a text may declare at most %d variables", maxVariables)
	}
	c.variables = append(c.variables, declared{v.Ident[0], value})
	return nil
}

// command checks a command. The sample does not determine the value of a function.
func (c *checker) command(n *parse.CommandNode, dot any) (any, error) {
	var value any = anyValue{}
	for _, arg := range n.Args {
		var err error
		if value, err = c.arg(arg, dot); err != nil {
			return nil, err
		}
	}
	if len(n.Args) > 1 {
		value = anyValue{}
	}
	return value, nil
}

func (c *checker) arg(n parse.Node, dot any) (any, error) {
	switch n := n.(type) {
	case *parse.FieldNode:
		return c.fields(n, dot, "", n.Ident)
	case *parse.VariableNode:
		return c.fields(n, c.lookup(n.Ident[0]), n.Ident[0], n.Ident[1:])
	case *parse.ChainNode:
		value, err := c.arg(n.Node, dot)
		if err != nil {
			return nil, err
		}
		return c.fields(n, value, n.Node.String(), n.Field)
	case *parse.PipeNode:
		return c.pipe(n, dot)
	case *parse.DotNode:
		return dot, nil
	case *parse.IdentifierNode:
		return anyValue{}, nil // the parser has checked that the function exists
	case *parse.StringNode, *parse.NumberNode, *parse.BoolNode, *parse.NilNode:
		return anyValue{}, nil
	}
	return nil, c.errorf(n, "%s is not allowed in a text", n)
}

func (c *checker) lookup(name string) any {
	for i := len(c.variables) - 1; i >= 0; i-- {
		if c.variables[i].name == name {
			return c.variables[i].value
		}
	}
	return anyValue{}
}

// fields checks a chain of field names, beginning at value. path is how the template writes the value.
func (c *checker) fields(n parse.Node, value any, path string, names []string) (any, error) {
	for _, name := range names {
		if _, ok := value.(anyValue); ok {
			return value, nil
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, c.at(n, &Error{
				Variable: path + "." + name, Reason: fmt.Sprintf("%s is %s, which has no fields", path, typeName(value)),
			})
		}
		if value, ok = object[name]; !ok {
			return nil, c.unknownVariable(n, path, name, fieldNames(object))
		}
		path += "." + name
	}
	if value == nil {
		return anyValue{}, nil
	}
	return value, nil
}

func (c *checker) errorf(n parse.Node, format string, args ...any) error {
	return c.at(n, &Error{Reason: fmt.Sprintf(format, args...)})
}

// unknownVariable is the error for a name that the object at path does not have.
func (c *checker) unknownVariable(n parse.Node, path, name string, known []string) error {
	e := &Error{Variable: path + "." + name, Known: known}
	if nearest := text.Nearest(name, known); nearest != "" {
		e.Nearest = path + "." + nearest
	}
	e.Reason = fmt.Sprintf("there is no %s%s; there are: %s", e.Variable, suggestion(e.Nearest), strings.Join(known, ", "))
	return c.at(n, e)
}

// at sets the position of an error to that of a node.
func (c *checker) at(n parse.Node, e *Error) error {
	e.Line, e.Column = position(c.source, n.Position())
	return e
}
