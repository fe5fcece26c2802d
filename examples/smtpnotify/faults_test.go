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

// step is the payload of the n-th event of a subject.
type step struct {
	Subject int `json:"subject"`
	Step    int `json:"step"`
}

// address is a Directory of one client.
type address string

func (a address) Person(context.Context, uuid.UUID, notify.Recipient) (notify.Person, error) {
	return notify.Person{Name: "Ada", Address: string(a)}, nil
}

// TestDeliveryUnderFaults sends 2,000 events to a server that is killed, restarted, slow, greylists, and refuses permanently. Every
// event arrives. A repeat has the Message-ID of the first attempt. The events of a subject arrive in order. Permanently refused
// mails are dead letters, and arrive when they are sent again.
func TestDeliveryUnderFaults(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := newProxy(t, s.smtp)
	r := newRun(t, s.sender(func(c *smtpnotify.Config) { c.Port, c.Timeout = p.port(), time.Second }))
	r.append()
	r.until("some mails are sent", func() bool { return r.waiting() < 1800 })
	s.kill()
	r.until("attempts fail", r.failed(20))
	s.restart()
	s.refuse(451, 30)
	r.until("mails are sent despite greylisting", func() bool { return r.waiting() < 1400 })
	p.stall(true)
	r.until("attempts time out", r.failed(8))
	p.stall(false)
	s.refuse(550, 5)
	r.until("mails are sent, and some are refused permanently", func() bool { return r.waiting() < 900 })
	s.refuse(550, 0)
	s.kill()
	s.restart()
	r.until("every mail is sent or refused", func() bool { return r.waiting() == 0 })
	dead := r.resend()
	r.until("the refused mails are sent", func() bool { return r.waiting() == 0 })
	assert.NotEmpty(t, dead)

	received := s.arrived()
	t.Logf("received %d mails for %d events; %d attempts failed, %d were refused permanently", len(received), len(r.steps), r.retried.Load(), len(dead))
	slices.Reverse(received) // the oldest first
	first := map[step]time.Time{}
	for _, m := range received {
		got, ok := r.steps[m.MessageID]
		require.True(t, ok, "no event has the Message-ID %s", m.MessageID)
		require.Equal(t, fmt.Sprint(got.Subject, got.Step), m.Subject)
		if _, repeated := first[got]; !repeated {
			first[got] = m.Created
		}
	}
	assert.Len(t, first, len(r.steps), "every event arrives")
	for n := range subjects {
		var last time.Time
		for i := range perEach {
			event := step{n, i}
			if dead[event] {
				continue
			}
			assert.False(t, first[event].Before(last), "step %d of subject %d arrived before the previous step", i, n)
			last = first[event]
		}
	}
}

// run runs a dispatcher in the background.
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
		r.tick(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

// tick calls Tick until ctx ends.
func (r *run) tick(ctx context.Context) {
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

// append adds 2,000 events that are due now.
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

// failed returns a function that reports whether n more attempts have failed.
func (r *run) failed(n int64) func() bool {
	until := r.retried.Load() + n
	return func() bool { return r.retried.Load() >= until }
}

// resend sends all dead letters again, and returns their steps.
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
