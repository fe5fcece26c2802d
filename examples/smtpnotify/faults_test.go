package smtpnotify_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"

	"github.com/metalkeep/metalkeep/examples/smtpnotify"
)

const (
	subjects = 100
	perEach  = 20 // events of a subject
)

// step is the payload of this test's events: the n-th about a subject.
type step struct {
	Subject int `json:"subject"`
	Step    int `json:"step"`
}

// address of the host's one client.
type address string

func (a address) Person(context.Context, uuid.UUID, notify.Recipient) (notify.Person, error) {
	return notify.Person{Name: "Ada", Address: string(a)}, nil
}

// TestDeliveryUnderFaults: a server that is killed, restarted, slow, greylists and refuses for good, while 2,000 events are
// due. Each arrives; a repeat has the Message-ID of the first try; a subject's events arrive in their order; what was
// refused for good is listed, and arrives when it is sent again.
func TestDeliveryUnderFaults(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := newProxy(t, s.smtp)
	r := newRun(t, s.sender(func(c *smtpnotify.Config) { c.Port, c.Timeout = p.port(), time.Second }))
	r.append()
	r.until("some are sent", func() bool { return r.waiting() < 1800 })
	s.kill()
	r.until("tries fail", r.failed(20))
	s.restart()
	s.refuse(451, 30)
	r.until("it gets on, greylisted", func() bool { return r.waiting() < 1400 })
	p.stall(true)
	r.until("tries time out", r.failed(8))
	p.stall(false)
	s.refuse(550, 5)
	r.until("it gets on, with some refused for good", func() bool { return r.waiting() < 900 })
	s.refuse(550, 0)
	s.kill()
	s.restart()
	r.until("all are sent or refused", func() bool { return r.waiting() == 0 })
	dead := r.resend()
	r.until("what was refused is sent", func() bool { return r.waiting() == 0 })
	assert.NotEmpty(t, dead)

	arrived := s.arrived()
	t.Logf("%d mails arrived of %d events; %d tries failed, %d were refused for good", len(arrived), len(r.steps), r.retried.Load(), len(dead))
	slices.Reverse(arrived) // the oldest first
	first := map[step]time.Time{}
	for _, m := range arrived {
		which, ok := r.steps[m.MessageID]
		require.True(t, ok, "%s is the Message-ID of no event", m.MessageID)
		require.Equal(t, fmt.Sprint(which.Subject, which.Step), m.Subject)
		if _, again := first[which]; !again {
			first[which] = m.Created
		}
	}
	assert.Len(t, first, len(r.steps), "each arrives")
	for n := range subjects {
		var last time.Time
		for i := range perEach {
			which := step{n, i}
			if dead[which] {
				continue
			}
			assert.False(t, first[which].Before(last), "step %d of %d came before the one before it", i, n)
			last = first[which]
		}
	}
}

// run is a dispatcher at work in the background.
type run struct {
	*testing.T
	box        *notify.MemoryOutbox
	dispatcher *notify.Dispatcher
	retried    atomic.Int64
	steps      map[string]step // by Message-ID
}

func newRun(t *testing.T, sender *smtpnotify.Sender) *run {
	t.Helper()
	r := &run{T: t, box: &notify.MemoryOutbox{}, steps: map[string]step{}}
	catalog, err := notify.NewCatalog([]notify.Spec{{
		Kind: "test.step", Audience: notify.ToClient, Sample: step{Subject: 7, Step: 3},
		Subject: map[string]string{"en": "{{.subject}} {{.step}}"}, Text: map[string]string{"en": "Step {{.step}} of {{.subject}}.\n"},
	}})
	require.NoError(t, err)
	catalog.Directory = address("ada@client.example")
	r.dispatcher, err = notify.New(notify.Config{
		Outbox: r.box, MaxAttempts: 1000, RetryFirst: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond, Timeout: 3 * time.Second,
		Meter: notify.MeterFunc(func(_ context.Context, d notify.Delivery, _ time.Time) {
			if !d.Delivered && !d.Dead {
				r.retried.Add(1)
			}
		}),
	}, catalog.Mail("mail", notify.ToClient, sender))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.work(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

// work ticks until ctx ends.
func (r *run) work(ctx context.Context) {
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for {
		if _, err := r.dispatcher.Tick(ctx); err != nil && ctx.Err() == nil {
			r.Errorf("Tick: %v", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// append makes 2,000 events due at once.
func (r *run) append() {
	r.Helper()
	at := time.Now()
	var events []notify.Event
	for i := range perEach {
		for n := range subjects {
			about := notify.Subject{
				ResellerID: uuid.New(), ClientID: uuid.New(), ID: uuid.NewSHA1(uuid.Nil, []byte(strconv.Itoa(n))), Version: int64(i) + 1,
			}
			e, err := about.Event("test.step", at, step{n, i})
			require.NoError(r, err)
			r.steps[notify.MessageID(e.ID, "mail").String()+"@hosting.example"] = step{n, i}
			events = append(events, e)
		}
	}
	require.Len(r, r.steps, 2000)
	r.box.Append(events...)
}

func (r *run) until(what string, reached func() bool) {
	r.Helper()
	require.Eventually(r, reached, time.Minute, 5*time.Millisecond, what)
}

func (r *run) waiting() int {
	waiting, _, _, err := r.box.Depth(context.Background())
	assert.NoError(r, err)
	return waiting
}

// failed says whether n more tries have failed.
func (r *run) failed(n int64) func() bool {
	until := r.retried.Load() + n
	return func() bool { return r.retried.Load() >= until }
}

// resend sends the dead letters again, and says which they are.
func (r *run) resend() map[step]bool {
	r.Helper()
	letters, next, err := r.box.Deliveries(r.Context(), notify.DeliveryQuery{Dead: true, Limit: 1000})
	require.NoError(r, err)
	require.Empty(r, next)
	dead := map[step]bool{}
	for _, d := range letters {
		require.Contains(r, d.LastError, "550")
		dead[r.steps[notify.MessageID(d.Event.ID, "mail").String()+"@hosting.example"]] = true
		require.NoError(r, r.dispatcher.Resend(r.Context(), d.Subscriber, d.Event.ID))
	}
	return dead
}
