package cancellation_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// rememberingBiller is a Biller that says what it booked before.
type rememberingBiller struct {
	*biller
	answer func(key uuid.UUID) (cancellation.Refund, bool, error)
	asked  []uuid.UUID
}

func (b *rememberingBiller) Booked(_ context.Context, key uuid.UUID) (cancellation.Refund, bool, error) {
	b.asked = append(b.asked, key)
	return b.answer(key)
}

var _ cancellation.BookedRefunds = (*rememberingBiller)(nil)

// rememberingFixture is a fixture with a cancellation whose computed refund is 10.00, and with a Biller that booked something before.
func rememberingFixture(
	t *testing.T, answer func(uuid.UUID) (cancellation.Refund, bool, error),
) (*fixture, *rememberingBiller, cancellation.Cancellation) {
	t.Helper()
	b := &rememberingBiller{answer: answer}
	f := newFixture(t, func(c *cancellation.Config) {
		b.biller = c.Biller.(*biller)
		c.Biller = b
	})
	return f, b, f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
}

func booked(amount, currency string, lines ...string) func(uuid.UUID) (cancellation.Refund, bool, error) {
	return func(uuid.UUID) (cancellation.Refund, bool, error) {
		r := cancellation.Refund{Amount: decimal.RequireFromString(amount), Currency: currency}
		for _, l := range lines {
			r.Lines = append(r.Lines, refund.Line{Charge: november(), Amount: decimal.RequireFromString(l)})
		}
		return r, true, nil
	}
}

func nothingBooked(uuid.UUID) (cancellation.Refund, bool, error) {
	return cancellation.Refund{}, false, nil
}

// TestBookedRefund: the record, the mails and the Biller have the refund that was booked before under the key.
func TestBookedRefund(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer func(uuid.UUID) (cancellation.Refund, bool, error)
		total  string
		lines  []string
	}{
		"nothing":                          {nothingBooked, "10.00", []string{"10.00"}},
		"the same":                         {booked("10.00", "EUR"), "10.00", []string{"10.00"}},
		"the same, written otherwise":      {booked("10", ""), "10.00", []string{"10.00"}},
		"more, with lines":                 {booked("20.00", "EUR", "15.00", "5.00"), "20.00", []string{"15.00", "5.00"}},
		"less, without lines":              {booked("0.01", ""), "0.01", nil},
		"lines that do not add up to that": {booked("12.00", "EUR", "15.00"), "12.00", nil},
		"lines with fractions of a cent":   {booked("12.00", "EUR", "11.505", "0.495"), "12.00", nil},
		"a line below zero":                {booked("12.00", "EUR", "15.00", "-3.00"), "12.00", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, b, c := rememberingFixture(t, tt.answer)
			f.tickAt(t, at("2026-11-20 12:00"))
			got := f.get(t, c.ID)
			require.Equal(t, cancellation.Executed, got.State)
			assert.Equal(t, tt.total, got.Refund.Total.StringFixed(2))
			var lines []string
			for _, l := range got.Refund.Lines {
				lines = append(lines, l.Amount.StringFixed(2))
			}
			assert.Equal(t, tt.lines, lines)
			key := uuid.NewSHA1(c.ID, []byte("refund"))
			assert.Equal(t, []uuid.UUID{key}, b.asked)
			assert.Equal(t, tt.total, b.paid[key].Amount.StringFixed(2))
			assert.Len(t, b.paid[key].Lines, len(tt.lines))
			mails := 0
			for _, e := range f.events(t) {
				switch e.Kind {
				case cancellation.KindExecuted, cancellation.KindCompleted:
					var s cancellation.Statement
					require.NoError(t, json.Unmarshal(e.Data, &s))
					assert.Equal(t, tt.total, s.Total)
					assert.Equal(t, "EUR", s.Currency)
					assert.Len(t, s.Lines, len(tt.lines))
					mails++
				case cancellation.KindClosed:
					var closed cancellation.Closed
					require.NoError(t, json.Unmarshal(e.Data, &closed))
					assert.Equal(t, tt.total, closed.Total.StringFixed(2))
					mails++
				}
			}
			assert.Equal(t, 3, mails)
		})
	}
}

// TestBookedRefundOfNothing: the Biller is asked, too, if nothing is left to be refunded, because it has refunded that before.
func TestBookedRefundOfNothing(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]func(uuid.UUID) (cancellation.Refund, bool, error){
		"0.00": nothingBooked, "10.00": booked("10.00", "EUR"),
	} {
		f, b, c := rememberingFixture(t, answer)
		refunded := november()
		refunded.Refunded = refunded.Paid
		b.charges = []refund.Charge{refunded}
		f.tickAt(t, at("2026-11-20 12:00"))
		got := f.get(t, c.ID)
		require.Equal(t, cancellation.Executed, got.State)
		assert.Equal(t, want, got.Refund.Total.StringFixed(2))
		assert.Len(t, b.asked, 1)
		if want == "0.00" {
			assert.Zero(t, b.calls)
			continue
		}
		assert.Equal(t, 1, b.calls)
	}
}

// TestBookedRefundRefuses: an answer that makes no sense is ErrHost. Nothing is paid, and the step is tried again.
func TestBookedRefundRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer func(uuid.UUID) (cancellation.Refund, bool, error)
		says   string
	}{
		"an error":          {func(uuid.UUID) (r cancellation.Refund, f bool, err error) { return r, true, errors.New("no answer") }, "no answer"},
		"zero":              {booked("0", "EUR"), "0 was booked: want an amount above zero"},
		"below zero":        {booked("-1.00", "EUR"), "-1 was booked: want an amount above zero"},
		"another currency":  {booked("10.00", "USD"), `10 "USD" was booked, but the refund is in EUR`},
		"a tenth of a cent": {booked("1.001", "EUR"), "1.001 was booked, with more than the currency's 2 decimal places"},
		"pending": {func(uuid.UUID) (r cancellation.Refund, f bool, err error) {
			return r, false, cancellation.Pending(at("2026-11-21 12:00"))
		}, "it is pending until 2026-11-21T12:00:00Z: want an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, b, c := rememberingFixture(t, tt.answer)
			f.clock.Set(at("2026-11-20 12:00"))
			_, err := f.Tick(t.Context())
			require.ErrorIs(t, err, cancellation.ErrHost)
			require.ErrorContains(t, err, "Biller.Booked")
			got := f.get(t, c.ID)
			assert.Equal(t, cancellation.Executing, got.State)
			assert.Equal(t, 1, got.Attempts)
			assert.Contains(t, got.LastError, tt.says)
			assert.Equal(t, "10.00", got.Refund.Total.StringFixed(2))
			assert.Zero(t, b.calls)
			b.answer = booked("20.00", "EUR")
			f.tickAt(t, got.Due)
			got = f.get(t, c.ID)
			assert.Equal(t, cancellation.Executed, got.State)
			assert.Equal(t, "20.00", got.Refund.Total.StringFixed(2))
		})
	}
}

// TestBookedRefundIsPending: what was booked is called with until it is paid.
func TestBookedRefundIsPending(t *testing.T) {
	t.Parallel()
	f, b, c := rememberingFixture(t, booked("20.00", "EUR"))
	b.failRefund(cancellation.Pending(at("2026-11-21 12:00")))
	f.tickAt(t, at("2026-11-20 12:00"))
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executing, got.State)
	assert.Equal(t, at("2026-11-21 12:00"), got.PendingUntil)
	assert.Equal(t, "20.00", got.Refund.Total.StringFixed(2))
	b.failRefund(nil)
	f.tickAt(t, at("2026-11-21 12:00"))
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
	assert.Equal(t, 2, b.calls)
}

// TestEventsOfAnEpoch: the same change has an event of its own in each epoch, and today's in the first one. The key of the refund is the same.
func TestEventsOfAnEpoch(t *testing.T) {
	t.Parallel()
	for _, epoch := range []string{"", "second"} {
		f := newFixture(t, func(c *cancellation.Config) { c.Epoch = epoch })
		c := f.scheduleAsClient(t, f.server(t).ID)
		_, err := f.Reschedule(t.Context(), f.reseller, c.ID, cancellation.When{At: at("2026-11-20 12:00")})
		require.NoError(t, err)
		f.tickAt(t, at("2026-11-20 12:00"))
		got := f.get(t, c.ID)
		require.Equal(t, cancellation.Executed, got.State)
		assert.Contains(t, f.biller.paid, uuid.NewSHA1(c.ID, []byte("refund")))
		version := map[string]int64{
			"cancellation.scheduled": 1, "cancellation.scheduled_by_client": 1, "cancellation.rescheduled": 2,
			"cancellation.executed": got.Version, "cancellation.completed": got.Version, "cancellation.closed": got.Version,
		}
		events := f.events(t)
		require.Len(t, events, len(version), epoch)
		for _, e := range events {
			want, err := notify.Subject{ID: c.ID, Version: version[string(e.Kind)], Epoch: epoch}.Event(e.Kind, e.At, struct{}{})
			require.NoError(t, err)
			assert.Equal(t, want.ID, e.ID, "%s in epoch %q", e.Kind, epoch)
		}
	}
}
