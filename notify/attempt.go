package notify

import (
	"context"
	"errors"
	"time"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// grace is the time that a Handle has to return after its context has ended.
const grace = time.Second

var errNoReturn = errors.New("the subscriber ended its goroutine instead of returning")

// failure is an error or a panic of a Handle.
type failure struct {
	text      string
	permanent bool
	stack     []byte // nil unless it panicked
}

// attempt calls the subscriber's Handle for one delivery. The caller has acquired a slot. The slot becomes free when Handle
// returns, even if attempt has given up by then.
func (s *subscription) attempt(ctx context.Context, d Delivery) result {
	limited, cancel := context.WithTimeout(ctx, s.Timeout)
	returned := make(chan *failure, 1)
	go func() {
		f := &failure{text: errNoReturn.Error()}
		defer func() {
			<-s.slots
			returned <- f
			cancel()
		}()
		f = s.callHandle(limited, d.Event)
	}()
	select {
	case f := <-returned:
		return newResult(ctx, d, f)
	case <-limited.Done():
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer stop()
	select {
	case f := <-returned:
		return newResult(ctx, d, f)
	case <-last.Done():
	}
	if ctx.Err() != nil {
		return result{delivery: d, outcome: unanswered}
	}
	return result{d, failed, &failure{text: "no answer within " + s.Timeout.String()}}
}

// callHandle calls Handle and returns its error or panic; nil: it succeeded.
func (s *subscription) callHandle(ctx context.Context, e Event) (f *failure) {
	err := fault.Guard("subscriber "+s.Name, func() error {
		if err := s.Handle(ctx, e); err != nil {
			f = newFailure(err)
		}
		return nil
	})
	var panicked *fault.PanicError
	if errors.As(err, &panicked) { // does not call methods of the panic's value, which could panic as well
		f = &failure{text: panicked.Error(), stack: panicked.Stack}
	}
	return f
}

// newResult is the result of a Handle that has returned. An error after the end of the Tick's context does not count, unless
// it is permanent: the end of the context may have caused it.
func newResult(ctx context.Context, d Delivery, f *failure) result {
	switch {
	case f == nil:
		return result{delivery: d, outcome: delivered}
	case ctx.Err() != nil && !f.permanent:
		return result{delivery: d, outcome: released}
	}
	return result{d, failed, f}
}

// newFailure describes an error of a Handle. The caller guards it, because the methods of the error could panic.
func newFailure(err error) *failure {
	f := &failure{text: err.Error(), permanent: isPermanent(err)}
	var panicked *fault.PanicError
	if errors.As(err, &panicked) {
		f.stack = panicked.Stack
	}
	return f
}
