package refund

import (
	"fmt"
	"math/big"
)

// evaluation calculates a program for one charge after another.
type evaluation struct {
	program         *program
	ended           serviceEnd
	values          [variableCount]number
	hasServiceStart bool
	trace           map[*node]number // the value of each node that was calculated; only if it is not nil
}

// setCase sets the variables that are the same for all charges.
func (ev *evaluation) setCase(c *Case) {
	ev.ended = c.serviceEnd()
	ev.values[varPlaces] = whole(int64(c.Places))
	ev.hasServiceStart = !c.ServiceStart.IsZero()
	if ev.hasServiceStart {
		ev.values[varServiceDays] = whole(ev.ended.daysSince(c.ServiceStart))
	}
}

// evaluateCharge calculates the program for one charge.
func (ev *evaluation) evaluateCharge(charge *Charge, paid number) (rawLine, error) {
	var unused, total, unusedSeconds, seconds int64
	if !charge.Start.IsZero() { // a Flat charge without a Start has a period of 0
		unused, total = ev.ended.days(charge, 1)
		unusedSeconds, seconds = ev.ended.seconds(charge)
	}
	ev.values[varPaid] = paid
	ev.values[varUnusedDays] = whole(unused)
	ev.values[varUsedDays] = whole(total - unused)
	ev.values[varPeriodDays] = whole(total)
	ev.values[varUnusedSeconds] = whole(unusedSeconds)
	ev.values[varPeriodSeconds] = whole(seconds)
	exact, err := ev.evaluate(ev.program.root)
	return rawLine{exact: exact, unused: unused, total: total}, err
}

// evaluate returns the value of n. It checks its length and records it in the trace.
func (ev *evaluation) evaluate(n *node) (number, error) {
	v, err := ev.apply(n)
	if err != nil {
		return number{}, err
	}
	if v.tooLong() {
		return number{}, ev.errorAt(n, "is too long", "values of at most 308 digits")
	}
	if ev.trace != nil {
		ev.trace[n] = v
	}
	return v, nil
}

// apply evaluates the arguments of n and applies its operation to them.
func (ev *evaluation) apply(n *node) (number, error) {
	switch n.op {
	case opNumber:
		return n.value, nil
	case opVariable:
		return ev.readVariable(n)
	case opAnd, opOr, opWhen:
		return ev.applyBranch(n)
	case opMin, opMax:
		return ev.applyExtreme(n)
	}
	a, err := ev.evaluate(n.args[0])
	if err != nil {
		return number{}, err
	}
	switch n.op {
	case opNegate:
		return a.neg(), nil
	case opNot:
		return fromBool(a.sign() == 0), nil
	case opRound, opFloor, opCeil:
		return ev.applyRounding(n, a)
	}
	b, err := ev.evaluate(n.args[1])
	if err != nil {
		return number{}, err
	}
	return ev.applyBinary(n, a, b)
}

func (ev *evaluation) readVariable(n *node) (number, error) {
	if n.variable == varServiceDays && !ev.hasServiceStart {
		return number{}, settingError("ServiceStart", "is missing", "the start of the service, which "+ev.position(n)+" needs")
	}
	return ev.values[n.variable], nil
}

func (ev *evaluation) applyBinary(n *node, a, b number) (number, error) {
	switch n.op {
	case opAdd:
		return a.add(b), nil
	case opSubtract:
		return a.sub(b), nil
	case opMultiply:
		return a.mul(b), nil
	case opDivide:
		if b.sign() == 0 {
			return number{}, ev.errorAt(n.args[1], "is 0", "a divisor other than 0")
		}
		return a.quo(b), nil
	}
	comparison := a.cmp(b)
	switch n.op {
	case opEqual:
		return fromBool(comparison == 0), nil
	case opNotEqual:
		return fromBool(comparison != 0), nil
	case opLess:
		return fromBool(comparison < 0), nil
	case opLessEqual:
		return fromBool(comparison <= 0), nil
	case opMore:
		return fromBool(comparison > 0), nil
	default:
		return fromBool(comparison >= 0), nil
	}
}

// applyBranch evaluates only the arguments that it needs, so a formula can test whether a divisor is 0 before it divides.
func (ev *evaluation) applyBranch(n *node) (number, error) {
	first, err := ev.evaluate(n.args[0])
	if err != nil {
		return number{}, err
	}
	isTrue := first.sign() != 0
	switch {
	case n.op == opWhen && isTrue:
		return ev.evaluate(n.args[1])
	case n.op == opWhen:
		return ev.evaluate(n.args[2])
	case isTrue == (n.op == opOr):
		return first, nil
	}
	return ev.evaluate(n.args[1])
}

// applyExtreme returns the smallest argument for opMin and the largest for opMax.
func (ev *evaluation) applyExtreme(n *node) (number, error) {
	better := -1
	if n.op == opMax {
		better = 1
	}
	var best number
	for i, arg := range n.args {
		v, err := ev.evaluate(arg)
		if err != nil {
			return number{}, err
		}
		if i == 0 || v.cmp(best) == better {
			best = v
		}
	}
	return best, nil
}

func (ev *evaluation) applyRounding(n *node, a number) (number, error) {
	places := int32(0)
	if len(n.args) == 2 {
		p, err := ev.evaluate(n.args[1])
		if err != nil {
			return number{}, err
		}
		if p.cmp(whole(-maxPlaces)) < 0 || p.cmp(whole(maxPlaces)) > 0 || p.cmp(p.round(0, floor)) != 0 {
			return number{}, ev.errorAt(n.args[1], "is "+p.String(), "a whole number of decimals, -8 to 8")
		}
		num, den := p.parts()
		places = int32(new(big.Int).Quo(num, den).Int64())
	}
	switch n.op {
	case opFloor:
		return a.round(places, floor), nil
	case opCeil:
		return a.round(places, ceil), nil
	}
	return a.round(places, HalfEven), nil
}

// fromBool returns 1 for true and 0 for false.
func fromBool(b bool) number {
	if b {
		return whole(1)
	}
	return whole(0)
}

// quote returns the source of n in quotes, cut to 40 characters.
func (ev *evaluation) quote(n *node) string {
	return fmt.Sprintf("%.40q", ev.program.source[n.from:n.to])
}

// position returns the source of n with its line and column.
func (ev *evaluation) position(n *node) string {
	at := newExpressionError(ev.program.source, n.from, "", "", "")
	return fmt.Sprintf("%s in line %d, column %d", ev.quote(n), at.Line, at.Column)
}

// errorAt returns an error about the value of n. problem ends the sentence "the value …".
func (ev *evaluation) errorAt(n *node, problem, expected string) error {
	return newExpressionError(ev.program.source, n.from, ev.quote(n)+", which "+problem, expected, "")
}
