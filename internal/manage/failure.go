package manage

import (
	"errors"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// Failure is what the typed error of a package says about an error that is not its own.
type Failure struct {
	Msg            string
	Field          string // the parameter that is wrong; "": none
	OutcomeUnknown bool   // the change may have been stored
}

// Explain says why an operation failed, in words that every actor may read: of a part of the host it names the part, and
// nothing that the part said.
func Explain(op string, err error) Failure {
	return explain(op, err, func(host *fault.HostError) string { return host.Part + " failed" })
}

// Report says the same with the words of the host's part: for the log, where no actor reads it.
func Report(op string, err error) Failure {
	return explain(op, err, (*fault.HostError).Error)
}

func explain(op string, err error, words func(*fault.HostError) string) Failure {
	var cursor *CursorError
	var host *fault.HostError
	switch {
	case errors.As(err, &host):
		f := Failure{Msg: op + ": " + words(host), OutcomeUnknown: host.OutcomeUnknown}
		if host.Ended != nil {
			f.Msg = op + ": " + host.Ended.Error()
		}
		if f.OutcomeUnknown {
			f.Msg += "; it is unknown whether the change was stored: read the record before you try again"
		} else {
			f.Msg += "; nothing was changed"
		}
		return f
	case errors.As(err, &cursor):
		return Failure{Msg: cursor.Error(), Field: "After"}
	case errors.Is(err, fault.ErrConflict):
		return Failure{Msg: op + ": the record kept changing while this was decided; nothing was changed: try again"}
	}
	return Failure{Msg: op + ": " + err.Error()}
}
