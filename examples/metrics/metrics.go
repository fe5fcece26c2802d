// Package metrics exports metrics about the deliveries of a metalkeep host to Prometheus, with
// github.com/prometheus/client_golang.
//
//	m, err := metrics.New(prometheus.DefaultRegisterer, metrics.Config{Outbox: outbox})
//	dispatcher, err := notify.New(notify.Config{Outbox: outbox, Meter: m}, …)
//	http.Handle("/metrics", promhttp.Handler())
//
// Each process counts its own deliveries:
//
//	metalkeep_deliveries_total{subscriber,kind,result}   result: delivered, retried or dead
//	metalkeep_delivery_delay_seconds{subscriber}         time from the event to its delivery
//
// Each scrape reads these values from the outbox, so they are the same in every process:
//
//	metalkeep_outbox_waiting            waiting deliveries
//	metalkeep_outbox_dead               dead letters
//	metalkeep_outbox_oldest_seconds     age of the oldest waiting event, 0 if none waits
//
// Useful alerts are a dead letter, which needs a person, and a waiting event that is older than an hour.
package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/metalkeep/metalkeep/notify"
)

// Config configures Metrics. Outbox is required.
type Config struct {
	Outbox  notify.Outbox // read at each scrape
	Clock   clock.Clock   // nil: real time
	Timeout time.Duration // for reading the outbox; 0: 5 seconds
}

// Metrics is a notify.Meter and a prometheus.Collector. Use New to make one. Many goroutines may use it at once.
type Metrics struct {
	Config
	deliveries             *prometheus.CounterVec
	delay                  *prometheus.HistogramVec
	waiting, dead, seconds *prometheus.Desc
}

var (
	_ notify.Meter         = (*Metrics)(nil)
	_ prometheus.Collector = (*Metrics)(nil)
)

// New makes Metrics and registers them. It returns an error if the registerer has them already.
func New(registerer prometheus.Registerer, c Config) (*Metrics, error) {
	if c.Outbox == nil {
		return nil, errors.New("metrics: Config.Outbox is required")
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	m := &Metrics{
		Config: c,
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "metalkeep_deliveries_total", Help: "Deliveries that a subscriber has handled, by result.",
		}, []string{"subscriber", "kind", "result"}),
		delay: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "metalkeep_delivery_delay_seconds", Help: "Time from an event to its delivery.",
			Buckets: []float64{1, 10, 60, 600, 3600, 4 * 3600, 24 * 3600},
		}, []string{"subscriber"}),
		waiting: prometheus.NewDesc("metalkeep_outbox_waiting", "Waiting deliveries.", nil, nil),
		dead:    prometheus.NewDesc("metalkeep_outbox_dead", "Dead letters.", nil, nil),
		seconds: prometheus.NewDesc("metalkeep_outbox_oldest_seconds", "Age of the oldest waiting event.", nil, nil),
	}
	for _, collector := range []prometheus.Collector{m.deliveries, m.delay, m} {
		if err := registerer.Register(collector); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return m, nil
}

// Settled implements notify.Meter. It counts the delivery.
func (m *Metrics) Settled(_ context.Context, d notify.Delivery, at time.Time) {
	result := "retried"
	switch {
	case d.Delivered:
		result = "delivered"
		m.delay.WithLabelValues(d.Subscriber).Observe(at.Sub(d.Event.At).Seconds())
	case d.Dead:
		result = "dead"
	}
	m.deliveries.WithLabelValues(d.Subscriber, string(d.Event.Kind), result).Inc()
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- m.waiting
	descriptions <- m.dead
	descriptions <- m.seconds
}

// Collect implements prometheus.Collector. If the outbox returns an error, the scrape fails.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), m.Timeout)
	defer cancel()
	waiting, dead, oldest, err := m.Outbox.Depth(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(m.waiting, err)
		return
	}
	age := 0.0
	if !oldest.IsZero() {
		age = max(m.Clock.Now().Sub(oldest).Seconds(), 0)
	}
	for description, value := range map[*prometheus.Desc]float64{m.waiting: float64(waiting), m.dead: float64(dead), m.seconds: age} {
		metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value)
	}
}
