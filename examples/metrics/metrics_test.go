package metrics_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"

	"github.com/metalkeep/metalkeep/examples/metrics"
)

// scrape returns the status and the text of a scrape.
func scrape(t *testing.T, r *prometheus.Registry) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Code, w.Body.String()
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	mock := clock.NewMock()
	mock.Set(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	box, registry := &notify.MemoryOutbox{}, prometheus.NewRegistry()
	m, err := metrics.New(registry, metrics.Config{Outbox: box, Clock: mock})
	require.NoError(t, err)
	_, text := scrape(t, registry)
	assert.Contains(t, text, "metalkeep_outbox_waiting 0\n")
	assert.Contains(t, text, "metalkeep_outbox_oldest_seconds 0\n")

	answers := map[notify.Kind]error{
		"test.sent": nil, "test.refused": notify.Permanent(errors.New("550 no such user")), "test.greylisted": errors.New("450 later"),
	}
	d, err := notify.New(notify.Config{Outbox: box, Clock: mock, Meter: m}, notify.Subscriber{
		Name: "mail", Handle: func(_ context.Context, e notify.Event) error { return answers[e.Kind] },
	})
	require.NoError(t, err)
	for kind := range answers {
		for range 2 {
			box.Append(notify.Event{ID: uuid.New(), Kind: kind, At: mock.Now(), SubjectID: uuid.New(), Data: []byte(`{}`)})
		}
	}
	mock.Add(90 * time.Second)
	_, err = d.Tick(t.Context())
	require.NoError(t, err)
	code, text := scrape(t, registry)
	assert.Equal(t, http.StatusOK, code)
	for _, line := range []string{
		`metalkeep_deliveries_total{kind="test.sent",result="delivered",subscriber="mail"} 2`,
		`metalkeep_deliveries_total{kind="test.refused",result="dead",subscriber="mail"} 2`,
		`metalkeep_deliveries_total{kind="test.greylisted",result="retried",subscriber="mail"} 2`,
		`metalkeep_delivery_delay_seconds_sum{subscriber="mail"} 180`,
		`metalkeep_delivery_delay_seconds_count{subscriber="mail"} 2`,
		`metalkeep_outbox_waiting 2`,
		`metalkeep_outbox_dead 2`,
		`metalkeep_outbox_oldest_seconds 90`,
	} {
		assert.Contains(t, text, line+"\n")
	}
}

// stuckOutbox never answers Depth.
type stuckOutbox struct{ *notify.MemoryOutbox }

func (stuckOutbox) Depth(ctx context.Context) (waiting, dead int, oldest time.Time, err error) {
	<-ctx.Done()
	return 0, 0, time.Time{}, ctx.Err()
}

func TestScrapeFails(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	_, err := metrics.New(registry, metrics.Config{Outbox: stuckOutbox{}, Timeout: time.Millisecond})
	require.NoError(t, err)
	code, _ := scrape(t, registry)
	assert.Equal(t, http.StatusInternalServerError, code)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	_, err := metrics.New(registry, metrics.Config{})
	require.Error(t, err)
	_, err = metrics.New(registry, metrics.Config{Outbox: &notify.MemoryOutbox{}})
	require.NoError(t, err)
	_, err = metrics.New(registry, metrics.Config{Outbox: &notify.MemoryOutbox{}})
	require.Error(t, err, "the registry has the metrics already")
}
