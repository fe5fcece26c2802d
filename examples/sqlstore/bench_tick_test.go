package sqlstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/examples/sqlstore"
)

// BenchmarkTick works off what is due, by way of the Managers and, in the same run and database, by its floors: loops
// written by hand that leave the same behind. processes=1 works within this process, processes=4 in four that it starts:
// measured from when all have opened the database until all have ended. Of what they left each row is counted.
//
// It reports how many are done in a second, how many by the floor, and the ratio of the two (of-floor). On PostgreSQL the
// floor waits for each statement, as programs do; there is another that sends a whole transaction at once (floor2).
func BenchmarkTick(b *testing.B) {
	for _, w := range benchWorks() {
		b.Run(w.name, func(b *testing.B) {
			for _, n := range []int{1, 4} {
				b.Run(fmt.Sprintf("processes=%d", n), func(b *testing.B) {
					onBoth(b, func(b *testing.B, dsn string) { benchTick(b, dsn, w, n) })
				})
			}
		})
	}
}

// way is how the work is done.
type way string

const (
	byTick   way = "tick"
	byFloor  way = "floor"
	byFloor2 way = "floor2"
)

func benchTick(b *testing.B, dsn string, w benchWork, processes int) {
	p, err := benchPanel(storesOf(opened(b, dsn)), benchNow())
	require.NoError(b, err)
	warnAWeekAhead(b, p)
	own, err := sql.Open(driverOf(dsn))
	require.NoError(b, err)
	defer func() { require.NoError(b, own.Close()) }()
	ways := []way{byFloor, byTick}
	if !isSQLite(dsn) {
		ways = append(ways, byFloor2)
	}
	spent := map[way]time.Duration{}
	rounds := 0
	for b.Loop() {
		for _, by := range ways {
			w.prepare(b, p.stores, w.n)
			before := w.effect(b, own)
			spent[by] += benchJob{dsn, w.name, by, benchNow()}.measure(b, processes)
			require.Equal(b, w.each.times(w.n), w.effect(b, own).minus(before), by)
		}
		rounds++
	}
	rate := func(by way) float64 { return float64(w.n*rounds) / spent[by].Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate(byTick), w.name+"/s")
	for _, by := range ways {
		if by != byTick {
			b.ReportMetric(rate(by), string(by)+"/s")
			b.ReportMetric(rate(byTick)/rate(by), "of-"+string(by))
		}
	}
}

// effect counts what there is.
func (w benchWork) effect(b *testing.B, db *sql.DB) effect {
	b.Helper()
	var e effect
	err := db.QueryRow(fmt.Sprintf(`SELECT (%s), (SELECT count(*) FROM events),
			CAST((SELECT coalesce(sum(version), 0) FROM deliveries) AS BIGINT), CAST((SELECT coalesce(sum(version), 0) FROM servers) +
			(SELECT coalesce(sum(version), 0) FROM cancellations) + (SELECT coalesce(sum(version), 0) FROM backup_requests) +
			(SELECT coalesce(sum(version), 0) FROM backup_tasks) AS BIGINT)`, w.done)).Scan(&e.done, &e.events, &e.deliveries, &e.records)
	require.NoError(b, err)
	return e
}

// benchJob is what is measured, in this process or in others.
type benchJob struct {
	DSN  string
	Work string
	By   way
	Now  time.Time
}

// measure says how long it takes this process, or as many others, to do what is due.
func (j benchJob) measure(b *testing.B, processes int) time.Duration {
	b.Helper()
	if processes > 1 {
		return j.together(b, processes)
	}
	run, done, err := j.open(b.Context())
	require.NoError(b, err)
	began := time.Now()
	err = run(b.Context())
	took := time.Since(began)
	require.NoError(b, errors.Join(err, done()))
	return took
}

// open makes ready to do what is due.
func (j benchJob) open(ctx context.Context) (run func(context.Context) error, done func() error, err error) {
	works := benchWorks()
	w := works[slices.IndexFunc(works, func(w benchWork) bool { return w.name == j.Work })]
	if j.By != byTick {
		h, err := openByHand(ctx, j.DSN)
		if err != nil {
			return nil, nil, err
		}
		h.now, h.atOnce = j.Now.UnixMicro(), j.By == byFloor2
		return func(ctx context.Context) error { return w.floor(ctx, h) }, h.close, nil
	}
	db, err := sqlstore.Open(ctx, j.DSN)
	if err != nil {
		return nil, nil, err
	}
	p, err := benchPanel(storesOf(db), j.Now)
	return func(ctx context.Context) error {
		_, err := w.ticker(p).Tick(ctx)
		return err
	}, db.Close, err
}

// benchWorkerEnv makes of this test's program a process of a benchmark: see benchJob.
const benchWorkerEnv = "METALKEEP_BENCH_WORKER"

// benchMain is the main program of such a process. It says when it is ready, and begins when its standard input is closed.
func benchMain(config string) int {
	err := func() error {
		var j benchJob
		if err := json.Unmarshal([]byte(config), &j); err != nil {
			return err
		}
		ctx := context.Background()
		run, done, err := j.open(ctx)
		if err != nil {
			return err
		}
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return errors.Join(run(ctx), done())
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1
	}
	return 0
}

// together starts processes and lets them go at once.
func (j benchJob) together(b *testing.B, n int) time.Duration {
	b.Helper()
	config, err := json.Marshal(j)
	require.NoError(b, err)
	var processes []*exec.Cmd
	var held []io.Closer
	for range n {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), benchWorkerEnv+"="+string(config))
		c.Stderr = os.Stderr
		in, err1 := c.StdinPipe()
		out, err2 := c.StdoutPipe()
		require.NoError(b, errors.Join(err1, err2, c.Start()))
		said, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(b, err)
		require.Equal(b, "ready\n", said)
		processes, held = append(processes, c), append(held, in)
	}
	began := time.Now()
	for _, h := range held {
		require.NoError(b, h.Close())
	}
	for _, c := range processes {
		assert.NoError(b, c.Wait())
	}
	return time.Since(began)
}
