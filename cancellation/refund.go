package cancellation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/refund"
)

// Biller is the part of the host that handles money. Without a Biller there are no refunds. A Biller may also be a BookedRefunds.
type Biller interface {
	// Paid returns every charge of the server's present assignment, past, current and prepaid, in the server's currency, with
	// the amount of each that was refunded before. A credit on the bill is a charge with a negative amount; see
	// refund.Calculate. 79.5 and 79.50 are the same amount. An amount may have more decimals than the currency; refunds are
	// rounded to those of the currency, and never above what was paid. p is the billing period that contains the planned instant, or the first
	// period; it is for information.
	Paid(ctx context.Context, s dedicated.Server, p dedicated.Period) ([]refund.Charge, error)
	// Refund pays back, once per Refund.Key. It may be called several times with one key, also at the same time.
	Refund(ctx context.Context, r Refund) error
}

// Refund is what the host must pay back, once per Key. Amount is never zero.
type Refund struct {
	Key            uuid.UUID // UUIDv5 of the cancellation's ID over "refund": the same at each attempt
	CancellationID uuid.UUID
	ServerID       uuid.UUID
	ClientID       uuid.UUID
	ResellerID     uuid.UUID
	Amount         decimal.Decimal // above zero
	Currency       string          // ISO 4217
	Lines          []refund.Line   // the refund of each charge
	At             time.Time       // the planned instant, for which it was computed
}

// MarshalJSON writes the amount as a string with all its decimals, so 40.00 stays 40.00. json.Unmarshal reads back the same.
func (r Refund) MarshalJSON() ([]byte, error) {
	type plain Refund
	return json.Marshal(struct {
		plain
		Amount string
	}{plain(r), exactAmount(r.Amount)})
}

// refund returns the refund to pay for an execution that has begun.
func (c Cancellation) refund() Refund {
	return Refund{
		Key: uuid.NewSHA1(c.ID, []byte("refund")), CancellationID: c.ID, ServerID: c.ServerID, ClientID: c.ClientID,
		ResellerID: c.ResellerID, Amount: c.Refund.Total, Currency: c.Currency, Lines: slices.Clone(c.Refund.Lines), At: c.At,
	}
}

// Quote returns the refund, line by line, for a cancellation of the server at w. It uses the same function as the execution.
// Without a Biller it is zero. Permissions are those of Schedule, but NoticeDays, LockDays and an existing cancellation do not
// matter: a client may ask for every end of a billing period from now on, with ClientMayChooseDate for every date from now on. A
// reseller may also ask for a past instant, as far back as Order.Backdated goes. A Biller or formula that fails is ErrHost.
func (m *Manager) Quote(ctx context.Context, a dedicated.Actor, server uuid.UUID, w When) (refund.Result, error) {
	results, err := m.quote(ctx, opQuote, a, server, []When{w})
	if err != nil {
		return refund.Result{}, explain(opQuote, uuid.Nil, server, err)
	}
	return results[0], nil
}

// MaxQuotes is the most instants that one call of Quotes takes.
const MaxQuotes = 1000

// Quotes is Quote for many instants, with one question of the Biller: for a curve. The results are in the order of the instants. The
// period that Biller.Paid is told is that of the first instant. More than MaxQuotes instants are ErrInvalid.
func (m *Manager) Quotes(ctx context.Context, a dedicated.Actor, server uuid.UUID, at ...time.Time) ([]refund.Result, error) {
	if len(at) > MaxQuotes {
		return nil, invalid(opQuotes, "at", "%d instants: want %d at the most", len(at), MaxQuotes)
	}
	var all []When
	for _, t := range at {
		all = append(all, When{At: t})
	}
	results, err := m.quote(ctx, opQuotes, a, server, all)
	return results, explain(opQuotes, uuid.Nil, server, err)
}

func (m *Manager) quote(ctx context.Context, op Op, a dedicated.Actor, server uuid.UUID, all []When) ([]refund.Result, error) {
	r, err := m.readForQuestion(ctx, op, a, server)
	if err != nil {
		return nil, err
	}
	if err := r.checkServer(op, a, server); err != nil {
		return nil, err
	}
	now := m.now()
	var instants []time.Time
	for _, w := range all {
		order, err := r.choose(choice{op: op, actor: a, when: w, quote: true, now: now})
		if err != nil {
			return nil, err
		}
		instants = append(instants, order.at)
	}
	return m.computeRefunds(ctx, r.settings, r.server, instants)
}

// readForQuestion reads the server that an actor asks about, and the settings of its reseller.
func (m *Manager) readForQuestion(ctx context.Context, op Op, a dedicated.Actor, server uuid.UUID) (r reading, err error) {
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return r, actorError(op, a)
	}
	if r.server, r.found, err = inventory.Server(ctx, m.servers, a.ResellerID, server); err != nil {
		return r, err
	}
	r.settings, err = m.readSettings(ctx, a.ResellerID)
	return r, err
}

// computeRefund returns the refund for a server that is cancelled as of at. Quote and the execution both use it.
func (m *Manager) computeRefund(ctx context.Context, settings Settings, s dedicated.Server, at time.Time) (refund.Result, error) {
	results, err := m.computeRefunds(ctx, settings, s, []time.Time{at})
	if err != nil {
		return refund.Result{}, err
	}
	return results[0], nil
}

// computeRefunds returns the refunds for several instants, with one question of the Biller.
func (m *Manager) computeRefunds(
	ctx context.Context, settings Settings, s dedicated.Server, instants []time.Time,
) ([]refund.Result, error) {
	results := make([]refund.Result, len(instants))
	if m.config.Biller == nil || len(instants) == 0 {
		return results, nil
	}
	p, err := periodAt(instants[0], s.Billing)
	if err != nil {
		return nil, billingError(err)
	}
	if s.Billing.Decimals() < 0 {
		return nil, fault.Nonsense("Servers.Server", s.Billing.Validate())
	}
	loc, err := zone.Load(s.Billing.Zone)
	if err != nil {
		return nil, billingError(err)
	}
	formula, err := settings.parseFormula(m.config.RefundFormula)
	if err != nil {
		return nil, fault.Nonsense(partFormula, err)
	}
	question := refund.Case{ServiceStart: s.AssignedAt, Location: loc, Places: s.Billing.Decimals()}
	charges, err := fault.Call(ctx, m.calls, "Biller.Paid", func(ctx context.Context) ([]refund.Charge, error) {
		return m.config.Biller.Paid(ctx, s, p)
	})
	if err != nil {
		return nil, err
	}
	charges = storableCharges(charges)
	for i, at := range instants {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		question.At, question.Charges = at, slices.Clone(charges)
		if results[i], err = m.calculate(ctx, formula, question); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// calculate returns the refund of one case, as it is stored.
func (m *Manager) calculate(ctx context.Context, formula RefundFormula, question refund.Case) (refund.Result, error) {
	if err := question.Validate(); err != nil {
		return refund.Result{}, fault.Nonsense("Biller.Paid", err)
	}
	result, err := fault.Call(ctx, m.calls, partFormula, func(context.Context) (refund.Result, error) {
		return refund.Calculate(formula, question)
	})
	if err != nil {
		return refund.Result{}, err
	}
	if err := checkRefund(question, result); err != nil {
		return refund.Result{}, fault.Nonsense(partFormula, err)
	}
	return storedRefund(result, question.Places), nil
}

// partFormula is the name of the refund formula in errors.
const partFormula = "refund formula"

// storedRefund returns a result as it is stored: with the currency's decimals, times in UTC to the microsecond, and no slice of the
// host's.
func storedRefund(result refund.Result, places int32) refund.Result {
	result.Lines, result.Total = slices.Clone(result.Lines), withPlaces(result.Total, places)
	for i := range result.Lines {
		result.Lines[i].Amount = withPlaces(result.Lines[i].Amount, places)
		result.Lines[i].Note = text.Clean(result.Lines[i].Note, maxLabel)
		c := &result.Lines[i].Charge
		c.Start, c.End = zone.Instant(c.Start), zone.Instant(c.End)
		c.Label = text.Clean(c.Label, maxLabel)
	}
	return result
}

// maxLabel is the most bytes that are stored of a label and of a note.
const maxLabel = 1000

// storableCharges returns the charges without instants that no formula reads and no JSON can hold: a database may say "infinity" for the
// period of a set-up fee.
func storableCharges(charges []refund.Charge) []refund.Charge {
	charges = slices.Clone(charges)
	for i := range charges {
		if c := &charges[i]; (c.Kind == refund.Setup || c.Kind == refund.Usage) && !storable(c.Start, c.End) {
			c.Start, c.End = time.Time{}, time.Time{}
		}
	}
	return charges
}

// storable reports whether JSON can hold the instants.
func storable(instants ...time.Time) bool {
	return !slices.ContainsFunc(instants, func(t time.Time) bool { return t.UTC().Year() < 1 || t.UTC().Year() > lastYear })
}

// withPlaces returns the amount with exactly that many decimals. It must not have more.
func withPlaces(amount decimal.Decimal, places int32) decimal.Decimal {
	return amount.Truncate(places).Add(decimal.New(0, -places))
}

// checkRefund refuses a result that no formula may return: below zero, above the rest of what was paid, with more decimals than
// the currency has, with lines that do not add up to the total, or with a line that is below zero or has more decimals.
func checkRefund(question refund.Case, result refund.Result) error {
	if err := checkDigits(result.Total, result.Lines); err != nil {
		return err
	}
	rest := decimal.Zero
	for _, c := range question.Charges {
		rest = rest.Add(c.Paid).Sub(c.Refunded)
	}
	rest = decimal.Max(rest, decimal.Zero)
	switch total, sum := result.Total, sumOf(result.Lines); {
	case total.IsNegative():
		return fmt.Errorf("%s is below zero", total)
	case total.GreaterThan(rest):
		return fmt.Errorf("%s is more than the %s that was paid and not yet refunded", total, rest)
	case !total.Equal(total.Truncate(question.Places)):
		return fmt.Errorf("%s has more than the currency's %d decimal places", total, question.Places)
	case len(result.Lines) > 0 && !sum.Equal(total):
		return fmt.Errorf("the lines add up to %s, but the total is %s", sum, total)
	}
	if err := checkLines(result.Lines, question.Places); err != nil {
		return err
	}
	if n := len(result.Lines); n > 0 && n != len(question.Charges) {
		return fmt.Errorf("it has %d lines for %d charges: want one for each", n, len(question.Charges))
	}
	for i, l := range result.Lines {
		c := question.Charges[i]
		if rest := decimal.Max(c.Paid.Sub(c.Refunded), decimal.Zero); l.Amount.GreaterThan(rest) {
			return fmt.Errorf("the line %.100q is %s, which is more than the %s that was paid and not yet refunded", l.Charge.Label, l.Amount, rest)
		}
	}
	return nil
}

// maxDigits bounds the digits of an amount that a part of the host answers, before and after the point.
const maxDigits = 100

// checkDigits refuses amounts with which arithmetic would take long, and instants that JSON cannot hold. It takes the same short time for
// every amount.
func checkDigits(total decimal.Decimal, lines []refund.Line) error {
	amounts := []decimal.Decimal{total}
	for _, l := range lines {
		amounts = append(amounts, l.Amount, l.Charge.Paid, l.Charge.Refunded)
		if !storable(l.Charge.Start, l.Charge.End) {
			return fmt.Errorf("the line %.100q has a period outside the years 1 to %d", l.Charge.Label, lastYear)
		}
	}
	for _, amount := range amounts {
		if e := amount.Exponent(); e < -maxDigits || e > maxDigits || amount.Coefficient().BitLen() > 4*maxDigits {
			return fmt.Errorf("an amount has more than %d digits", maxDigits)
		}
	}
	return nil
}

// checkLines refuses a line that is below zero or has more decimals than the currency.
func checkLines(lines []refund.Line, places int32) error {
	for _, l := range lines {
		if l.Amount.IsNegative() || !l.Amount.Equal(l.Amount.Truncate(places)) {
			return fmt.Errorf("the line %q is %s: want 0 or more with at most %d decimal places", l.Charge.Label, l.Amount, places)
		}
	}
	return nil
}

// sumOf returns the sum of the lines.
func sumOf(lines []refund.Line) decimal.Decimal {
	sum := decimal.Zero
	for _, l := range lines {
		sum = sum.Add(l.Amount)
	}
	return sum
}
