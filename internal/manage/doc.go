// Package manage is the engine that all Managers of the library share. It decides and commits an operation, commits a
// batch of due records, records events, pages through lists, guards the parts that the host supplies, and says in an
// error what an actor may read.
package manage
