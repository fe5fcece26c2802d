package manage

import (
	"errors"
	"slices"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// Failure is what the typed error of a package says about an error that is not its own.
type Failure struct {
	Msg            string
	Field          string // the parameter that is wrong; "": none
	OutcomeUnknown bool   // the change may have been stored
}

// Explained reports whether err is an error of type E, wraps one or joins only such. It does not look into the errors of a
// host's parts.
func Explained[E error](err error) bool {
	switch e := err.(type) {
	case E:
		return true
	case *fault.HostError:
		return false
	case interface{ Unwrap() error }:
		return Explained[E](e.Unwrap())
	case interface{ Unwrap() []error }:
		joined := e.Unwrap()
		return len(joined) > 0 && !slices.ContainsFunc(joined, func(err error) bool { return !Explained[E](err) })
	}
	return false
}

// Explain says why an operation failed, in words that every actor may read: of a part of the host it names the part, and
// nothing that the part said.
func Explain(op string, err error) Failure {
	f := Failure{Msg: op + ": " + err.Error()}
	var cursor *CursorError
	var host *fault.HostError
	switch {
	case errors.As(err, &cursor):
		f.Msg, f.Field = cursor.Error(), "After"
	case errors.As(err, &host) && host.Answer == nil:
		f.OutcomeUnknown = host.OutcomeUnknown
		f.Msg = op + ": " + host.Part + " failed"
		if host.Ended != nil {
			f.Msg = op + ": " + host.Ended.Error()
		}
		if f.OutcomeUnknown {
			f.Msg += "; it is unknown whether the change was stored: read the record before you try again"
		} else {
			f.Msg += "; nothing was changed"
		}
	case errors.Is(err, fault.ErrConflict):
		f.Msg = op + ": the record kept changing while this was decided; nothing was changed: try again"
	case errors.Is(err, fault.ErrNotFound):
		f.Msg = op + ": the record was not found; nothing was changed"
	}
	return f
}

// Report says it with all words of the host's parts: for the log, where no actor reads them.
func Report(op string, err error) Failure {
	var host *fault.HostError
	return Failure{Msg: op + ": " + err.Error(), OutcomeUnknown: errors.As(err, &host) && host.OutcomeUnknown}
}
