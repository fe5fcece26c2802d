// Package metrics shows a metalkeep host's mail to Prometheus, with github.com/prometheus/client_golang:
//
//	m, err := metrics.New(prometheus.DefaultRegisterer, metrics.Config{Outbox: outbox})
//	dispatcher, err := notify.New(notify.Config{Outbox: outbox, Meter: m}, …)
//	http.Handle("/metrics", promhttp.Handler())
//
// What each process counts of its own work:
//
//	metalkeep_deliveries_total{subscriber,kind,result}   result: delivered, retried, dead
//	metalkeep_delivery_delay_seconds{subscriber}         from the event to its delivery
//
// What is asked of the outbox at each scrape, and so is the same whatever process answers:
//
//	metalkeep_outbox_waiting            deliveries that wait
//	metalkeep_outbox_dead               dead letters
//	metalkeep_outbox_oldest_seconds     age of the oldest event that waits; 0: none does
//
// Worth an alert: dead letters, which a person must look at, and an oldest of more than an hour.
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

// Config is what a Metrics needs. Outbox is required.
type Config struct {
	Outbox  notify.Outbox
	Clock   clock.Clock   // nil: real time
	Timeout time.Duration // of the outbox's answer to a scrape; 0: 5 seconds
}

// Metrics is a notify.Meter. New makes one.
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

// New makes the metrics and registers them.
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
			Name: "metalkeep_deliveries_total", Help: "Deliveries that a subscriber has handled, by what became of them.",
		}, []string{"subscriber", "kind", "result"}),
		delay: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "metalkeep_delivery_delay_seconds", Help: "Time from an event to its delivery.",
			Buckets: []float64{1, 10, 60, 600, 3600, 4 * 3600, 24 * 3600},
		}, []string{"subscriber"}),
		waiting: prometheus.NewDesc("metalkeep_outbox_waiting", "Deliveries that wait.", nil, nil),
		dead:    prometheus.NewDesc("metalkeep_outbox_dead", "Dead letters.", nil, nil),
		seconds: prometheus.NewDesc("metalkeep_outbox_oldest_seconds", "Age of the oldest event that waits.", nil, nil),
	}
	for _, collector := range []prometheus.Collector{m.deliveries, m.delay, m} {
		if err := registerer.Register(collector); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return m, nil
}

// Settled implements notify.Meter.
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

// Collect implements prometheus.Collector. An outbox that does not answer makes the scrape fail, rather than tell of no mail.
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
