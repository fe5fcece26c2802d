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

// TestArchitecture holds the tree to its design: who may import whom, and the numbers that keep a package readable.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	tree := load(t, os.DirFS("."))
	require.NotEmpty(t, tree)
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, u := range tree {
				if r.applies(u) {
					for _, found := range r.find(u) {
						t.Error(found)
					}
				}
			}
		})
	}
}

// rule finds what breaks one promise in a unit. Its name is the promise.
type rule struct {
	name    string
	applies func(unit) bool
	find    func(unit) []string
}

// unit is the Go files of one folder that are built together: either the package or its tests.
type unit struct {
	dir   string // as in an import path, "." for the root
	test  bool   // the files ending in _test.go
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
}

// Every unit is exactly one of the four: test, example, suite, runtime.

func (u unit) example() bool { return !u.test && within(u.dir, "examples") }
func (u unit) suite() bool   { return !u.test && !u.example() && strings.HasSuffix(u.dir, "test") }
func (u unit) runtime() bool { return !u.test && !u.example() && !u.suite() }

// at says where and what.
func (u unit) at(n ast.Node, format string, args ...any) string {
	pos := u.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d: %s", pos.Filename, pos.Line, fmt.Sprintf(format, args...))
}

func within(dir, top string) bool { return dir == top || strings.HasPrefix(dir, top+"/") }

// load parses every Go file below root.
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
	tree := make([]unit, 0, len(units))
	for _, u := range units {
		u.info = resolve(u)
		tree = append(tree, *u)
	}
	slices.SortFunc(tree, func(a, b unit) int { return strings.Compare(a.dir, b.dir) })
	return tree
}

// resolve tells which declaration each name of the unit means. What the imported packages hold is not looked at, so the
// checker's complaints about it mean nothing.
func resolve(u *unit) *types.Info {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: blank{}, Error: func(error) {}}
	_, _ = conf.Check(u.dir, u.fset, u.files, info)
	return info
}

// blank imports every package as an empty one.
type blank struct{}

func (blank) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

// library says which packages each package of the library may import of ours, internal/ and what lies below itself
// aside. backup, ticket and cancellation never import each other.
func library() map[string][]string {
	return map[string][]string{
		".":            {},
		"internal":     {},
		"refund":       {},
		"notify":       {},
		"dedicated":    {"notify"},
		"backup":       {"dedicated", "notify"},
		"ticket":       {"dedicated", "notify"},
		"cancellation": {"dedicated", "notify", "refund"},
	}
}

// dependencies lists the modules that the library may import of others: "runtime" or "test", and the path.
//
//go:embed .ci/dependencies
var dependencies string

func listed(kind, name string) bool {
	for line := range strings.Lines(dependencies) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == kind && within(name, f[1]) {
			return true
		}
	}
	return false
}

func directions(u unit) []string {
	var found []string
	for _, f := range u.files {
		for _, spec := range f.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			if !mayImport(u, name) {
				found = append(found, u.at(spec, "%s may not import %s", u.dir, name))
			}
		}
	}
	return found
}

func mayImport(u unit, name string) bool {
	ours, ok := strings.CutPrefix(name, module+"/")
	switch {
	case name == module:
		return false // it holds no code
	case ok:
		return mayImportOurs(u, ours)
	case within(name, "testing"):
		return u.test || u.suite()
	case !strings.Contains(strings.SplitN(name, "/", 2)[0], "."):
		return true // the standard library
	}
	return listed("runtime", name) || u.test && listed("test", name)
}

// mayImportOurs: the tests and the suite of a package may import what the package may, and the suites.
func mayImportOurs(u unit, ours string) bool {
	top := func(dir string) string { return strings.SplitN(dir, "/", 2)[0] }
	if within(ours, "examples") {
		return false
	}
	if u.dir == "." && u.test {
		return true
	}
	if strings.HasSuffix(ours, "test") && u.runtime() {
		return false
	}
	if top(u.dir) == "internal" && !u.runtime() && ours == "notify" {
		return true // what the suites of the stores share needs to look into an outbox
	}
	return top(ours) == "internal" || top(ours) == top(u.dir) || slices.Contains(library()[top(u.dir)], top(ours))
}

// TestLayout: a new folder at the top needs a place in the design first.
func TestLayout(t *testing.T) {
	t.Parallel()
	top, err := filepath.Glob("*")
	require.NoError(t, err)
	for _, name := range top {
		if info, err := os.Stat(name); err == nil && info.IsDir() && name[0] != '.' && name != "examples" {
			require.Contains(t, library(), name, "folders at the top are packages of the library, internal and examples")
		}
	}
}
