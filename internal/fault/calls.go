package fault

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// Calls calls parts of a host with a deadline, so that a part that hangs holds up nobody else. It is safe for concurrent use.
type Calls struct {
	timeout time.Duration
	most    int

	mu   sync.Mutex
	left map[string]int // the calls of each part that were left behind and have not returned
}

// MaxLeft is the bound of NewCalls for parts of which nothing says how many calls of them may run at once.
const MaxLeft = 16

// NewCalls returns Calls whose deadline is timeout, in real time. If most calls of one part were left behind and have not returned, every
// further call of that part fails at once. Both must be positive.
func NewCalls(timeout time.Duration, most int) *Calls {
	return &Calls{timeout: timeout, most: most, left: map[string]int{}}
}

// LeftError says that a call of a part ignored the end of its context and was left behind, in a goroutine of its own.
type LeftError struct {
	Part     string
	Timeout  time.Duration
	Returned <-chan struct{} // closed when the call returns
}

// Error names the part and the deadline.
func (e *LeftError) Error() string {
	return fmt.Sprintf("%s has not returned within %s, although its context has ended", e.Part, e.Timeout)
}

// BusyError says that a part was not called, because too many calls of it were left behind and have not returned.
type BusyError struct {
	Part string
	Left int
}

// Error names the part and the calls.
func (e *BusyError) Error() string {
	return fmt.Sprintf("%s was not called: %d calls of it have not returned, although their contexts have ended", e.Part, e.Left)
}

// Do calls a part in a goroutine of its own, with a context that ends with ctx and at the deadline. It returns what the call
// returned, and a panic and a runtime.Goexit as a *PanicError. A call that has not returned a short time after its deadline is left
// behind: Do returns a *LeftError. Do may return a *BusyError at once.
func Do[T any](ctx context.Context, c *Calls, part string, call func(context.Context) (T, error)) (T, error) {
	var none T
	if left := c.leftBehind(part); left >= c.most {
		return none, &BusyError{Part: part, Left: left}
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if phase, ok := ctx.Value(phaseKey{}).(context.Context); ok {
		until, _ := phase.Deadline()
		limited, cancel = context.WithDeadline(limited, until)
		defer cancel()
	}
	// A caller that leaves does not shorten it: a part that ignores its context may still return in time.
	patience, stop := context.WithTimeout(context.WithoutCancel(ctx), c.timeout+min(c.timeout/4, maxGrace))
	defer stop()
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		a := answer{err: &PanicError{Part: part, Value: "it ended its goroutine instead of returning", Stack: stack()}}
		defer func() { answered <- a }()
		a.err = Guard(part, func() (err error) {
			a.value, err = call(limited)
			return err
		})
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-patience.Done():
	}
	c.leave(part, returned)
	return none, &LeftError{Part: part, Timeout: c.timeout, Returned: returned}
}

// Call calls a part as Do does, and returns an error or a panic of it as a *HostError, as Host does.
func Call[T any](ctx context.Context, c *Calls, part string, call func(context.Context) (T, error)) (value T, err error) {
	err = Host(ctx, part, func() (err error) {
		value, err = Do(ctx, c, part, call)
		return err
	})
	return value, err
}

// Run is Call for a call that returns only an error.
func Run(ctx context.Context, c *Calls, part string, call func(context.Context) error) error {
	_, err := Call(ctx, c, part, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	return err
}

// Within returns a context with which all calls together have the deadline timeout, in real time, beside their own. Unlike the end of a
// caller's context, it is a deadline of ours: what fails because of it is ErrHost.
func Within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	phase, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	return context.WithValue(ctx, phaseKey{}, phase), cancel
}

type phaseKey struct{}

// maxGrace is how long a call may take to return after its deadline.
const maxGrace = 10 * time.Second

func stack() []byte {
	buf := make([]byte, 4096)
	return buf[:runtime.Stack(buf, false)]
}

func (c *Calls) leftBehind(part string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left[part]
}

// leave counts a call that was left behind until it returns.
func (c *Calls) leave(part string, returned <-chan struct{}) {
	c.mu.Lock()
	c.left[part]++
	c.mu.Unlock()
	go func() {
		<-returned
		c.mu.Lock()
		defer c.mu.Unlock()
		c.left[part]--
	}()
}
