package storetest

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// Broken is an implementation that breaks a line of a contract on purpose.
type Broken struct {
	Name string             // what it does wrong
	Line string             // how the name of the sub-test that must fail begins: "4 atomicity: a stale"
	Run  func(t *testing.T) // the suite on it
}

const brokenEnv = "METALKEEP_BROKEN"

// Fails runs suites on broken implementations and demands that each fails in the sub-test that holds the broken line: a
// suite is worth what it can find. The runs, which must not fail the caller's test, are made in a child process.
func Fails(t *testing.T, cases ...Broken) {
	t.Helper()
	if os.Getenv(brokenEnv) != "" {
		for _, c := range cases {
			t.Run(underscored(c.Name), c.Run)
		}
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v", "-test.timeout=2m")
	child.Env = append(os.Environ(), brokenEnv+"=1")
	out, err := child.CombinedOutput()
	if err == nil {
		t.Fatalf("the suite passes every broken implementation:\n%s", out)
	}
	for _, c := range cases {
		want := "--- FAIL: " + t.Name() + "/" + underscored(c.Name) + "/" + underscored(c.Line)
		if !strings.Contains(string(out), want) {
			t.Errorf("%s: the suite does not fail at %q\n%s", c.Name, c.Line, report(string(out), t.Name()+"/"+underscored(c.Name)))
		}
	}
}

// underscored is how the testing package writes a name.
func underscored(name string) string { return strings.ReplaceAll(name, " ", "_") }

// report keeps of a child's output what concerns one case.
func report(out, name string) string {
	var kept []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, name) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
