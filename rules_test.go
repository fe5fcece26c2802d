package metalkeep_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestRules shows that each rule can fail: every case breaks one promise, in the one line that wants names.
func TestRules(t *testing.T) {
	t.Parallel()
	const (
		imports   = "imports follow the directions"
		comments  = "exported names have a comment"
		methods   = "interfaces have 7 methods at most"
		sentinels = "packages have 8 sentinels at most"
		file      = "files have 400 lines at most"
		function  = "functions have 60 lines at most"
		clock     = "the clock is the injected one"
		division  = "money is divided once, by DivRound"
		state     = "no state in package variables"
		initial   = "no init"
		panicking = "no panic and no exit"
		examples  = "examples have checked output"
	)
	ours := func(pkg string) string { return `import _ "` + module + "/" + pkg + `"` }
	table := []struct {
		name, rule, path, source string
		wants                    string // part of the finding; "" for none
	}{
		{"sideways", imports, "backup/a.go", ours("ticket"), "backup may not import"},
		{"upwards", imports, "notify/a.go", ours("dedicated"), "notify may not import"},
		{"refund knows nobody", imports, "refund/a.go", ours("notify"), "refund may not import"},
		{"also in tests", imports, "refund/a_test.go", ours("cancellation"), "refund may not import"},
		{"internal upwards", imports, "internal/page/a.go", ours("notify"), "internal/page may not import"},
		{"a suite at run time", imports, "backup/a.go", ours("dedicated/dedicatedtest"), "backup may not import"},
		{"testing at run time", imports, "backup/a.go", `import _ "testing"`, "backup may not import"},
		{"testing's folders too", imports, "backup/a.go", `import _ "testing/synctest"`, "backup may not import"},
		{"testify in a suite", imports, "backup/backuptest/a.go", `import _ "github.com/stretchr/testify/assert"`, "may not import"},
		{"a stranger", imports, "backup/a.go", `import _ "golang.org/x/sync/errgroup"`, "may not import"},
		{"examples", imports, "backup/a_test.go", ours("examples/quickstart"), "may not import"},
		{"the root", imports, "backup/a.go", `import _ "` + module + `"`, "may not import"},
		{"root imports nothing", imports, "doc.go", ours("refund"), "may not import"},
		{"root's tests may", imports, "a_test.go", ours("refund"), ""},
		{"downwards", imports, "cancellation/a.go", ours("refund"), ""},
		{"a suite for its tests", imports, "backup/a_test.go", ours("dedicated/dedicatedtest"), ""},
		{"testing in a suite", imports, "backup/backuptest/a.go", `import _ "testing"`, ""},
		{"testing in a host", imports, "examples/panel/a.go", `import _ "testing"`, ""},

		{"function", comments, "backup/a.go", "func F() {}", "F has no comment"},
		{"method", comments, "backup/a.go", "// T is.\ntype T[K any] struct{}\nfunc (*T[K]) M() {}", "M has no comment"},
		{"type", comments, "backup/a.go", "type T int", "T has no comment"},
		{"constant", comments, "backup/a.go", "const C = 1", "C has no comment"},
		{"method of an interface", comments, "backup/a.go", "// T is. G does.\ntype T interface{ F(); G() }", "F has no comment"},
		{"field", comments, "backup/a.go", "// T is.\ntype T struct{ F int }", ""},
		{"only method", comments, "backup/a.go", "// T is.\ntype T interface{ F() }", ""},
		{"group", comments, "backup/a.go", "// What there is.\nconst (\n\tA = 1\n\tB = 2\n)", ""},
		{"internal", comments, "internal/page/a.go", "func F() {}", ""},
		{"hidden receiver", comments, "backup/a.go", "type t int\nfunc (t) M() {}", ""},

		{"wide", methods, "notify/a.go", "type T interface{ A(); B(); C(); D(); E(); F(); G(); H() }", "asks too much"},
		{"seven", methods, "notify/a.go", "type T interface{ A(); B(); C(); D(); E(); F(); G() }", ""},
		{"nine", sentinels, "notify/a.go", "var Err1, Err2, Err3, Err4, Err5, Err6, Err7, Err8, Err9 error", "Err9 is sentinel 9"},
		{"long file", file, "notify/a_test.go", strings.Repeat("\n", 399), "401 lines"},
		{"full file", file, "notify/a_test.go", strings.Repeat("\n", 398), ""},
		{"long function", function, "notify/a.go", "func f() {" + strings.Repeat("\n", 60) + "}", "f has 61 lines"},
		{"full function", function, "notify/a.go", "func f() {" + strings.Repeat("\n", 59) + "}", ""},

		{"now", clock, "notify/a.go", "import \"time\"\nvar f = time.Now", "time.Now"},
		{"renamed", clock, "notify/a.go", "import t \"time\"\nfunc f() { t.Sleep(1) }", "time.Sleep"},
		{"injected", clock, "notify/a.go", "type c struct{}\nfunc (c) Now() {}\nfunc f(time c) { time.Now() }", ""},
		{"a host's clock", clock, "examples/panel/a.go", "import \"time\"\nvar f = time.Now", ""},
		{"div", division, "refund/a.go", "import \"github.com/shopspring/decimal\"\nfunc f(a decimal.Decimal) { a.Div(a) }", "Div depends"},
		{"precision", division, "refund/a.go", "import \"github.com/shopspring/decimal\"\nvar p = decimal.DivisionPrecision", "DivisionPrecision depends"},

		{"exported table", state, "ticket/a.go", "var T = [1]int{1}", "anyone may write to T"},
		{"lock", state, "ticket/a.go", "import \"sync\"\nvar m sync.Mutex", "m holds state"},
		{"counter", state, "ticket/a.go", "import \"sync/atomic\"\nvar m = atomic.Int64{}", "m holds state"},
		{"empty", state, "ticket/a.go", "var m map[string]int", "m holds state"},
		{"made", state, "ticket/a.go", "var m = make(map[string]int)", "m holds state"},
		{"pointer", state, "ticket/a.go", "var m = &struct{}{}", "m holds state"},
		{"written", state, "ticket/a.go", "var m = map[string]int{}\nfunc f() { m[`a`] = 1 }", "m is written to"},
		{"counted", state, "ticket/a.go", "var m = struct{ n int }{}\nfunc f() { m.n++ }", "m is written to"},
		{"handed out", state, "ticket/a.go", "var m = [1]int{1}\nfunc f() *int { return &m[0] }", "m is written to"},
		{"emptied", state, "ticket/a.go", "var m = map[string]int{`a`: 1}\nfunc f() { clear(m) }", "m is written to"},
		{"table", state, "ticket/a.go", "var m = map[string]int{`a`: 1}\nfunc f() int { return m[`a`] }", ""},
		{"namesake", state, "ticket/a.go", "var m = map[string]int{`a`: 1}\nfunc f() { m := m; m = nil; _ = m }", ""},
		{"assertion", state, "ticket/a.go", "var _ interface{} = (*int)(nil)", ""},
		{"sentinel", state, "ticket/a.go", "import \"errors\"\nvar ErrGone = errors.New(`gone`)", ""},
		{"embedded", state, "ticket/a.go", "import _ \"embed\"\n\n//go:embed a.go\nvar text string", ""},

		{"init", initial, "ticket/a.go", "func init() {}", "init runs"},
		{"panic", panicking, "ticket/a.go", "func f() { panic(1) }", "returns errors"},
		{"exit", panicking, "ticket/a.go", "import \"os\"\nfunc f() { os.Exit(1) }", "os.Exit ends"},
		{"fatal", panicking, "ticket/a.go", "import \"log\"\nfunc f() { log.Fatalf(``) }", "log.Fatalf ends"},
		{"a panic of one's own", panicking, "ticket/a.go", "func panic(int) {}\nfunc f() { panic(1) }", ""},
		{"unchecked", examples, "ticket/a_test.go", "func ExampleNew() {}", "ExampleNew has no // Output:"},
		{"unchecked in examples", examples, "examples/panel/a_test.go", "func ExampleNew() {}", "ExampleNew has no // Output:"},
		{"checked", examples, "ticket/a_test.go", "func Example() {\n\t// Output: 1\n}", ""},
	}
	seen := map[string]bool{}
	for _, tt := range table {
		seen[tt.rule] = seen[tt.rule] || tt.wants != ""
		t.Run(tt.rule+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			found := broken(t, tt.rule, tt.path, tt.source)
			if tt.wants == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[0], tt.wants)
			require.True(t, strings.HasPrefix(found[0], tt.path+":"), "says where: %s", found[0])
		})
	}
	for _, r := range rules() {
		require.True(t, seen[r.name], "no case breaks the rule %q", r.name)
	}
}

// broken applies a rule to a tree of one file.
func broken(t *testing.T, name, path, source string) []string {
	t.Helper()
	all := rules()
	i := slices.IndexFunc(all, func(r rule) bool { return r.name == name })
	require.GreaterOrEqual(t, i, 0, "no rule %q", name)
	var found []string
	for _, u := range load(t, fstest.MapFS{path: {Data: []byte("package a\n" + source + "\n")}}) {
		if all[i].applies(u) {
			found = append(found, all[i].find(u)...)
		}
	}
	return found
}
