package notify

import (
	"fmt"
	"strings"
	"text/template/parse"

	"github.com/metalkeep/metalkeep/internal/text"
)

// What a text may have, so that what it costs to render follows the size of the event: ranges, none within another, and
// variables of its own, among which a name is looked for one by one.
const (
	mostRanges    = 16
	mostVariables = 32
)

// checkTree follows a template with the sample as its data. Other than rendering it, this sees the branches not taken.
func checkTree(source string, tree *parse.Tree, sample map[string]any) error {
	c := &checker{source: source, vars: []variable{{"$", sample}}}
	return c.node(tree.Root, sample)
}

type checker struct {
	source   string
	vars     []variable // in scope, the innermost last
	declared int
	ranges   int
	inRange  bool
}

type variable struct {
	name  string
	value any
}

// anything is a value that the sample does not tell.
type anything struct{}

// node checks a statement, with dot as the value of the dot.
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
	return c.fail(n, "%s is not allowed in a text", n)
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

// branch checks an if, a with or a range, whose variables end with it.
func (c *checker) branch(n *parse.BranchNode, dot any) error {
	scope := len(c.vars)
	defer func() { c.vars = c.vars[:scope] }()
	inside := dot
	var err error
	switch n.NodeType {
	case parse.NodeRange:
		inside, err = c.rangeOver(n, dot)
		c.inRange = true
		defer func() { c.inRange = false }()
	case parse.NodeWith:
		inside, err = c.pipe(n.Pipe, dot)
	default:
		_, err = c.pipe(n.Pipe, dot)
	}
	if err != nil {
		return err
	}
	if err := c.list(n.List, inside); err != nil {
		return err
	}
	return c.list(n.ElseList, dot)
}

// rangeOver returns what the dot is in a range. A range goes over a list of the payload: one over a number could take for
// ever.
func (c *checker) rangeOver(n *parse.BranchNode, dot any) (any, error) {
	if c.ranges++; c.ranges > mostRanges || c.inRange {
		return nil, c.fail(n, "a text has at most %d ranges, none within another", mostRanges)
	}
	declared := n.Pipe.Decl
	bare := *n.Pipe
	bare.Decl = nil
	over, err := c.pipe(&bare, dot)
	if err != nil {
		return nil, err
	}
	items, ok := over.([]any)
	if !ok {
		return nil, c.fail(n.Pipe, "a range goes over a list of the payload, %s is none", &bare)
	}
	var item any = anything{}
	if len(items) > 0 {
		item = items[0]
	}
	for i, v := range declared {
		value := item
		if i == 0 && len(declared) == 2 {
			value = anything{}
		}
		if err := c.declare(v, value); err != nil {
			return nil, err
		}
	}
	return item, nil
}

// pipe returns the value of a pipeline.
func (c *checker) pipe(p *parse.PipeNode, dot any) (any, error) {
	if p.IsAssign {
		return nil, c.fail(p, "a variable keeps its value: %s is not allowed, := makes another", p)
	}
	var value any = anything{}
	for _, command := range p.Cmds {
		var err error
		if value, err = c.command(command, dot); err != nil {
			return nil, err
		}
	}
	if len(p.Cmds) > 1 {
		value = anything{}
	}
	for _, v := range p.Decl {
		if err := c.declare(v, value); err != nil {
			return nil, err
		}
	}
	return value, nil
}

func (c *checker) declare(v *parse.VariableNode, value any) error {
	if c.declared++; c.declared > mostVariables {
		return c.fail(v, "a text has at most %d variables of its own", mostVariables)
	}
	c.vars = append(c.vars, variable{v.Ident[0], value})
	return nil
}

// command returns the value of a variable; what functions return is not known.
func (c *checker) command(n *parse.CommandNode, dot any) (any, error) {
	var value any = anything{}
	for _, arg := range n.Args {
		var err error
		if value, err = c.arg(arg, dot); err != nil {
			return nil, err
		}
	}
	if len(n.Args) > 1 {
		value = anything{}
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
		return anything{}, nil // one that is known, or it would not have parsed
	case *parse.StringNode, *parse.NumberNode, *parse.BoolNode, *parse.NilNode:
		return anything{}, nil
	}
	return nil, c.fail(n, "%s is not allowed in a text", n)
}

func (c *checker) lookup(name string) any {
	for i := len(c.vars) - 1; i >= 0; i-- {
		if c.vars[i].name == name {
			return c.vars[i].value
		}
	}
	return anything{}
}

// fields follows names into a value.
func (c *checker) fields(n parse.Node, value any, path string, idents []string) (any, error) {
	for _, name := range idents {
		if _, ok := value.(anything); ok {
			return value, nil
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, c.at(n, &placed{
				variable: path + "." + name, reason: fmt.Sprintf("%s is %s, which has no fields", path, typeName(value)),
			})
		}
		if value, ok = object[name]; !ok {
			return nil, c.unknown(n, path, name, names(object))
		}
		path += "." + name
	}
	if value == nil {
		return anything{}, nil
	}
	return value, nil
}

func (c *checker) fail(n parse.Node, format string, args ...any) error {
	return c.at(n, &placed{reason: fmt.Sprintf(format, args...)})
}

// unknown fails at a variable that is not there, where known ones are.
func (c *checker) unknown(n parse.Node, path, name string, known []string) error {
	p := &placed{variable: path + "." + name, known: known}
	if nearest := text.Nearest(name, known); nearest != "" {
		p.nearest = path + "." + nearest
	}
	p.reason = fmt.Sprintf("there is no %s%s: there are %s", p.variable, suggestion(p.nearest), strings.Join(known, ", "))
	return c.at(n, p)
}

// at says where a node stands.
func (c *checker) at(n parse.Node, p *placed) error {
	p.line, p.column = place(c.source, n.Position())
	return p
}
