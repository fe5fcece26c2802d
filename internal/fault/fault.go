// Package fault holds the errors that all packages of the library share: the five sentinels, the errors of the parts that
// a host supplies, and the guard that turns a panic into an error.
package fault

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// The sentinels. Every package exports them under its own name, as the same values, so that errors.Is gives the same
// answer whichever package a host asks.
var (
	ErrNotFound  = errors.New("not found")
	ErrConflict  = errors.New("conflict")
	ErrForbidden = errors.New("forbidden")
	ErrInvalid   = errors.New("invalid")
	ErrHost      = errors.New("host")
)

// PanicError is the error that Guard returns after a panic.
type PanicError struct {
	Part  string // the part that panicked: "gate 2", "subscriber mail"
	Value any
	Stack []byte
}

// Error names the part and the panic's value.
func (e *PanicError) Error() string { return fmt.Sprintf("%s panicked: %v", e.Part, e.Value) }

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Guard calls foreign code and returns its error. It returns a panic as a *PanicError that names the part.
func Guard(part string, call func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Part: part, Value: v, Stack: debug.Stack()}
		}
	}()
	return call()
}
