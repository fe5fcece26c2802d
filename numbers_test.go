package metalkeep_test

import (
	"go/ast"
	"go/doc"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
)

const (
	mostFileLines        = 400
	mostFunctionLines    = 60
	mostInterfaceMethods = 7
	mostSentinels        = 8
)

func rules() []rule {
	all := func(unit) bool { return true }
	shipped := func(u unit) bool { return !u.example() }
	public := func(u unit) bool { return !u.test && !within(u.dir, "internal") }
	tests := func(u unit) bool { return u.test }
	return []rule{
		{"imports follow the directions", func(u unit) bool { return !within(u.dir, "examples") }, directions},
		{"exported names have a comment", public, uncommented},
		{"interfaces have 7 methods at most", shipped, wideInterfaces},
		{"packages have 8 sentinels at most", unit.runtime, tooManySentinels},
		{"files have 400 lines at most", all, longFiles},
		{"functions have 60 lines at most", unit.runtime, longFunctions},
		{"the clock is the injected one", unit.runtime, clockCalls},
		{"money is divided once, by DivRound", unit.runtime, divisions},
		{"no state in package variables", unit.runtime, packageState},
		{"no init", unit.runtime, inits},
		{"no panic and no exit", unit.runtime, panics},
		{"examples have checked output", tests, uncheckedExamples},
	}
}

// each calls visit for every node of the unit.
func (u unit) each(visit func(ast.Node)) {
	for _, f := range u.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if n != nil {
				visit(n)
			}
			return true
		})
	}
}

// collect is each for rules that look at one node at a time: what visit returns is reported, "" is fine.
func (u unit) collect(visit func(ast.Node) string) []string {
	var found []string
	u.each(func(n ast.Node) {
		if broken := visit(n); broken != "" {
			found = append(found, u.at(n, "%s", broken))
		}
	})
	return found
}

// lines of a node, its first and last included.
func (u unit) lines(n ast.Node) int {
	return u.fset.Position(n.End()).Line - u.fset.Position(n.Pos()).Line + 1
}

func longFiles(u unit) []string {
	var found []string
	for _, f := range u.files {
		if n := u.fset.File(f.Pos()).LineCount(); n > mostFileLines {
			found = append(found, u.at(f.Name, "the file has %d lines", n))
		}
	}
	return found
}

func longFunctions(u unit) []string {
	var found []string
	u.each(func(n ast.Node) {
		if f, ok := n.(*ast.FuncDecl); ok && u.lines(f) > mostFunctionLines {
			found = append(found, u.at(f, "%s has %d lines", f.Name.Name, u.lines(f)))
		}
	})
	return found
}

func wideInterfaces(u unit) []string {
	return u.collect(func(n ast.Node) string {
		if i, ok := n.(*ast.InterfaceType); ok && i.Methods.NumFields() > mostInterfaceMethods {
			return "the interface asks too much of who implements it: more powers are optional interfaces of one method"
		}
		return ""
	})
}

func tooManySentinels(u unit) []string {
	var sentinels []*ast.Ident
	for _, v := range u.packageVars() {
		if strings.HasPrefix(v.name.Name, "Err") {
			sentinels = append(sentinels, v.name)
		}
	}
	if len(sentinels) > mostSentinels {
		return []string{u.at(sentinels[mostSentinels], "%s is sentinel %d of the package", sentinels[mostSentinels].Name, mostSentinels+1)}
	}
	return nil
}

// member reports the package and the name of a reference such as time.Now, however the package is imported.
func (u unit) member(n ast.Node) (pkg, name string) {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if x, ok := s.X.(*ast.Ident); ok {
		if p, ok := u.info.Uses[x].(*types.PkgName); ok {
			return p.Imported().Path(), s.Sel.Name
		}
	}
	return "", ""
}

func clockCalls(u unit) []string {
	calls := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick"}
	return u.collect(func(n ast.Node) string {
		if pkg, name := u.member(n); pkg == "time" && slices.Contains(calls, name) {
			return "time." + name + " is not the injected clock"
		}
		return ""
	})
}

func divisions(u unit) []string {
	return u.collect(func(n ast.Node) string {
		pkg, name := u.member(n)
		if path.Base(pkg) == "decimal" && slices.Contains([]string{"Avg", "DivisionPrecision"}, name) {
			return "decimal." + name + " depends on a mutable global"
		}
		if s, ok := n.(*ast.SelectorExpr); ok && pkg == "" && s.Sel.Name == "Div" {
			return "Div depends on a mutable global: multiply first and DivRound once"
		}
		return ""
	})
}

func inits(u unit) []string {
	return u.collect(func(n ast.Node) string {
		if f, ok := n.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			return "init runs for whoever imports the package"
		}
		return ""
	})
}

func panics(u unit) []string {
	return u.collect(func(n ast.Node) string {
		if id, ok := n.(*ast.Ident); ok && id.Name == "panic" && u.info.Uses[id] == types.Universe.Lookup("panic") {
			return "a library returns errors"
		}
		pkg, name := u.member(n)
		if pkg == "os" && name == "Exit" || pkg == "log" && (strings.HasPrefix(name, "Fatal") || strings.HasPrefix(name, "Panic")) {
			return pkg + "." + name + " ends its host"
		}
		return ""
	})
}

func uncheckedExamples(u unit) []string {
	var found []string
	for _, e := range doc.Examples(u.files...) {
		if e.Output == "" && !e.EmptyOutput {
			found = append(found, u.at(e.Code, "Example%s has no // Output: and so never runs", e.Name))
		}
	}
	return found
}

// packageVar is a variable declared at the top of a file.
type packageVar struct {
	name  *ast.Ident
	spec  *ast.ValueSpec
	embed bool
}

func (u unit) packageVars() []packageVar {
	var vars []packageVar
	for _, f := range u.files {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				spec := s.(*ast.ValueSpec)
				for _, name := range spec.Names {
					vars = append(vars, packageVar{name: name, spec: spec, embed: embeds(g.Doc) || embeds(spec.Doc)})
				}
			}
		}
	}
	return vars
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// packageState allows what is a constant in all but name: assertions, sentinels, embedded files, and unexported tables
// that nothing writes to. The cache of time zones is the one exception.
func packageState(u unit) []string {
	var found []string
	tables := map[types.Object]bool{}
	for _, v := range u.packageVars() {
		switch {
		case v.name.Name == "_", v.embed, u.dir == "internal/zone" && v.name.Name == "locations":
		case v.name.IsExported() && !strings.HasPrefix(v.name.Name, "Err"):
			found = append(found, u.at(v.name, "anyone may write to %s: make it a function", v.name.Name))
		case len(v.spec.Values) == 0 || holdsState(u, v.spec):
			found = append(found, u.at(v.name, "%s holds state: keep it in a value that the caller owns", v.name.Name))
		default:
			tables[u.info.Defs[v.name]] = true
		}
	}
	return append(found, u.collect(func(n ast.Node) string {
		for _, target := range written(n) {
			if id := root(target); id != nil && tables[u.info.Uses[id]] {
				return "the package variable " + id.Name + " is written to"
			}
		}
		return ""
	})...)
}

// holdsState reports what can change without an assignment: locks, atomics, channels, pointers, and empty containers,
// which only make sense when somebody fills them.
func holdsState(u unit, spec *ast.ValueSpec) bool {
	state := false
	ast.Inspect(spec, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.SelectorExpr:
			pkg, _ := u.member(n)
			state = state || within(pkg, "sync")
		case *ast.UnaryExpr:
			state = state || n.Op == token.AND
		case *ast.CallExpr:
			id, _ := n.Fun.(*ast.Ident)
			state = state || id != nil && (id.Name == "make" || id.Name == "new")
		}
		return true
	})
	return state
}

// written lists the expressions that a statement changes or hands out for changing.
func written(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		return n.Lhs
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") {
			return n.Args[:1]
		}
	}
	return nil
}

// root is the variable that an expression such as x.f[i] lies in.
func root(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return root(e.X)
	case *ast.IndexExpr:
		return root(e.X)
	case *ast.StarExpr:
		return root(e.X)
	case *ast.ParenExpr:
		return root(e.X)
	}
	return nil
}

// uncommented asks for a comment on types, functions, constants, variables and methods, those of interfaces too: there the
// comment of the type does for its only method, and for those that it names. Fields may be explained by name and type.
func uncommented(u unit) []string {
	var found []string
	for _, f := range u.files {
		if f.Name.Name == "main" {
			continue
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					found = append(found, u.at(d, "%s has no comment", d.Name.Name))
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					found = append(found, u.uncommentedSpec(d, s)...)
				}
			}
		}
	}
	return found
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	id := root(t)
	return id != nil && id.IsExported()
}

func (u unit) uncommentedSpec(d *ast.GenDecl, s ast.Spec) []string {
	switch s := s.(type) {
	case *ast.ValueSpec:
		exported := slices.ContainsFunc(s.Names, (*ast.Ident).IsExported)
		if exported && d.Doc == nil && s.Doc == nil && s.Comment == nil {
			return []string{u.at(s, "%s has no comment", s.Names[0].Name)}
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return nil
		}
		text := d.Doc.Text() + s.Doc.Text()
		if text == "" {
			return []string{u.at(s, "%s has no comment", s.Name.Name)}
		}
		if i, ok := s.Type.(*ast.InterfaceType); ok && i.Methods.NumFields() > 1 {
			return u.uncommentedMethods(i, text)
		}
	}
	return nil
}

func (u unit) uncommentedMethods(i *ast.InterfaceType, text string) []string {
	var found []string
	for _, f := range i.Methods.List {
		for _, name := range f.Names {
			if name.IsExported() && f.Doc == nil && f.Comment == nil && !strings.Contains(text, name.Name) {
				found = append(found, u.at(name, "%s has no comment", name.Name))
			}
		}
	}
	return found
}
