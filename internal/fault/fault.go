// Package fault holds what every package of the library says about failure in the same way: the four sentinels, the
// loop that decides again after a conflict, and the guard that turns a panic of foreign code into an error.
package fault

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// The sentinels. Every package exports them under its own name, as the same values, so that errors.Is answers alike
// whichever package a host asks.
var (
	ErrNotFound  = errors.New("not found")
	ErrConflict  = errors.New("conflict")
	ErrForbidden = errors.New("forbidden")
	ErrInvalid   = errors.New("invalid")
)

// Attempts is how often Retry tries before it gives the conflict to its caller.
const Attempts = 5

// Retry calls decide until it returns anything but an ErrConflict of a Store's Commit, Attempts times at most, and
// returns its last error. decide reads again what it decides on, and itself remembers what must be done once, such as
// asking gates: a Store may answer a read with ErrConflict, too, so that a call ends before them. An error that errors.As
// finds a Final in is returned at once, whatever it wraps.
func Retry(ctx context.Context, decide func() error) error {
	var err error
	for range Attempts {
		if err = ctx.Err(); err != nil {
			return err
		}
		if err = decide(); !errors.Is(err, ErrConflict) {
			return err
		}
		var final Final
		if errors.As(err, &final) && final.Final() {
			return err
		}
	}
	return err
}

// Final marks an error that is a decision, not an accident: deciding again would only say it again. The packages' typed
// errors implement it, so that a refusal that wraps ErrConflict is not tried five times.
type Final interface{ Final() bool }

// PanicError is what Guard makes of a panic.
type PanicError struct {
	What  string // who panicked: "gate 2", "subscriber mail"
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("%s panicked: %v", e.What, e.Value) }

// Unwrap returns the panic's value where that was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Reason is what an actor may read of an error that a gate or other foreign code gave: its text, and of a panic only who
// panicked, for nobody wrote the panic's value for a client.
func Reason(err error) string {
	var p *PanicError
	if errors.As(err, &p) {
		return p.What + " panicked"
	}
	return err.Error()
}

// Guard calls foreign code and returns its error; a panic in it comes back as a *PanicError that names what.
func Guard(what string, call func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{What: what, Value: v, Stack: debug.Stack()}
		}
	}()
	return call()
}
