package manage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
)

const secret = "dsn=postgres://root:secret@db"

// answers are what a part of a host may return, and the sentinel that a Store's read, list and commit make of it.
func answers() map[string]struct {
	answer             func() error
	read, list, commit error
} {
	type row = struct {
		answer             func() error
		read, list, commit error
	}
	wrapping := func(sentinel error) func() error {
		return func() error { return fmt.Errorf("%s: %w", secret, sentinel) }
	}
	host := fault.ErrHost
	return map[string]row{
		"an error":           {func() error { return errors.New(secret) }, host, host, host},
		"a panic":            {func() error { panic(secret) }, host, host, host},
		"a panic with error": {func() error { panic(fmt.Errorf("%s: %w", secret, fault.ErrForbidden)) }, host, host, host},
		"not found":          {wrapping(fault.ErrNotFound), fault.ErrNotFound, host, host},
		"conflict":           {wrapping(fault.ErrConflict), fault.ErrConflict, fault.ErrConflict, fault.ErrConflict},
		"conflict, ended": {
			func() error { return errors.Join(fault.ErrConflict, context.Canceled) }, fault.ErrConflict, fault.ErrConflict, fault.ErrConflict,
		},
		"an error that panics": {func() error { return hostile{} }, host, host, host},
		"forbidden":            {wrapping(fault.ErrForbidden), host, host, host},
		"invalid":              {wrapping(fault.ErrInvalid), host, fault.ErrInvalid, host},
		"their own context":    {func() error { return context.DeadlineExceeded }, host, host, host},
	}
}

// hostile is an error of a host's part whose methods panic, as those of a typed nil do.
type hostile struct{}

func (hostile) Error() string   { panic(secret) }
func (hostile) Unwrap() []error { panic(secret) }
func (hostile) Is(error) bool   { panic(secret) }
func (hostile) As(any) bool     { panic(secret) }

// assertSentinel checks that exactly one of the five sentinels is in err.
func assertSentinel(t *testing.T, want, err error) {
	t.Helper()
	for _, sentinel := range []error{fault.ErrHost, fault.ErrNotFound, fault.ErrConflict, fault.ErrForbidden, fault.ErrInvalid} {
		assert.Equal(t, sentinel == want, errors.Is(err, sentinel), "%v in %v", sentinel, err)
	}
}

func TestStoreAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range answers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := manage.Get(t.Context(), func() (int, error) { return 1, tt.answer() })
			assertSentinel(t, tt.read, err)
			assert.NotErrorIs(t, err, context.Canceled, "the caller's context has not ended")
			assert.NotContains(t, manage.Explain("Read", err).Msg, "secret")
			assert.False(t, manage.Explain("Read", err).OutcomeUnknown)

			_, err = manage.GetMany(t.Context(), func() (int, error) { return 1, tt.answer() })
			assertSentinel(t, tt.commit, err)

			items, next, err := manage.List(t.Context(), "cursor", func() ([]int, string, error) { return []int{1}, "x", tt.answer() })
			assertSentinel(t, tt.list, err)
			assert.NotContains(t, manage.Explain("List", err).Msg, "secret")
			assert.Empty(t, items)
			assert.Empty(t, next)

			err = manage.Commit(t.Context(), tt.answer)
			assertSentinel(t, tt.commit, err)
			assert.NotContains(t, manage.Explain("Write", err).Msg, "secret")
			assert.Equal(t, tt.commit == fault.ErrHost, manage.Explain("Write", err).OutcomeUnknown)
		})
	}
}

// TestListWithoutCursor: what is invalid on the first page is not a cursor that a caller gave.
func TestListWithoutCursor(t *testing.T) {
	t.Parallel()
	_, _, err := manage.List(t.Context(), "", func() ([]int, string, error) { return nil, "", fault.ErrInvalid })
	assertSentinel(t, fault.ErrHost, err)
	_, _, err = manage.List(t.Context(), "x", func() ([]int, string, error) { return nil, "", fault.ErrInvalid })
	assert.Equal(t, manage.Failure{Msg: "After: this is not a cursor of this list", Field: "After"}, manage.Explain("List", err))
}

// TestEndedContext: the caller's context that has ended comes back as such, whatever the part made of it.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	for name, tt := range answers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := manage.Get(ctx, func() (int, error) { return 0, tt.answer() })
			require.ErrorIs(t, err, context.Canceled)
			assertSentinel(t, nil, err)
			err = manage.Commit(ctx, tt.answer)
			require.ErrorIs(t, err, context.Canceled)
			assertSentinel(t, nil, err)
			f := manage.Explain("Write", err)
			assert.True(t, f.OutcomeUnknown)
			assert.Contains(t, f.Msg, "Write: context canceled; it is unknown whether")
		})
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	mine := errors.New(secret)
	refusal := func() error { return &fault.Refusal{Message: "not today"} }
	tests := []struct {
		name    string
		gates   []func() error
		want    error
		message string // of the refusal
		asked   int
	}{
		{"no gates", nil, nil, "", 0},
		{"all agree", []func() error{func() error { return nil }, func() error { return nil }}, nil, "", 2},
		{"the first refuses", []func() error{refusal, func() error { panic("asked") }}, fault.ErrForbidden, "not today", 1},
		{"a wrapped refusal", []func() error{func() error { return fmt.Errorf("%w: %w", mine, refusal()) }}, fault.ErrForbidden, "not today", 1},
		{"an error", []func() error{func() error { return mine }, refusal}, fault.ErrHost, "", 1},
		{"an error that is forbidden", []func() error{func() error { return fault.ErrForbidden }}, fault.ErrHost, "", 1},
		{"a panic", []func() error{func() error { panic(mine) }}, fault.ErrHost, "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			err := manage.Ask(t.Context(), fault.NewCalls(time.Minute, 1), tt.gates, func(_ context.Context, gate func() error) error {
				asked++
				return gate()
			})
			assertSentinel(t, tt.want, err)
			assert.Equal(t, tt.asked, asked)
			got := manage.Refusal(err)
			if tt.message == "" {
				assert.Nil(t, got)
				return
			}
			require.NotNil(t, got)
			assert.Equal(t, tt.message, got.Message)
		})
	}
}

// typed is the error of a package.
type typed struct{ err error }

func (t *typed) Error() string { return "typed" }
func (t *typed) Unwrap() error { return t.err }

func TestExplained(t *testing.T) {
	t.Parallel()
	host := fault.Host(t.Context(), "store", func() error { return &typed{} })
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"the type":                      {&typed{}, true},
		"wrapped":                       {fmt.Errorf("x: %w", &typed{}), true},
		"joined":                        {errors.Join(&typed{}, &typed{}), true},
		"the type around a host's part": {&typed{host}, true},
		"another":                       {errors.New("x"), false},
		"joined with another":           {errors.Join(&typed{}, errors.New("x")), false},
		"in the error of a host's part": {host, false},
	} {
		assert.Equal(t, tt.want, manage.Explained[*typed](tt.err), name)
	}
}

// TestReport: the log has the words of a part, also of a part below it.
func TestReport(t *testing.T) {
	t.Parallel()
	store := fault.Host(t.Context(), "store", func() error { return errors.New(secret) })
	servers := fault.Host(t.Context(), "inventory", func() error { return &typed{store} })
	assert.Equal(t, "Tick: step release: inventory failed: typed: store failed: "+secret,
		manage.Report("Tick", fmt.Errorf("step release: %w", servers)).Msg)
	assert.Equal(t, "Tick: inventory failed; nothing was changed", manage.Explain("Tick", fmt.Errorf("step release: %w", servers)).Msg)
}
