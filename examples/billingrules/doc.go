// Billingrules shows how a host unit-tests what it pays back: nothing but package refund, no server, no store, no clock.
//
//   - rules.go holds the rules: one put together from the library's parts, one that is code of the host's own, and one
//     that a reseller keeps in refund.formula.
//   - rules_test.go tests them: a table of cases with the amounts that the host promised its clients, the property suite
//     for all that no table thinks of, and the file.
//   - main.go prints what each rule gives on each day of a month.
package main
