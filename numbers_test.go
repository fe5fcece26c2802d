package metalkeep_test

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
)

const (
	maxFileLines        = 400
	maxFunctionLines    = 60
	maxInterfaceMethods = 7
	maxSentinels        = 8
)

func rules() []rule {
	all := func(unit) bool { return true }
	library := func(u unit) bool { return !u.example() }
	public := func(u unit) bool { return !u.test && !strings.Contains("/"+u.dir+"/", "/internal/") }
	tests := func(u unit) bool { return u.test }
	return []rule{
		{"imports follow the permitted directions", func(u unit) bool { return !within(u.dir, "examples") }, checkImports},
		{"packages with a Manager have the same files", unit.runtime, checkFiles},
		{"exported methods have a comment of their own", public, checkMethodComments},
		{"interfaces have at most 7 methods", library, checkInterfaces},
		{"packages have at most 8 sentinel errors", unit.runtime, checkSentinels},
		{"files have at most 400 lines", all, checkFileLines},
		{"functions have at most 60 lines", unit.runtime, checkFunctionLines},
		{"runtime code uses the injected clock only", unit.runtime, checkClock},
		{"runtime code divides decimals with DivRound only", unit.runtime, checkDivisions},
		{"package variables hold no state", unit.runtime, checkPackageVars},
		{"runtime code has no init function", unit.runtime, checkInits},
		{"runtime code neither panics nor exits", unit.runtime, checkPanics},
		{"examples have an output comment", tests, checkExamples},
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

// collect calls visit for every node of the unit and returns the violations. visit returns "" for a node without one.
func (u unit) collect(visit func(ast.Node) string) []string {
	var findings []string
	u.each(func(n ast.Node) {
		if violation := visit(n); violation != "" {
			findings = append(findings, u.finding(n, "%s", violation))
		}
	})
	return findings
}

// lines counts the lines of a node, from its first to its last inclusive.
func (u unit) lines(n ast.Node) int {
	return u.fset.Position(n.End()).Line - u.fset.Position(n.Pos()).Line + 1
}

// packageFiles lists the files that every package with a Manager has.
func packageFiles(dir string) []string {
	files := []string{
		"doc.go", "transition.go", "rules.go", "manager.go", "query.go", "store.go", "memory.go", "hooks.go", "event.go", "texts.go", "errors.go",
	}
	switch dir {
	case "dedicated":
		return files
	case "backup", "ticket", "cancellation":
		return append(files, "tick.go", "subscriber.go")
	}
	return nil
}

func checkFiles(u unit) []string {
	present := map[string]bool{}
	for _, f := range u.files {
		present[path.Base(u.fset.Position(f.Pos()).Filename)] = true
	}
	missing := slices.DeleteFunc(packageFiles(u.dir), func(name string) bool { return present[name] })
	if len(missing) == 0 {
		return nil
	}
	return []string{u.finding(u.files[0], "%s lacks %s", u.dir, strings.Join(missing, ", "))}
}

func checkFileLines(u unit) []string {
	var findings []string
	for _, f := range u.files {
		if n := u.fset.File(f.Pos()).LineCount(); n > maxFileLines {
			findings = append(findings, u.finding(f.Name, "the file has %d lines", n))
		}
	}
	return findings
}

func checkFunctionLines(u unit) []string {
	var findings []string
	u.each(func(n ast.Node) {
		if f, ok := n.(*ast.FuncDecl); ok && u.lines(f) > maxFunctionLines {
			findings = append(findings, u.finding(f, "%s has %d lines", f.Name.Name, u.lines(f)))
		}
	})
	return findings
}

func checkInterfaces(u unit) []string {
	return u.collect(func(n ast.Node) string {
		if i, ok := n.(*ast.InterfaceType); ok && i.Methods.NumFields() > maxInterfaceMethods {
			return fmt.Sprintf("the interface has %d methods: move some to optional interfaces of one method", i.Methods.NumFields())
		}
		return ""
	})
}

func checkSentinels(u unit) []string {
	var sentinels []*ast.Ident
	for _, v := range u.packageVars() {
		if strings.HasPrefix(v.name.Name, "Err") {
			sentinels = append(sentinels, v.name)
		}
	}
	if len(sentinels) > maxSentinels {
		return []string{u.finding(sentinels[maxSentinels], "%s is sentinel %d of the package", sentinels[maxSentinels].Name, maxSentinels+1)}
	}
	return nil
}

// member returns the package path and the name of a reference such as time.Now, also where the import has another name. Dot
// imports are not resolved, because staticcheck (ST1001) forbids them.
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

func checkClock(u unit) []string {
	calls := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick"}
	return u.collect(func(n ast.Node) string {
		if pkg, name := u.member(n); pkg == "time" && slices.Contains(calls, name) {
			return "time." + name + " bypasses the injected clock: read that once per operation and pass now down"
		}
		return ""
	})
}

func checkDivisions(u unit) []string {
	return u.collect(func(n ast.Node) string {
		pkg, name := u.member(n)
		if path.Base(pkg) == "decimal" && slices.Contains([]string{"Avg", "DivisionPrecision"}, name) {
			return "decimal." + name + " depends on a mutable global"
		}
		if s, ok := n.(*ast.SelectorExpr); ok && pkg == "" && s.Sel.Name == "Div" {
			return "Div depends on a mutable global: multiply first, then use DivRound once"
		}
		return ""
	})
}

func checkInits(u unit) []string {
	return u.collect(func(n ast.Node) string {
		if f, ok := n.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			return "init runs in every program that imports the package"
		}
		return ""
	})
}

func checkPanics(u unit) []string {
	return u.collect(func(n ast.Node) string {
		if id, ok := n.(*ast.Ident); ok && id.Name == "panic" && u.info.Uses[id] == types.Universe.Lookup("panic") {
			return "a library returns errors instead of panics"
		}
		pkg, name := u.member(n)
		if pkg == "os" && name == "Exit" || pkg == "log" && (strings.HasPrefix(name, "Fatal") || strings.HasPrefix(name, "Panic")) {
			return pkg + "." + name + " ends the host's program"
		}
		return ""
	})
}

func checkExamples(u unit) []string {
	var findings []string
	for _, e := range doc.Examples(u.files...) {
		if e.Output == "" && !e.EmptyOutput {
			findings = append(findings, u.finding(e.Code, "Example%s has no // Output: comment, so it never runs", e.Name))
		}
	}
	return findings
}

// packageVar is a variable declared outside of functions.
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

// checkPackageVars permits package variables that never change: assertions, sentinel errors, embedded files, and unexported
// tables that no statement writes to. The cache of time zones is the one exception.
func checkPackageVars(u unit) []string {
	var findings []string
	tables := map[types.Object]bool{}
	for _, v := range u.packageVars() {
		switch {
		case v.name.Name == "_", v.embed, u.dir == "internal/zone" && v.name.Name == "locations":
		case v.name.IsExported() && !strings.HasPrefix(v.name.Name, "Err"):
			findings = append(findings, u.finding(v.name, "any package may write to %s: make it a function", v.name.Name))
		case len(v.spec.Values) == 0 || holdsState(u, v.spec):
			findings = append(findings, u.finding(v.name, "%s holds state: keep it in a value that the caller owns", v.name.Name))
		default:
			tables[u.info.Defs[v.name]] = true
		}
	}
	return append(findings, u.collect(func(n ast.Node) string {
		for _, target := range writeTargets(n) {
			if id := baseVariable(target); id != nil && tables[u.info.Uses[id]] {
				return "the package variable " + id.Name + " is written to"
			}
		}
		return ""
	})...)
}

// holdsState reports whether a variable can change without an assignment to it: locks, atomics, channels, pointers, and
// empty containers, which are of use only after another statement fills them.
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

// writeTargets lists the expressions that a node assigns to, takes the address of, or empties.
func writeTargets(n ast.Node) []ast.Expr {
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

// baseVariable returns the variable at the start of an expression, such as x in x.f[i].
func baseVariable(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return baseVariable(e.X)
	case *ast.IndexExpr:
		return baseVariable(e.X)
	case *ast.IndexListExpr:
		return baseVariable(e.X)
	case *ast.StarExpr:
		return baseVariable(e.X)
	case *ast.ParenExpr:
		return baseVariable(e.X)
	}
	return nil
}

// checkMethodComments finds exported methods without a comment, where revive's rule "exported" does not look: the methods of
// exported interfaces, and the methods of types that revive exempts by name.
func checkMethodComments(u unit) []string {
	var findings []string
	for _, f := range u.files {
		if f.Name.Name == "main" {
			continue
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv != nil && d.Doc == nil && reviveExempts(d.Name.Name) && hasExportedReceiver(d) {
					findings = append(findings, u.finding(d, "%s has no comment", d.Name.Name))
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					findings = append(findings, u.checkInterfaceComments(s)...)
				}
			}
		}
	}
	return findings
}

func reviveExempts(method string) bool {
	names := []string{"Error", "Read", "ServeHTTP", "String", "Write", "Unwrap", "Len", "Less", "Swap"}
	return slices.Contains(names, method)
}

func hasExportedReceiver(f *ast.FuncDecl) bool {
	id := baseVariable(f.Recv.List[0].Type)
	return id != nil && id.IsExported()
}

// checkInterfaceComments requires a comment above or behind each exported method of an exported interface.
func (u unit) checkInterfaceComments(s ast.Spec) []string {
	t, ok := s.(*ast.TypeSpec)
	if !ok || !t.Name.IsExported() {
		return nil
	}
	i, ok := t.Type.(*ast.InterfaceType)
	if !ok {
		return nil
	}
	var findings []string
	for _, f := range i.Methods.List {
		for _, name := range f.Names {
			if name.IsExported() && f.Doc == nil && f.Comment == nil {
				findings = append(findings, u.finding(name, "%s.%s has no comment", t.Name.Name, name.Name))
			}
		}
	}
	return findings
}
