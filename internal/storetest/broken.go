package storetest

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/metalkeep/metalkeep/notify"
)

// Broken is a run of a suite on an implementation that breaks lines of its contract on purpose.
type Broken struct {
	Name string             // says what the implementation does wrong
	Line string             // the sub-test that must fail: the beginning of its name, as in "4 atomicity: a stale"
	Also []string           // further sub-tests that must fail
	Run  func(t *testing.T) // runs the suite
}

const brokenEnv = "METALKEEP_BROKEN"

// Fails runs suites on broken implementations and checks that each run fails in the sub-tests of its lines. A child process makes
// the runs, because their failures must not fail the caller's test.
func Fails(t *testing.T, cases ...Broken) {
	t.Helper()
	if os.Getenv(brokenEnv) != "" {
		for _, c := range cases {
			t.Run(underscores(c.Name), c.Run)
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
		name := t.Name() + "/" + underscores(c.Name)
		for _, line := range append(c.Also, c.Line) {
			if !strings.Contains(string(out), "--- FAIL: "+name+"/"+underscores(line)) {
				t.Errorf("%s: the suite does not fail at %q\n%s", c.Name, line, linesWith(string(out), name))
			}
		}
	}
}

// underscores writes a name as package testing writes it.
func underscores(name string) string { return strings.ReplaceAll(name, " ", "_") }

// linesWith returns the lines of a text that contain a name.
func linesWith(text, name string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, name) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// Suite is a published suite for stores of the type S, and a store that passes it.
type Suite[S any] struct {
	Test func(t *testing.T, open func(*testing.T) (S, notify.Outbox))
	Open func(*testing.T) (S, notify.Outbox)
}

// Break returns a run of the suite on broken stores: change takes a correct store and returns a broken one. The run must fail at line.
func (s Suite[S]) Break(line, name string, change func(S) S) Broken {
	return Broken{Name: name, Line: line, Run: func(t *testing.T) {
		s.Test(t, func(t *testing.T) (S, notify.Outbox) {
			store, outbox := s.Open(t)
			return change(store), outbox
		})
	}}
}
