package refund_test

import (
	"testing"

	"github.com/metalkeep/metalkeep/refund"
)

func BenchmarkProrated(b *testing.B) {
	c, f := on10th(november("100.00")), refund.Prorated{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Refund(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExpression(b *testing.B) {
	c, e := on10th(november("100.00")), parse(b, "paid * unused_days / period_days - 5")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Refund(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := refund.Parse("when(service_days < 30, paid, paid * unused_days / period_days * 0.8)"); err != nil {
			b.Fatal(err)
		}
	}
}
