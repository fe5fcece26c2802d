package metalkeep_test

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/metalkeep/metalkeep"

// TestArchitecture checks every Go file of the repository against the rules that rules() lists: import directions, the
// clock, money, sizes, package state, comments and files. Each of these rules is checked here and by no linter.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	units := load(t, os.DirFS("."))
	require.NotEmpty(t, units)
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, u := range units {
				if r.applies(u) {
					for _, finding := range r.check(u) {
						t.Error(finding)
					}
				}
			}
		})
	}
}

// rule is one rule about the source code. Its name states the rule.
type rule struct {
	name    string
	applies func(unit) bool
	check   func(unit) []string // the violations in a unit, each with its file and line
}

// unit is the Go files of one folder that are compiled together: the files of the package, or its test files.
type unit struct {
	dir   string // relative to the module, "." for the root
	test  bool   // the files ending in _test.go
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
}

// Every unit is of exactly one of four sorts: tests, example, suite, runtime code.

func (u unit) example() bool { return !u.test && within(u.dir, "examples") }
func (u unit) suite() bool   { return !u.test && !u.example() && strings.HasSuffix(u.dir, "test") }
func (u unit) runtime() bool { return !u.test && !u.example() && !u.suite() }

// finding describes a violation at the node n, with its file and line.
func (u unit) finding(n ast.Node, format string, args ...any) string {
	pos := u.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d: %s", pos.Filename, pos.Line, fmt.Sprintf(format, args...))
}

// within reports whether a path is top or lies below it.
func within(dir, top string) bool { return dir == top || strings.HasPrefix(dir, top+"/") }

// load parses every Go file below root, except testdata and folders whose names begin with a dot or an underscore.
func load(t *testing.T, root fs.FS) []unit {
	t.Helper()
	units := map[string]*unit{}
	fset := token.NewFileSet()
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (strings.ContainsAny(d.Name()[:1], "._") || d.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, test := path.Dir(name), strings.HasSuffix(name, "_test.go")
		key := fmt.Sprint(dir, test)
		if units[key] == nil {
			units[key] = &unit{dir: dir, test: test, fset: fset}
		}
		units[key].files = append(units[key].files, file)
		return nil
	})
	require.NoError(t, err)
	all := make([]unit, 0, len(units))
	for _, u := range units {
		u.info = resolve(u)
		all = append(all, *u)
	}
	slices.SortFunc(all, func(a, b unit) int { return strings.Compare(a.dir, b.dir) })
	return all
}

// resolve finds the declaration of each name in the unit. It does not load imported packages, so it ignores the type
// errors that follow from that.
func resolve(u *unit) *types.Info {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: emptyImporter{}, Error: func(error) {}}
	_, _ = conf.Check(u.dir, u.fset, u.files, info)
	return info
}

// emptyImporter imports every package as an empty package.
type emptyImporter struct{}

func (emptyImporter) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

// permittedImports lists which packages of this module each package may import. Each may also import internal packages and
// packages in its own folder. A folder without an entry has the permissions of the folder above it. backup, ticket and
// cancellation never import each other.
func permittedImports() map[string][]string {
	return map[string][]string{
		".":                  {},
		"internal":           {},
		"internal/manage":    {"notify"},
		"internal/inventory": {"dedicated"},
		"refund":             {},
		"notify":             {},
		"dedicated":          {"notify"},
		"backup":             {"dedicated", "notify"},
		"ticket":             {"dedicated", "notify"},
		"cancellation":       {"dedicated", "notify", "refund"},
	}
}

// permitted returns the entry of permittedImports that holds for a folder.
func permitted(dir string) []string {
	table := permittedImports()
	for {
		if list, ok := table[dir]; ok {
			return list
		}
		dir = path.Dir(dir)
	}
}

// dependencies lists the modules of others that the library may import, one a line: "runtime" or "test", and the path.
//
//go:embed .ci/dependencies
var dependencies string

// isDependency reports whether a package belongs to a module that dependencies lists for "runtime" or "test".
func isDependency(kind, name string) bool {
	for line := range strings.Lines(dependencies) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == kind && within(name, f[1]) {
			return true
		}
	}
	return false
}

func checkImports(u unit) []string {
	var findings []string
	for _, f := range u.files {
		for _, spec := range f.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			if !mayImport(u, name) {
				findings = append(findings, u.finding(spec, "%s may not import %s", u.dir, name))
			}
		}
	}
	return findings
}

func mayImport(u unit, name string) bool {
	ours, ok := strings.CutPrefix(name, module+"/")
	switch {
	case name == module:
		return false // the root package holds no code
	case ok:
		return mayImportOurs(u, ours)
	case within(name, "testing"):
		return u.test || u.suite()
	case !strings.Contains(strings.SplitN(name, "/", 2)[0], "."):
		return true // the standard library
	}
	return isDependency("runtime", name) || u.test && isDependency("test", name)
}

// mayImportOurs reports whether a unit may import a package of this module. The tests and the suite of a package have the
// permissions of the package, and may import suites as well.
func mayImportOurs(u unit, ours string) bool {
	top := func(dir string) string { return strings.SplitN(dir, "/", 2)[0] }
	switch {
	case within(ours, "examples"):
		return false
	case u.dir == "." && u.test:
		return true
	case strings.HasSuffix(ours, "test") && u.runtime():
		return false
	case within(u.dir, "internal") && !u.runtime() && ours == "notify":
		return true // the shared parts of the store suites read an outbox
	case within(ours, "internal"):
		// An internal package brings its own imports with it. Its importer needs permission for each of them.
		return !slices.ContainsFunc(permitted(ours), func(dir string) bool { return !slices.Contains(permitted(u.dir), dir) })
	}
	return top(ours) == top(u.dir) || slices.Contains(permitted(u.dir), top(ours))
}

// TestLayout checks that permittedImports has an entry for every top-level folder.
func TestLayout(t *testing.T) {
	t.Parallel()
	top, err := filepath.Glob("*")
	require.NoError(t, err)
	for _, name := range top {
		if info, err := os.Stat(name); err == nil && info.IsDir() && name[0] != '.' && name != "examples" {
			require.Contains(t, permittedImports(), name, "a new top-level folder needs its import directions first")
		}
	}
}
