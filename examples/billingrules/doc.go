// Billingrules shows how a host tests its refund rules. The tests need package refund alone: no server, no store, no clock.
//
//   - rules.go holds three rules: one is combined from formulas of the library, one is code of the host, and one is an
//     expression that a reseller wrote in refund.formula.
//   - rules_test.go tests them: by a table of cases with the promised amounts, by the conformance suite for properties that
//     every formula has, and by a file with a mistake.
//   - main.go prints the refund of each rule for the days of a month.
package main
