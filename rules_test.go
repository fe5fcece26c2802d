package metalkeep_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestRules shows that each rule can fail. Each case is a tree of one file. Its path and its source decide whether the rule
// reports a violation.
func TestRules(t *testing.T) {
	t.Parallel()
	const (
		imports    = "imports follow the permitted directions"
		files      = "packages with a Manager have the same files"
		comments   = "exported methods have a comment of their own"
		interfaces = "interfaces have at most 7 methods"
		sentinels  = "packages have at most 8 sentinel errors"
		fileLines  = "files have at most 400 lines"
		funcLines  = "functions have at most 60 lines"
		clock      = "runtime code uses the injected clock only"
		division   = "runtime code divides decimals with DivRound only"
		variables  = "package variables hold no state"
		inits      = "runtime code has no init function"
		panics     = "runtime code neither panics nor exits"
		examples   = "examples have an output comment"
	)
	ours := func(pkg string) string { return `import _ "` + module + "/" + pkg + `"` }
	table := []struct {
		name, rule, path, source string
		want                     string // part of the only finding; "" for no finding
	}{
		{"a package of the same level", imports, "backup/a.go", ours("ticket"), "backup may not import"},
		{"a package of a higher level", imports, "notify/a.go", ours("dedicated"), "notify may not import"},
		{"refund imports no package of ours", imports, "refund/a.go", ours("notify"), "refund may not import"},
		{"tests follow the directions", imports, "refund/a_test.go", ours("cancellation"), "refund may not import"},
		{"internal imports no public package", imports, "internal/page/a.go", ours("notify"), "internal/page may not import"},
		{"internal/manage may import notify", imports, "internal/manage/a.go", ours("notify"), ""},
		{"internal/manage may import internal packages", imports, "internal/manage/a.go", ours("internal/page"), ""},
		{"internal/manage imports no other public package", imports, "internal/manage/a.go", ours("dedicated"), "internal/manage may not import"},
		{"internal/manage brings notify along, forbidden", imports, "refund/a.go", ours("internal/manage"), "refund may not import"},
		{"internal/inventory may import dedicated", imports, "internal/inventory/a.go", ours("dedicated"), ""},
		{"internal/inventory brings dedicated along, forbidden", imports, "notify/a.go", ours("internal/inventory"), "notify may not import"},
		{"internal/manage brings notify along, permitted", imports, "dedicated/a.go", ours("internal/manage"), ""},
		{"a suite in runtime code", imports, "backup/a.go", ours("dedicated/dedicatedtest"), "backup may not import"},
		{"testing in runtime code", imports, "backup/a.go", `import _ "testing"`, "backup may not import"},
		{"a package below testing in runtime code", imports, "backup/a.go", `import _ "testing/synctest"`, "backup may not import"},
		{"testify in a suite", imports, "backup/backuptest/a.go", `import _ "github.com/stretchr/testify/assert"`, "may not import"},
		{"a module that is not a dependency", imports, "backup/a.go", `import _ "golang.org/x/sync/errgroup"`, "may not import"},
		{"a dependency", imports, "backup/a.go", `import _ "github.com/shopspring/decimal"`, ""},
		{"an example", imports, "backup/a_test.go", ours("examples/quickstart"), "may not import"},
		{"the root package", imports, "backup/a.go", `import _ "` + module + `"`, "may not import"},
		{"the root package imports nothing of ours", imports, "doc.go", ours("refund"), "may not import"},
		{"the tests of the root may import all packages", imports, "a_test.go", ours("refund"), ""},
		{"a package of a lower level", imports, "cancellation/a.go", ours("refund"), ""},
		{"a suite in tests", imports, "backup/a_test.go", ours("dedicated/dedicatedtest"), ""},
		{"testing in a suite", imports, "backup/backuptest/a.go", `import _ "testing"`, ""},
		{"testing in an example", imports, "examples/panel/a.go", `import _ "testing"`, ""},

		{"missing", files, "ticket/doc.go", "", "ticket lacks transition.go, rules.go, manager.go, query.go, store.go"},
		{"dedicated needs no tick.go", files, "dedicated/doc.go", "", "hooks.go, event.go, texts.go, errors.go"},
		{"the others need it", files, "backup/doc.go", "", "errors.go, tick.go, subscriber.go"},
		{"a package without a Manager", files, "refund/doc.go", "", ""},
		{"a suite", files, "ticket/tickettest/doc.go", "", ""},

		{"a method of an interface", comments, "backup/a.go", "// T is. F does.\ntype T interface{ F() }", "T.F has no comment"},
		{"one of two methods", comments, "backup/a.go", "// T is.\ntype T interface {\n\t// F does.\n\tF()\n\tG()\n}", "T.G has no comment"},
		{"a comment above", comments, "backup/a.go", "// T is.\ntype T interface {\n\t// F does.\n\tF()\n}", ""},
		{"a comment behind", comments, "backup/a.go", "// T is.\ntype T interface {\n\tF() // does\n}", ""},
		{"an embedded interface", comments, "backup/a.go", "// T is.\ntype T interface{ error }", ""},
		{"an unexported method", comments, "backup/a.go", "// T is.\ntype T interface{ f() }", ""},
		{"an unexported interface", comments, "backup/a.go", "type t interface{ F() }", ""},
		{"a method that revive exempts", comments, "backup/a.go", "// T is.\ntype T[K any] struct{}\nfunc (*T[K]) String() string",
			"String has no comment"},
		{"two type parameters", comments, "backup/a.go", "// T is.\ntype T[K, V any] struct{}\nfunc (T[K, V]) Error() string",
			"Error has no comment"},
		{"a method that revive checks", comments, "backup/a.go", "// T is.\ntype T int\nfunc (T) M()", ""},
		{"a function with an exempt name", comments, "backup/a.go", "func String() string", ""},
		{"an unexported receiver", comments, "backup/a.go", "type t int\nfunc (t) String() string", ""},
		{"internal", comments, "internal/page/a.go", "type T interface{ F() }", ""},
		{"internal below a package", comments, "notify/internal/a/a.go", "type T interface{ F() }", ""},

		{"8 methods", interfaces, "notify/a.go", "type T interface{ A(); B(); C(); D(); E(); F(); G(); H() }", "has 8 methods"},
		{"7 methods", interfaces, "notify/a.go", "type T interface{ A(); B(); C(); D(); E(); F(); G() }", ""},
		{"9 sentinels", sentinels, "notify/a.go", "var Err1, Err2, Err3, Err4, Err5, Err6, Err7, Err8, Err9 error", "Err9 is sentinel 9"},
		{"8 sentinels", sentinels, "notify/a.go", "var Err1, Err2, Err3, Err4, Err5, Err6, Err7, Err8 error", ""},
		{"401 lines", fileLines, "notify/a_test.go", strings.Repeat("\n", 399), "401 lines"},
		{"400 lines", fileLines, "notify/a_test.go", strings.Repeat("\n", 398), ""},
		{"61 lines", funcLines, "notify/a.go", "func f() {" + strings.Repeat("\n", 60) + "}", "f has 61 lines"},
		{"60 lines", funcLines, "notify/a.go", "func f() {" + strings.Repeat("\n", 59) + "}", ""},

		{"time.Now", clock, "notify/a.go", "import \"time\"\nvar f = time.Now", "time.Now"},
		{"an import with another name", clock, "notify/a.go", "import t \"time\"\nfunc f() { t.Sleep(1) }", "time.Sleep"},
		{"an injected clock called time", clock, "notify/a.go", "type c struct{}\nfunc (c) Now() {}\nfunc f(time c) { time.Now() }", ""},
		{"an example", clock, "examples/panel/a.go", "import \"time\"\nvar f = time.Now", ""},
		{"Div", division, "refund/a.go", "import \"github.com/shopspring/decimal\"\nfunc f(a decimal.Decimal) { a.Div(a) }", "Div depends"},
		{"Div as a value", division, "refund/a.go", "import \"github.com/shopspring/decimal\"\nvar f = decimal.Decimal.Div", "Div depends"},
		{"Avg", division, "refund/a.go", "import \"github.com/shopspring/decimal\"\nvar f = decimal.Avg", "Avg depends"},
		{"the precision", division, "refund/a.go", "import \"github.com/shopspring/decimal\"\nvar p = decimal.DivisionPrecision",
			"DivisionPrecision depends"},
		{"DivRound", division, "refund/a.go", "import \"github.com/shopspring/decimal\"\nfunc f(a decimal.Decimal) { a.DivRound(a, 2) }", ""},

		{"an exported table", variables, "ticket/a.go", "var T = [1]int{1}", "any package may write to T"},
		{"a lock", variables, "ticket/a.go", "import \"sync\"\nvar m sync.Mutex", "m holds state"},
		{"an atomic", variables, "ticket/a.go", "import \"sync/atomic\"\nvar m = atomic.Int64{}", "m holds state"},
		{"a nil map", variables, "ticket/a.go", "var m map[string]int", "m holds state"},
		{"an empty map", variables, "ticket/a.go", "var m = make(map[string]int)", "m holds state"},
		{"a pointer", variables, "ticket/a.go", "var m = &struct{}{}", "m holds state"},
		{"an assignment", variables, "ticket/a.go", "var m = map[string]int{}\nfunc f() { m[`a`] = 1 }", "m is written to"},
		{"an increment", variables, "ticket/a.go", "var m = struct{ n int }{}\nfunc f() { m.n++ }", "m is written to"},
		{"an address", variables, "ticket/a.go", "var m = [1]int{1}\nfunc f() *int { return &m[0] }", "m is written to"},
		{"clear", variables, "ticket/a.go", "var m = map[string]int{`a`: 1}\nfunc f() { clear(m) }", "m is written to"},
		{"a table", variables, "ticket/a.go", "var m = map[string]int{`a`: 1}\nfunc f() int { return m[`a`] }", ""},
		{"a local variable with the same name", variables, "ticket/a.go", "var m = map[string]int{`a`: 1}\nfunc f() { m := m; m = nil; _ = m }",
			""},
		{"an assertion", variables, "ticket/a.go", "var _ interface{} = (*int)(nil)", ""},
		{"a sentinel", variables, "ticket/a.go", "import \"errors\"\nvar ErrGone = errors.New(`gone`)", ""},
		{"an embedded file", variables, "ticket/a.go", "import _ \"embed\"\n\n//go:embed a.go\nvar text string", ""},

		{"init", inits, "ticket/a.go", "func init() {}", "init runs"},
		{"panic", panics, "ticket/a.go", "func f() { panic(1) }", "returns errors"},
		{"os.Exit", panics, "ticket/a.go", "import \"os\"\nfunc f() { os.Exit(1) }", "os.Exit ends"},
		{"log.Fatalf", panics, "ticket/a.go", "import \"log\"\nfunc f() { log.Fatalf(``) }", "log.Fatalf ends"},
		{"another function called panic", panics, "ticket/a.go", "func panic(int) {}\nfunc f() { panic(1) }", ""},
		{"no output", examples, "ticket/a_test.go", "func ExampleNew() {}", "ExampleNew has no // Output:"},
		{"no output in examples", examples, "examples/panel/a_test.go", "func ExampleNew() {}", "ExampleNew has no // Output:"},
		{"an output", examples, "ticket/a_test.go", "func Example() {\n\t// Output: 1\n}", ""},
	}
	canFail := map[string]bool{}
	for _, tt := range table {
		canFail[tt.rule] = canFail[tt.rule] || tt.want != ""
		t.Run(tt.rule+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			found := findings(t, tt.rule, fstest.MapFS{tt.path: {Data: []byte("package a\n" + tt.source + "\n")}})
			if tt.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[0], tt.want)
			require.True(t, strings.HasPrefix(found[0], tt.path+":"), "the finding begins with the file: %s", found[0])
		})
	}
	for _, r := range rules() {
		require.True(t, canFail[r.name], "no case violates the rule %q", r.name)
	}
}

// TestFilesOfAPackage shows that a package with all the agreed files passes, and that a test file does not replace one.
func TestFilesOfAPackage(t *testing.T) {
	t.Parallel()
	const rule = "packages with a Manager have the same files"
	root := fstest.MapFS{}
	for _, name := range packageFiles("ticket") {
		root["ticket/"+name] = &fstest.MapFile{Data: []byte("package ticket\n")}
	}
	require.Empty(t, findings(t, rule, root))
	root["ticket/tick_test.go"] = root["ticket/tick.go"]
	delete(root, "ticket/tick.go")
	found := findings(t, rule, root)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "ticket lacks tick.go")
}

// findings applies one rule to a tree of files.
func findings(t *testing.T, name string, root fstest.MapFS) []string {
	t.Helper()
	all := rules()
	i := slices.IndexFunc(all, func(r rule) bool { return r.name == name })
	require.GreaterOrEqual(t, i, 0, "no rule %q", name)
	var found []string
	for _, u := range load(t, root) {
		if all[i].applies(u) {
			found = append(found, all[i].check(u)...)
		}
	}
	return found
}
