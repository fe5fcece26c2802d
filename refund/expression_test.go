package refund_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// Each source is applied to 100.00 paid for 1 to 30 November, cancelled on the 10th at noon.
func TestExpressionValues(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"paid":                                 "100.00",
		"paid * unused_days / period_days":     "66.67",
		"paid * unused_days / period_days - 5": "61.67",
		"unused_days":                          "20.00",
		"used_days":                            "10.00",
		"period_days":                          "30.00",
		"unused_seconds / 86400":               "20.50",
		"period_seconds / 86400":               "30.00",
		"service_days":                         "9.00",
		"places":                               "2.00",
		"1 / 3 * 3":                            "1.00",
		"1 + 2 * 3":                            "7.00",
		"(1 + 2) * 3":                          "9.00",
		"10 - 2 - 3":                           "5.00",
		"100 / 10 / 5":                         "2.00",
		"100 / (10 / 5)":                       "50.00",
		"-2 + 5":                               "3.00",
		"- -5":                                 "5.00",
		"2 * -3 + 10":                          "4.00",
		"1 / -4 + 1":                           "0.75",
		"0.005":                                "0.00",
		"0.015":                                "0.02",
		"0.1 + 0.2":                            "0.30",
		"12.30":                                "12.30",
		"min(3, 1, 2)":                         "1.00",
		"max(3, 1, 2, paid)":                   "100.00",
		"min(0 - 1, 1) + 2":                    "1.00",
		"round(2.5)":                           "2.00",
		"round(3.5)":                           "4.00",
		"round(0 - 2.5) + 5":                   "3.00",
		"round(1.005, 2)":                      "1.00",
		"round(12.345, places)":                "12.34",
		"round(85, -1)":                        "80.00",
		"floor(2.9)":                           "2.00",
		"floor(0 - 2.1) + 5":                   "2.00",
		"floor(2.19, 1)":                       "2.10",
		"ceil(2.1)":                            "3.00",
		"ceil(0 - 2.9) + 5":                    "3.00",
		"ceil(2.11, 1)":                        "2.20",
		"ceil(61, -1)":                         "70.00",
		"round(10 / 3, 8) * 100000000 - 333333300":     "33.00",
		"when(unused_days > 19, 1, 2)":                 "1.00",
		"when(unused_days > 20, 1, 2)":                 "2.00",
		"when(unused_days >= 20, 1, 2)":                "1.00",
		"when(unused_days < 20, 1, 2)":                 "2.00",
		"when(unused_days <= 20, 1, 2)":                "1.00",
		"when(unused_days == 20, 1, 2)":                "1.00",
		"when(unused_days != 20, 1, 2)":                "2.00",
		"when(1/3 == 2/6, 1, 2)":                       "1.00",
		"when(!(paid == 100), 1, 2)":                   "2.00",
		"when(paid > 1 && paid < 50, 1, 2)":            "2.00",
		"when(paid > 1 || paid < 50, 1, 2)":            "1.00",
		"when(paid < 1 || paid < 50, 1, 2)":            "2.00",
		"when(1 < 2 || 1 < 2 && 2 < 1, 1, 2)":          "1.00",
		"when(period_days > 0, paid / period_days, 0)": "3.33",
		"when(period_days == 0, paid / 0, 7)":          "7.00",
		"when(1 == 1 || 1 / 0 == 1, 7, 8)":             "7.00",
		"when(1 == 2 && 1 / 0 == 1, 7, 8)":             "8.00",
		"when(service_days < 30, paid, 0)":             "100.00",
		" paid\r\n\t* 0.5\n":                           "50.00",
		"(((paid)))":                                   "100.00",
		"99999999999999999999 * 99999999999999999999 / 99999999999999999999 / 3333333333333333333": "30.00",
		"when(1 / -99999999999999999999 < 0, 1, 2)":                                                "1.00",
		"7 / (0 - 9223372036854775807 - 1) * -9223372036854775808":                                 "7.00",
		"3 * -(0 - 9223372036854775807 - 1) / 9223372036854775808":                                 "3.00",
		"4611686018427387904 * 2 / 9223372036854775808":                                            "1.00",
		"paid - 200": "0.00",
		"paid * 2":   "100.00",
	}
	for source, want := range tests {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			checkRefund(t, parse(t, source), on10th(november("100.00")), want, want)
		})
	}
}

func TestInvalidExpressions(t *testing.T) {
	t.Parallel()
	const operand, operatorOrEnd = "a number, a name or (", "an operator or the end of the formula"
	const anything, number = "a number, a name, an operator or a parenthesis", "a decimal number such as 12 or 0.05"
	wrong := func(line, column int, found, expected, nearest string) refund.ExpressionError {
		return refund.ExpressionError{Line: line, Column: column, Found: found, Expected: expected, Nearest: nearest}
	}
	tests := map[string]refund.ExpressionError{
		"":                             wrong(1, 1, "the end of the formula", operand, ""),
		" \n ":                         wrong(1, 1, "the end of the formula", operand, ""),
		"paid *":                       wrong(1, 7, "the end of the formula", operand, ""),
		"paid *\n\n":                   wrong(1, 7, "the end of the formula", operand, ""),
		"paid paid":                    wrong(1, 6, `"paid"`, operatorOrEnd, ""),
		"2 paid":                       wrong(1, 3, `"paid"`, operatorOrEnd, ""),
		"paid !":                       wrong(1, 6, `"!"`, operatorOrEnd, ""),
		"(paid":                        wrong(1, 6, "the end of the formula", "an operator or )", ""),
		"paid)":                        wrong(1, 5, `")"`, operatorOrEnd, ""),
		"max(1 2)":                     wrong(1, 7, `"2"`, "an operator, a comma or )", ""),
		"max(1, 2":                     wrong(1, 9, "the end of the formula", "an operator, a comma or )", ""),
		"max(,1)":                      wrong(1, 5, `","`, operand, ""),
		"max(1,)":                      wrong(1, 7, `")"`, operand, ""),
		"max()":                        wrong(1, 5, `")"`, operand, ""),
		"(1, 2)":                       wrong(1, 3, `","`, "an operator or )", "."),
		"0,5":                          wrong(1, 2, `","`, operatorOrEnd, "."),
		"paid, 5":                      wrong(1, 5, `","`, operatorOrEnd, ""),
		"()":                           wrong(1, 2, `")"`, operand, ""),
		"(max)(1, 2)":                  wrong(1, 6, `"("`, operatorOrEnd, ""),
		"+5":                           wrong(1, 1, `"+"`, operand, ""),
		"*paid":                        wrong(1, 1, `"*"`, operand, ""),
		"paid // half":                 wrong(1, 6, "a comment", "a formula without comments", ""),
		"paid /* half */":              wrong(1, 6, "a comment", "a formula without comments", ""),
		"paid = 3":                     wrong(1, 6, `"="`, anything, "=="),
		"paid & 3":                     wrong(1, 6, `"&"`, anything, "&&"),
		"paid | 3":                     wrong(1, 6, `"|"`, anything, "||"),
		"paid * 80%":                   wrong(1, 10, `"%"`, anything, "/ 100"),
		"when(paid <-1, 1, 2)":         wrong(1, 11, `"<-"`, anything, "< -"),
		"5 --3":                        wrong(1, 3, `"--"`, anything, "- -"),
		"if(paid, 1, 2)":               wrong(1, 1, `"if"`, anything, "when"),
		"[paid]":                       wrong(1, 1, `"["`, anything, "("),
		"(paid]":                       wrong(1, 6, `"]"`, anything, ")"),
		"max(1; 2)":                    wrong(1, 6, `";"`, anything, ","),
		"paid.Sub":                     wrong(1, 5, `"."`, anything, ""),
		"func() { }":                   wrong(1, 1, `"func"`, anything, ""),
		"paid...":                      wrong(1, 5, `"..."`, anything, ""),
		"'c'":                          wrong(1, 1, `"'c'"`, anything, ""),
		`"text"`:                       wrong(1, 1, `"\"text\""`, anything, ""),
		"`text`":                       wrong(1, 1, "\"`text`\"", anything, ""),
		`"text`:                        wrong(1, 1, `"\"text"`, anything, ""),
		"2i":                           wrong(1, 1, `"2i"`, anything, ""),
		"paid # 1":                     wrong(1, 6, `"#"`, anything, ""),
		"paid ~ 1":                     wrong(1, 6, `"~"`, anything, ""),
		"0x10":                         wrong(1, 1, `"0x10"`, number, ""),
		"0b11":                         wrong(1, 1, `"0b11"`, number, ""),
		"0x1p-2":                       wrong(1, 1, `"0x1p-2"`, number, ""),
		"1e5":                          wrong(1, 1, `"1e5"`, number, ""),
		"1e1000000000":                 wrong(1, 1, `"1e1000000000"`, number, ""),
		"007":                          wrong(1, 1, `"007"`, number, ""),
		"00.5":                         wrong(1, 1, `"00.5"`, number, ""),
		"1_000":                        wrong(1, 1, `"1_000"`, number, ""),
		".5":                           wrong(1, 1, `".5"`, number, ""),
		"1.":                           wrong(1, 1, `"1."`, number, ""),
		"paid × 2":                     wrong(1, 6, "'×'", "ASCII letters, digits and signs", "*"),
		"paid ÷ 2":                     wrong(1, 6, "'÷'", "ASCII letters, digits and signs", "/"),
		"paid − 2":                     wrong(1, 6, "'−'", "ASCII letters, digits and signs", "-"),
		"when(paid ≤ 2, 1, 2)":         wrong(1, 11, "'≤'", "ASCII letters, digits and signs", "<="),
		"when(paid ≥ 2, 1, 2)":         wrong(1, 11, "'≥'", "ASCII letters, digits and signs", ">="),
		"when(paid ≠ 2, 1, 2)":         wrong(1, 11, "'≠'", "ASCII letters, digits and signs", "!="),
		"paid\x00":                     wrong(1, 5, `'\x00'`, "ASCII letters, digits and signs", ""),
		"paid \u202e5":                 wrong(1, 6, `'\u202e'`, "ASCII letters, digits and signs", ""),
		"paid \xff":                    wrong(1, 6, "'\ufffd'", "ASCII letters, digits and signs", ""),
		"unusd_days + 1":               wrong(1, 1, `"unusd_days"`, "a variable", "unused_days"),
		"paid *\n  unused_day":         wrong(2, 3, `"unused_day"`, "a variable", "unused_days"),
		"paid\r\n+\r\n\tservicedays":   wrong(3, 2, `"servicedays"`, "a variable", "service_days"),
		"Paid":                         wrong(1, 1, `"Paid"`, "a variable", "paid"),
		"UNUSED_DAYS":                  wrong(1, 1, `"UNUSED_DAYS"`, "a variable", "unused_days"),
		"unused":                       wrong(1, 1, `"unused"`, "a variable", "unused_days"),
		"discount":                     wrong(1, 1, `"discount"`, "a variable", ""),
		strings.Repeat("x", 65):        wrong(1, 1, `"`+strings.Repeat("x", 40)+`"`, "a variable", ""),
		"mim(1, 2)":                    wrong(1, 1, `"mim"`, "a function", "min"),
		"paid(1)":                      wrong(1, 1, `"paid"`, "a function", ""),
		"min + 1":                      wrong(1, 1, "the function min without arguments", "two values or more, as in min(a, b)", ""),
		"1 + min(1)":                   wrong(1, 5, "1 value for min", "two values or more, as in min(a, b)", ""),
		"max(1)":                       wrong(1, 1, "1 value for max", "two values or more, as in max(a, b)", ""),
		"round(1, 2, 3)":               wrong(1, 1, "3 values for round", "one or two values, as in round(a) or round(a, 2)", ""),
		"when(1 < 2, 1)":               wrong(1, 1, "2 values for when", "three values, as in when(condition, a, b)", ""),
		"paid < 3":                     wrong(1, 1, "a condition", "a number", "when"),
		"1 + (paid < 3)":               wrong(1, 5, "a condition", "a number", "when"),
		"1 < 2 < 3":                    wrong(1, 1, "a condition", "a number", "when"),
		"-(1 < 2)":                     wrong(1, 2, "a condition", "a number", "when"),
		"max(1 < 2, 3)":                wrong(1, 5, "a condition", "a number", "when"),
		"when(1 < 2, 1 < 2, 3)":        wrong(1, 13, "a condition", "a number", "when"),
		"when((1 < 2) == (2 < 3),1,2)": wrong(1, 6, "a condition", "a number", "when"),
		"when(paid, 1, 2)":             wrong(1, 6, "a number", "a condition such as unused_days > 0", ""),
		"when(1 < 2 && 3, 1, 2)":       wrong(1, 15, "a number", "a condition such as unused_days > 0", ""),
		"when(!paid, 1, 2)":            wrong(1, 7, "a number", "a condition such as unused_days > 0", ""),
		strings.Repeat("9", 78):        wrong(1, 1, "a number of 78 characters", "at most 77 digits, at most 64 of them after the point", ""),
		"0." + strings.Repeat("0", 65): wrong(1, 1, "a number of 67 characters", "at most 77 digits, at most 64 of them after the point", ""),
		strings.Repeat(" ", 4097):      wrong(1, 1, "4097 bytes", "at most 4096", ""),
	}
	for source, want := range tests {
		t.Run(fmt.Sprintf("%.40q", source), func(t *testing.T) {
			t.Parallel()
			e, err := refund.Parse(source)
			require.ErrorIs(t, err, refund.ErrInvalid)
			var got *refund.ExpressionError
			require.ErrorAs(t, err, &got)
			assert.Equal(t, want, *got)
			assert.Nil(t, e)
		})
	}
	_, err := refund.Parse("paid * unusd_days")
	require.EqualError(t, err, `line 1, column 8: found "unusd_days", expected a variable; did you mean "unused_days"?`)
}

func TestExpressionBounds(t *testing.T) {
	t.Parallel()
	const tooLong = "found more than 1000 numbers, names, operators and parentheses, expected a shorter formula"
	nested := func(open, close string, n int) string {
		return strings.Repeat(open, n) + "1" + strings.Repeat(close, n)
	}
	tests := []struct {
		name   string
		source string
		want   string // the error; "" for a valid source
	}{
		{"parentheses 63 deep", nested("(", ")", 63), ""},
		{"parentheses 64 deep", nested("(", ")", 64), "line 1, column 65: found nesting level 65, expected at most 64"},
		{"parentheses 2000 deep", nested("(", ")", 2000), "line 1, column 1001: " + tooLong},
		{"minus signs", strings.Repeat("- ", 64) + "1", "line 1, column 129: found nesting level 65, expected at most 64"},
		{"functions", nested("floor(", ")", 64), "line 1, column 385: found nesting level 65, expected at most 64"},
		{"operators nested to the right", nested("1-(", ")", 33), "line 1, column 97: found nesting level 65, expected at most 64"},
		{"a chain is not nested", "1" + strings.Repeat("+1", 499), ""},
		{"1,001 nodes", "1" + strings.Repeat("+1", 500), "line 1, column 1001: " + tooLong},
		{"4,096 bytes", strings.Repeat(" ", 4095) + "1", ""},
		{"77 digits", strings.Repeat("9", 77), ""},
		{"64 decimals", "0." + strings.Repeat("9", 64), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := refund.Parse(tt.source)
			if tt.want != "" {
				require.EqualError(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			_, err = e.Refund(on10th(november("100.00")))
			require.NoError(t, err)
		})
	}
}

func TestExpressionsWithoutAValue(t *testing.T) {
	t.Parallel()
	large := strings.TrimSuffix(strings.Repeat(strings.Repeat("9", 70)+"*", 5), "*")
	tests := map[string]string{
		"paid / (period_days - 30)":   `line 1, column 9: found "period_days - 30", which is 0, expected a divisor other than 0`,
		"paid +\n unused_days / 0":    `line 2, column 16: found "0", which is 0, expected a divisor other than 0`,
		"round(paid, 9)":              `line 1, column 13: found "9", which is 9, expected a whole number of decimals, -8 to 8`,
		"floor(paid, 0.5)":            `line 1, column 13: found "0.5", which is 0.5, expected a whole number of decimals, -8 to 8`,
		"ceil(paid, paid * paid)":     `line 1, column 12: found "paid * paid", which is 10000, expected a whole number of decimals, -8 to 8`,
		large:                         `line 1, column 1: found "` + large[:40] + `", which is too long, expected values of at most 308 digits`,
		"1 / 3 + 1 / (" + large + ")": `line 1, column 14: found "` + large[:40] + `", which is too long, expected values of at most 308 digits`,
	}
	for source, want := range tests {
		t.Run(fmt.Sprintf("%.40s", source), func(t *testing.T) {
			t.Parallel()
			e := parse(t, source)
			free := november("0")
			free.Kind = refund.Setup
			c := on10th(free, november("100.00"))
			checkInvalid(t, e, c, `refund: charge 1 ("server"): `+want)
			_, err := e.Refund(c)
			var position *refund.ExpressionError
			require.ErrorAs(t, err, &position)
			_, explained := e.Explain(c)
			require.EqualError(t, explained, err.Error())
		})
	}
	c := on10th(november("100.00"))
	c.ServiceStart = time.Time{}
	checkInvalid(t, parse(t, "paid - service_days"), c,
		`refund: ServiceStart is missing, expected the start of the service, which "service_days" in line 1, column 8 needs`)
	checkRefund(t, parse(t, "when(paid > 1, paid, service_days)"), c, "100.00")
}

// A long fraction is reduced to lowest terms before its length is checked.
func TestLongFractionsCancelOut(t *testing.T) {
	t.Parallel()
	source := "paid" + strings.Repeat(" * unused_seconds / unused_seconds", 60)
	checkRefund(t, parse(t, source), on10th(november("100.00")), "100.00")
	source = "0" + strings.Repeat(" + paid / period_seconds", 80)
	checkRefund(t, parse(t, source+" + 1"), on10th(november("100000.00")), "4.09") // 80 × 100000 / 2592000 + 1
}

func TestExpressionText(t *testing.T) {
	t.Parallel()
	const source = "paid * unused_days\n / period_days - min(paid, places)"
	e := parse(t, source)
	assert.Equal(t, source, e.String())
	assert.Equal(t, []string{"paid", "period_days", "places", "unused_days"}, e.Variables())
	e.Variables()[0] = "changed"
	assert.Equal(t, "paid", e.Variables()[0])
	assert.Empty(t, parse(t, "5").Variables())

	type settings struct {
		Formula *refund.Expression
		Value   refund.Expression
	}
	text, err := json.Marshal(settings{e, *e})
	require.NoError(t, err)
	var got settings
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, source, got.Formula.String())
	assert.Equal(t, source, got.Value.String())
	checkRefund(t, got.Formula, on10th(november("100.00")), "64.67")

	err = json.Unmarshal([]byte(`{"Formula": "paid *"}`), &got)
	require.ErrorIs(t, err, refund.ErrInvalid)
	assert.Equal(t, source, got.Formula.String(), "unchanged after an error")
}

func TestExpressionZeroValue(t *testing.T) {
	t.Parallel()
	var zero refund.Expression
	assert.Empty(t, zero.String())
	assert.Empty(t, zero.Variables())
	assert.Empty(t, (*refund.Expression)(nil).Variables())
	_, err := zero.Explain(on10th(november("1.00")))
	require.ErrorIs(t, err, refund.ErrInvalid)
	text, err := json.Marshal(zero)
	require.NoError(t, err)
	assert.Equal(t, `""`, string(text))
	filled := *parse(t, "paid")
	require.NoError(t, json.Unmarshal(text, &filled))
	assert.Equal(t, zero, filled)
}

func TestExplain(t *testing.T) {
	t.Parallel()
	e := parse(t, "when(unused_days > 15 && paid >= 10,\n  max(0, paid * unused_days / period_days - 5),\n  round(paid / 2))")
	setup := november("25.00")
	setup.Kind, setup.Label = refund.Setup, "installation"
	c := on10th(setup, november("100.00"), november("3.00"))
	explained, err := e.Explain(c)
	require.NoError(t, err)
	require.Len(t, explained, 3)
	assert.Equal(t, "installation: 0.00 of 25.00 (set-up is not given back)", explained[0].String())
	assert.Equal(t, strings.TrimSpace(`
server: 61.67 of 100.00, 20 of 30 unused
  when(unused_days > 15 && paid >= 10, max(0, paid * unused_days / period_days - 5), round(paid / 2)) = 61.6666666666… (185/3)
    unused_days > 15 && paid >= 10 = true
      unused_days > 15 = true
        unused_days = 20
      paid >= 10 = true
        paid = 100
    max(0, paid * unused_days / period_days - 5) = 61.6666666666… (185/3)
      paid * unused_days / period_days - 5 = 61.6666666666… (185/3)
        paid * unused_days / period_days = 66.6666666666… (200/3)
          paid * unused_days = 2000
            paid = 100
            unused_days = 20
          period_days = 30
    round(paid / 2) was not needed`), explained[1].String())
	assert.Equal(t, refund.Step{Source: "round(paid / 2)", Depth: 1, Value: "2"}, explained[2].Steps[7])
	r, err := e.Refund(c)
	require.NoError(t, err)
	for i, x := range explained {
		assert.Equal(t, r.Lines[i], x.Line)
	}
}

func TestExplainFormatsValues(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"0 - paid / 3":                       "-33.3333333333… (-100/3)",
		"1 / 7 / 100000":                     "0.0000014285… (1/700000)",
		"1 / 1024":                           "0.0009765625",
		"paid == 100":                        "true",
		"!(paid == 100)":                     "false",
		"0 - 1 / 8":                          "-0.125",
		"2 / 3 / " + strings.Repeat("9", 60): "0.0000000000…",
	}
	for part, want := range tests {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			source := part
			if want == "true" || want == "false" {
				source = "when(" + part + ", 1, 2)"
			}
			explained, err := parse(t, source).Explain(on10th(november("100.00")))
			require.NoError(t, err)
			for _, s := range explained[0].Steps {
				if s.Source == part {
					assert.Equal(t, want, s.Value)
					return
				}
			}
			assert.Fail(t, "no such step")
		})
	}
}
