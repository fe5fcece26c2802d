package refund

import (
	"fmt"
	"math/big"
)

// evaluation works a program out for one charge after another.
type evaluation struct {
	program *program
	now     moment
	values  [variables]number
	served  bool             // the case says when the service began
	seen    map[*node]number // what each operation gave, for Explain; nil: nobody asks
}

// begin sets what is the same for all charges.
func (run *evaluation) begin(c *Case) {
	run.now = c.moment()
	run.values[varPlaces] = whole(int64(c.Places))
	run.served = !c.ServiceStart.IsZero()
	if run.served {
		run.values[varServiceDays] = whole(run.now.served(c.ServiceStart))
	}
}

// figure works the expression out for one charge.
func (run *evaluation) figure(charge *Charge, paid number) (figure, error) {
	var unused, total, unusedSeconds, seconds int64
	if !charge.Start.IsZero() { // a Flat charge may have none, and then has no period to speak of
		unused, total = run.now.days(charge, 1)
		unusedSeconds, seconds = run.now.seconds(charge)
	}
	run.values[varPaid] = paid
	run.values[varUnusedDays] = whole(unused)
	run.values[varUsedDays] = whole(total - unused)
	run.values[varPeriodDays] = whole(total)
	run.values[varUnusedSeconds] = whole(unusedSeconds)
	run.values[varPeriodSeconds] = whole(seconds)
	exact, err := run.value(run.program.root)
	return figure{exact: exact, unused: unused, total: total}, err
}

// value works out n. Each branch below does so for its kind of operation.
func (run *evaluation) value(n *node) (number, error) {
	v, err := run.work(n)
	if err != nil {
		return number{}, err
	}
	if v.large() {
		return number{}, run.wrong(n, "is too long", "values of at most 308 digits")
	}
	if run.seen != nil {
		run.seen[n] = v
	}
	return v, nil
}

func (run *evaluation) work(n *node) (number, error) {
	switch n.op {
	case opNumber:
		return n.value, nil
	case opVariable:
		return run.variable(n)
	case opAnd, opOr, opWhen:
		return run.branch(n)
	case opMin, opMax:
		return run.extreme(n)
	}
	a, err := run.value(n.args[0])
	if err != nil {
		return number{}, err
	}
	switch n.op {
	case opNegate:
		return a.neg(), nil
	case opNot:
		return truth(a.sign() == 0), nil
	case opRound, opFloor, opCeil:
		return run.rounded(n, a)
	}
	b, err := run.value(n.args[1])
	if err != nil {
		return number{}, err
	}
	return run.binary(n, a, b)
}

func (run *evaluation) variable(n *node) (number, error) {
	if n.variable == varServiceDays && !run.served {
		return number{}, setting("ServiceStart", "is missing", "when the service began, for "+run.place(n))
	}
	return run.values[n.variable], nil
}

func (run *evaluation) binary(n *node, a, b number) (number, error) {
	switch n.op {
	case opAdd:
		return a.add(b), nil
	case opSubtract:
		return a.sub(b), nil
	case opMultiply:
		return a.mul(b), nil
	case opDivide:
		if b.sign() == 0 {
			return number{}, run.wrong(n.args[1], "is 0", "a divisor other than 0")
		}
		return a.quo(b), nil
	}
	order := a.cmp(b)
	switch n.op {
	case opEqual:
		return truth(order == 0), nil
	case opNotEqual:
		return truth(order != 0), nil
	case opLess:
		return truth(order < 0), nil
	case opLessEqual:
		return truth(order <= 0), nil
	case opMore:
		return truth(order > 0), nil
	default:
		return truth(order >= 0), nil
	}
}

// branch works out only what it has to: a formula may ask whether a divisor is 0 before it divides.
func (run *evaluation) branch(n *node) (number, error) {
	first, err := run.value(n.args[0])
	if err != nil {
		return number{}, err
	}
	yes := first.sign() != 0
	switch {
	case n.op == opWhen && yes:
		return run.value(n.args[1])
	case n.op == opWhen:
		return run.value(n.args[2])
	case yes == (n.op == opOr):
		return first, nil
	}
	return run.value(n.args[1])
}

func (run *evaluation) extreme(n *node) (number, error) {
	wanted := -1
	if n.op == opMax {
		wanted = 1
	}
	var best number
	for i, arg := range n.args {
		v, err := run.value(arg)
		if err != nil {
			return number{}, err
		}
		if i == 0 || v.cmp(best) == wanted {
			best = v
		}
	}
	return best, nil
}

func (run *evaluation) rounded(n *node, a number) (number, error) {
	places := int32(0)
	if len(n.args) == 2 {
		p, err := run.value(n.args[1])
		if err != nil {
			return number{}, err
		}
		if p.cmp(whole(-mostPlaces)) < 0 || p.cmp(whole(mostPlaces)) > 0 || p.cmp(p.round(0, floor)) != 0 {
			return number{}, run.wrong(n.args[1], "is "+p.String(), "a whole number of decimals, -8 to 8")
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

func truth(yes bool) number {
	if yes {
		return whole(1)
	}
	return whole(0)
}

// text quotes the source of n, shortened.
func (run *evaluation) text(n *node) string {
	return fmt.Sprintf("%.40q", run.program.source[n.from:n.to])
}

func (run *evaluation) place(n *node) string {
	at := wrongAt(run.program.source, n.from, "", "", "")
	return fmt.Sprintf("%s in line %d, column %d", run.text(n), at.Line, at.Column)
}

// wrong says what the value of n cannot be.
func (run *evaluation) wrong(n *node, is, expected string) error {
	return wrongAt(run.program.source, n.from, run.text(n)+", which "+is, expected, "")
}
