package notify

import (
	"context"
	"errors"
	"time"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// grace is what a subscriber has to answer once its context has ended.
const grace = time.Second

var errNoReturn = errors.New("the subscriber ended its goroutine instead of returning")

// result is what became of one delivery.
type result struct {
	delivery Delivery
	outcome  outcome
	failure  *failure // of what failed
}

type outcome uint8

const (
	handled   outcome = iota
	failed            // and counts
	givenBack         // not begun, or interrupted by the end of the Tick's context
	unknown           // no answer when the Tick's context had ended: left to its lease
)

type failure struct {
	text      string
	permanent bool
	stack     []byte // of a panic
}

// handle hands a delivery to the subscriber and says what became of it. It holds a slot that the subscriber gives free
// when it returns, however long that takes.
func (l *lane) handle(ctx context.Context, d Delivery) result {
	limited, cancel := context.WithTimeout(ctx, l.Timeout)
	answer := make(chan *failure, 1)
	go func() {
		f := &failure{text: errNoReturn.Error()}
		defer func() {
			<-l.slots
			answer <- f
			cancel()
		}()
		f = l.call(limited, d.Event)
	}()
	select {
	case f := <-answer:
		return judge(ctx, d, f)
	case <-limited.Done():
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer stop()
	select {
	case f := <-answer:
		return judge(ctx, d, f)
	case <-last.Done():
	}
	if ctx.Err() != nil {
		return result{delivery: d, outcome: unknown}
	}
	return result{d, failed, &failure{text: "no answer within " + l.Timeout.String()}}
}

// call is the subscriber's own work, guarded.
func (l *lane) call(ctx context.Context, e Event) (f *failure) {
	err := fault.Guard("subscriber "+l.Name, func() error {
		if err := l.Handle(ctx, e); err != nil {
			f = errorOf(err)
		}
		return nil
	})
	var panicked *fault.PanicError
	if errors.As(err, &panicked) { // with what it panicked is not asked: that is foreign, too
		f = &failure{text: panicked.Error(), stack: panicked.Stack}
	}
	return f
}

// judge: an error that came when the Tick's context had ended says nothing about the event.
func judge(ctx context.Context, d Delivery, f *failure) result {
	switch {
	case f == nil:
		return result{delivery: d, outcome: handled}
	case ctx.Err() != nil && !f.permanent:
		return result{delivery: d, outcome: givenBack}
	}
	return result{d, failed, f}
}

// errorOf describes an error of a subscriber. It runs under the subscriber's guard: the error's methods are foreign too.
func errorOf(err error) *failure {
	f := &failure{text: err.Error(), permanent: isPermanent(err)}
	var panicked *fault.PanicError
	if errors.As(err, &panicked) {
		f.stack = panicked.Stack
	}
	return f
}
