package refund

import (
	"fmt"
	"math/big"
	"strings"
)

// Explanation shows how an expression came to the line of one charge. Steps holds every part of the expression that works
// something out, numbers aside, in the order of reading: a whole before its parts. Setup and Usage charges have none.
type Explanation struct {
	Line  Line
	Steps []Step
}

// Step is one part of an expression with its value.
//
// Source is the part as it was written, Depth how deep it lies in the expression, from 0. Value is a decimal where one is
// exact, else one cut off after ten decimals with the exact fraction behind it, or true or false; "" is for a part that
// was not needed, such as the other side of a when, whose own parts are left out.
type Step struct {
	Source string
	Depth  int
	Value  string
}

// Explain answers as Refund does, one explanation for each charge, and shows the value of every part on the way: for the
// reseller who asks why it is 12.34. Its errors are those of Refund.
func (e *Expression) Explain(c Case) ([]Explanation, error) {
	if err := e.ready(c); err != nil {
		return nil, err
	}
	run := evaluation{program: e.program}
	run.begin(&c)
	var steps [][]Step
	r, err := c.answer(HalfEven, func(charge *Charge, paid number) (figure, error) {
		run.seen = map[*node]number{}
		f, err := run.figure(charge, paid)
		steps = append(steps, run.steps(nil, e.program.root, 0))
		return f, err
	})
	if err != nil {
		return nil, err
	}
	explanations := make([]Explanation, len(r.Lines))
	for i, l := range r.Lines {
		explanations[i].Line = l
		if l.Charge.Kind.refundable() {
			explanations[i].Steps, steps = steps[0], steps[1:]
		}
	}
	return explanations, nil
}

// steps appends those of n and of its parts.
func (run *evaluation) steps(all []Step, n *node, depth int) []Step {
	if n.op == opNumber {
		return all
	}
	s := Step{Source: strings.Join(strings.Fields(run.program.source[n.from:n.to]), " "), Depth: depth}
	v, needed := run.seen[n]
	if !needed {
		return append(all, s)
	}
	s.Value = v.String()
	if n.op.condition() {
		s.Value = fmt.Sprint(v.sign() != 0)
	}
	all = append(all, s)
	for _, arg := range n.args {
		all = run.steps(all, arg, depth+1)
	}
	return all
}

// String writes the explanation for a person: the line, and below it a row for each step.
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

// String writes a decimal where one is exact and short, else one cut off with the fraction behind it.
func (x number) String() string {
	const (
		mostDecimals = 20
		decimals     = 10
		mostFraction = 40
	)
	exact := new(big.Rat).SetFrac(x.parts())
	if n, ok := exact.FloatPrec(); ok && n <= mostDecimals {
		return exact.FloatString(n)
	}
	s := cut(exact, decimals) + "…"
	if fraction := exact.String(); len(fraction) <= mostFraction {
		s += " (" + fraction + ")"
	}
	return s
}

// cut writes x with its first decimals, not rounded.
func cut(x *big.Rat, decimals int) string {
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
