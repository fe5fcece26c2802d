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

// BenchmarkTick processes due records by the Managers, and in the same run and database by floors: hand-written loops with the same
// effect. processes=1 runs in this process. processes=4 runs in four new processes, and is measured from the time when all have opened
// the database until all have ended. The benchmark compares the effects row by row.
//
// It reports how many records the Managers and the floor process in a second, and the ratio (of-floor). The floor waits for each
// statement, as most programs do. On PostgreSQL a second floor sends a whole transaction at once (floor2).
func BenchmarkTick(b *testing.B) {
	for _, w := range benchCases() {
		b.Run(w.name, func(b *testing.B) {
			for _, n := range []int{1, 4} {
				b.Run(fmt.Sprintf("processes=%d", n), func(b *testing.B) {
					onBoth(b, func(b *testing.B, dsn string) { benchTick(b, dsn, w, n) })
				})
			}
		})
	}
}

// method is the way in which due records are processed.
type method string

const (
	byTick   method = "tick"
	byFloor  method = "floor"
	byFloor2 method = "floor2"
)

func benchTick(b *testing.B, dsn string, w benchCase, processes int) {
	p, err := benchPanel(storesOf(opened(b, dsn)), benchNow())
	require.NoError(b, err)
	warnAWeekAhead(b, p)
	own, err := sql.Open(driverOf(dsn))
	require.NoError(b, err)
	defer func() { require.NoError(b, own.Close()) }()
	methods := []method{byFloor, byTick}
	if !isSQLite(dsn) {
		methods = append(methods, byFloor2)
	}
	spent := map[method]time.Duration{}
	rounds := 0
	for b.Loop() {
		for _, by := range methods {
			w.prepare(b, p.stores, w.n)
			before := w.effect(b, own)
			spent[by] += benchJob{dsn, w.name, by, benchNow()}.measure(b, processes)
			require.Equal(b, w.each.times(w.n), w.effect(b, own).minus(before), by)
		}
		rounds++
	}
	rate := func(by method) float64 { return float64(w.n*rounds) / spent[by].Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate(byTick), w.name+"/s")
	for _, by := range methods {
		if by != byTick {
			b.ReportMetric(rate(by), string(by)+"/s")
			b.ReportMetric(rate(byTick)/rate(by), "of-"+string(by))
		}
	}
}

// effect returns the current counts.
func (w benchCase) effect(b *testing.B, db *sql.DB) effect {
	b.Helper()
	var e effect
	err := db.QueryRow(fmt.Sprintf(`SELECT (%s), (SELECT count(*) FROM events),
			CAST((SELECT coalesce(sum(version), 0) FROM deliveries) AS BIGINT), CAST((SELECT coalesce(sum(version), 0) FROM servers) +
			(SELECT coalesce(sum(version), 0) FROM cancellations) + (SELECT coalesce(sum(version), 0) FROM backup_requests) +
			(SELECT coalesce(sum(version), 0) FROM backup_tasks) AS BIGINT)`, w.done)).Scan(&e.done, &e.events, &e.deliveries, &e.records)
	require.NoError(b, err)
	return e
}

// benchJob is what a process of the benchmark does.
type benchJob struct {
	DSN  string
	Case string
	By   method
	Now  time.Time
}

// measure returns how long it takes to process everything that is due, in this process or in several others.
func (j benchJob) measure(b *testing.B, processes int) time.Duration {
	b.Helper()
	if processes > 1 {
		return j.measureProcesses(b, processes)
	}
	run, done, err := j.open(b.Context())
	require.NoError(b, err)
	began := time.Now()
	err = run(b.Context())
	took := time.Since(began)
	require.NoError(b, errors.Join(err, done()))
	return took
}

// open opens the database. run processes everything that is due, and done closes the database.
func (j benchJob) open(ctx context.Context) (run func(context.Context) error, done func() error, err error) {
	cases := benchCases()
	w := cases[slices.IndexFunc(cases, func(w benchCase) bool { return w.name == j.Case })]
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

// benchWorkerEnv makes the test program run as a process of a benchmark. Its value is a benchJob in JSON.
const benchWorkerEnv = "METALKEEP_BENCH_WORKER"

// benchMain is the main function of such a process. It prints a line when it is ready, and starts when its standard input is closed.
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

// measureProcesses starts processes, makes them begin at the same time, and waits for their ends.
func (j benchJob) measureProcesses(b *testing.B, n int) time.Duration {
	b.Helper()
	config, err := json.Marshal(j)
	require.NoError(b, err)
	var processes []*exec.Cmd
	var inputs []io.Closer
	for range n {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), benchWorkerEnv+"="+string(config))
		c.Stderr = os.Stderr
		in, err1 := c.StdinPipe()
		out, err2 := c.StdoutPipe()
		require.NoError(b, errors.Join(err1, err2, c.Start()))
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(b, err)
		require.Equal(b, "ready\n", line)
		processes, inputs = append(processes, c), append(inputs, in)
	}
	began := time.Now()
	for _, in := range inputs {
		require.NoError(b, in.Close())
	}
	for _, c := range processes {
		assert.NoError(b, c.Wait())
	}
	return time.Since(began)
}
