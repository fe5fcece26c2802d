package refund

import (
	"fmt"
	"math/big"
	"strings"
)

// Explanation shows how an Expression calculated the line of one charge.
//
// Steps lists the parts of the expression, except plain numbers, in the order of the source. Each part comes before the parts that
// it consists of. Steps is empty for Setup and Usage charges and for credits.
type Explanation struct {
	Line  Line
	Steps []Step
}

// Step is one part of an expression with its value.
type Step struct {
	Source string // the part as it was written, with every run of spaces and line breaks shortened to one space
	Depth  int    // how deeply the part is nested; 0 for the whole expression

	// Value is "true" or "false" for a condition. For a number it is the exact decimal if that is short. Otherwise it is the
	// decimal truncated to ten places, followed by the exact fraction if that is short. It is "" for a part that was not needed,
	// such as the argument of when that was not chosen. The parts of such a part are left out.
	Value string
}

// Explain calculates the refund like Refund and returns one Explanation for each charge, in the order of the charges. A reseller
// sees there how an amount came about. Its errors are those of Refund.
func (e *Expression) Explain(c Case) ([]Explanation, error) {
	if err := e.validate(); err != nil {
		return nil, err
	}
	var steps [][]Step
	r, err := c.calculate(func(c Case) (Result, error) {
		ev := evaluation{program: e.program}
		ev.setCase(&c)
		return c.buildResult(HalfEven, func(charge *Charge, paid number) (rawLine, error) {
			ev.trace = map[*node]number{}
			raw, err := ev.evaluateCharge(charge, paid)
			steps = append(steps, ev.appendSteps(nil, e.program.root, 0))
			return raw, err
		})
	})
	if err != nil {
		return nil, err
	}
	explanations := make([]Explanation, len(r.Lines))
	for i, l := range r.Lines {
		explanations[i].Line = l
		if l.Charge.Kind.refundable() && !l.Charge.isCredit() {
			explanations[i].Steps, steps = steps[0], steps[1:]
		}
	}
	return explanations, nil
}

// appendSteps appends the step of n and the steps of its parts.
func (ev *evaluation) appendSteps(all []Step, n *node, depth int) []Step {
	if n.op == opNumber {
		return all
	}
	s := Step{Source: strings.Join(strings.Fields(ev.program.source[n.from:n.to]), " "), Depth: depth}
	v, needed := ev.trace[n]
	if !needed {
		return append(all, s)
	}
	s.Value = v.String()
	if n.op.isCondition() {
		s.Value = fmt.Sprint(v.sign() != 0)
	}
	all = append(all, s)
	for _, arg := range n.args {
		all = ev.appendSteps(all, arg, depth+1)
	}
	return all
}

// String returns a text for a person: the Line, then one indented line for each Step.
func (x Explanation) String() string {
	var b strings.Builder
	b.WriteString(x.Line.String())
	for _, s := range x.Steps {
		value := "= " + s.Value
		if s.Value == "" {
			value = "was not needed"
		}
		fmt.Fprintf(&b, "\n%s%s %s", strings.Repeat("  ", s.Depth+1), s.Source, value)
	}
	return b.String()
}

// String returns the exact decimal if it is short, and otherwise the truncated decimal and the fraction, as Step.Value documents.
func (x number) String() string {
	const (
		maxDecimals       = 20
		truncatedDecimals = 10
		maxFractionLength = 40
	)
	exact := new(big.Rat).SetFrac(x.parts())
	if n, ok := exact.FloatPrec(); ok && n <= maxDecimals {
		return exact.FloatString(n)
	}
	s := truncate(exact, truncatedDecimals) + "…"
	if fraction := exact.String(); len(fraction) <= maxFractionLength {
		s += " (" + fraction + ")"
	}
	return s
}

// truncate returns x with the given number of decimals, rounded toward zero.
func truncate(x *big.Rat, decimals int) string {
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	scaled := power.Mul(power, x.Num())
	digits := scaled.Quo(scaled, x.Denom())
	s := new(big.Int).Abs(digits).String()
	if len(s) <= decimals {
		s = strings.Repeat("0", decimals+1-len(s)) + s
	}
	s = s[:len(s)-decimals] + "." + s[len(s)-decimals:]
	if x.Sign() < 0 {
		return "-" + s
	}
	return s
}
