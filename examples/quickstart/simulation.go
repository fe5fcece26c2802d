package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// months is the length of the simulation.
const months = 2

// simulation runs scenarios on a host and records what happens.
type simulation struct {
	*host
	ctx       context.Context
	begin     time.Time
	end       time.Time
	inventory inventory
	fixtures  map[string]fixture // by scenario
	events    []event
	backlog   backlog
	queue     []queuedEvent // of the current instant
	replaced  []string      // texts and their replacements in the output, alternating
}

// fixture is the server that a scenario uses, and its client.
type fixture struct {
	server listing
	client person
}

// simulate runs all scenarios with the servers of an inventory, on empty stores. After an error it returns the events
// until then.
func simulate(ctx context.Context, inv inventory, empty stores) ([]event, error) {
	h, err := newHost(ctx, inv, empty)
	if err != nil {
		return nil, err
	}
	s := &simulation{
		host: h, ctx: ctx, begin: inv.begin(), end: inv.begin().AddDate(0, months, 0), inventory: inv,
		fixtures: map[string]fixture{}, backlog: newBacklog(),
	}
	s.recordStart()
	if err := s.run(s.plan(scenarios())); err != nil {
		return s.events, err
	}
	err = s.recordEnd()
	return s.events, err
}

// plan finds a server for each scenario, and returns the steps of all scenarios in order of time. No two scenarios use
// the same server. A scenario without a server is left out, and an event says so.
func (s *simulation) plan(all []scenario) []step {
	var steps []step
	for _, sc := range all {
		f, ok := s.findFixture(sc)
		if !ok {
			s.record("scenario.skipped", "", "", fmt.Sprintf("This inventory has no %s%s. Left out: %s.", s.qualifier(sc), sc.needs, sc.title),
				data{"scenario": sc.name, "needs": sc.needs})
			continue
		}
		s.fixtures[sc.name] = f
		for _, st := range sc.steps {
			st.scenario = sc.name
			st.time = s.day(st.day, st.at)
			steps = append(steps, st)
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.time.Compare(b.time) })
	return steps
}

// findFixture finds the best server for a scenario. It prefers clients that are in no other scenario.
func (s *simulation) findFixture(sc scenario) (fixture, bool) {
	if sc.rank == nil {
		return fixture{}, true
	}
	best, bestRank := fixture{}, 0
	for _, l := range s.inventory.servers {
		rank := sc.rank(s, l)
		if rank == 0 || s.inUse(func(f fixture) bool { return f.server.name == l.name }) {
			continue
		}
		f := fixture{server: l, client: l.client}
		if l.inStock() {
			clients := s.inventory.clients()
			if len(clients) == 0 {
				continue
			}
			f.client = clients[len(clients)-1]
		}
		rank *= 2
		if !s.inUse(func(other fixture) bool { return other.client == f.client }) {
			rank++
		}
		if rank > bestRank {
			best, bestRank = f, rank
		}
	}
	return best, bestRank > 0
}

// qualifier returns "other " if the inventory has servers for the scenario, but other scenarios use them.
func (s *simulation) qualifier(sc scenario) string {
	if slices.ContainsFunc(s.inventory.servers, func(l listing) bool { return sc.rank(s, l) > 0 }) {
		return "other "
	}
	return ""
}

func (s *simulation) inUse(matches func(fixture) bool) bool {
	for _, f := range s.fixtures {
		if matches(f) {
			return true
		}
	}
	return false
}

// day returns a time of the n-th day of the simulation, from 1, in UTC.
func (s *simulation) day(n int, at time.Duration) time.Time {
	return s.begin.AddDate(0, 0, n-1).Add(at)
}

// hm is a time of day.
func hm(hours, minutes int) time.Duration {
	return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
}

// run moves the clock to the next step or the next time at which something is due, until the end. So everything happens
// at its own time. A host with real time uses a dedicated.Runner instead.
func (s *simulation) run(steps []step) error {
	for now := s.begin; now.Before(s.end); {
		if !s.clock.Now().Equal(now) {
			s.clock.Set(now)
		}
		for len(steps) > 0 && !steps[0].time.After(now) {
			if err := s.execute(steps[0]); err != nil {
				return err
			}
			steps = steps[1:]
		}
		next, err := s.tickAll()
		if err != nil {
			return err
		}
		if len(steps) > 0 {
			next = earlier(next, steps[0].time)
		}
		now = earlier(next, s.end)
	}
	s.clock.Set(s.end)
	return nil
}

// tickAll ticks until nothing more is due now. It returns the time of the next tick; zero if there is none.
func (s *simulation) tickAll() (time.Time, error) {
	now := s.clock.Now()
	defer s.recordQueue()
	const maxTicks = 1000
	for range maxTicks {
		next, err := s.tick()
		if err != nil {
			return next, fmt.Errorf("at %s: %w", now.Format(time.RFC3339), err)
		}
		found, err := s.collect()
		if err != nil || !found && (next.IsZero() || next.After(now)) {
			return next, err
		}
	}
	return time.Time{}, fmt.Errorf("at %s: records are still due after %d ticks", now.Format(time.RFC3339), maxTicks)
}

// tick calls Tick once on every part. The biller is first: it must not charge a period of a server that is cancelled now.
func (s *simulation) tick() (time.Time, error) {
	var next time.Time
	var errs []error
	for _, t := range []dedicated.Ticker{s.biller, s.backups, s.tickets, s.cancellations, s.dispatcher} {
		at, err := t.Tick(s.ctx)
		next, errs = earlier(next, at), append(errs, err)
	}
	at, err := s.checkBacklog()
	return earlier(next, at), errors.Join(append(errs, err)...)
}

// earlier returns the earlier time. Zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// execute executes a step and records its event. A step marked as refused must be refused, and no other step may be.
func (s *simulation) execute(st step) error {
	c := call{step: st, fixture: s.fixtures[st.scenario]}
	e, err := st.do(s, c)
	refusal := refusalOf(err)
	switch {
	case err != nil && (refusal == "" || !st.refused):
		return fmt.Errorf("%s, scenario %q: %s: %w", st.time.Format(time.RFC3339), st.scenario, e.Text, err)
	case err == nil && st.refused:
		return fmt.Errorf("%s, scenario %q: %s: the library accepted it, expected a refusal",
			st.time.Format(time.RFC3339), st.scenario, e.Text)
	}
	if e.Text == "" {
		return nil
	}
	if e.Data == nil {
		e.Data = data{}
	}
	if err != nil {
		subject, _, _ := strings.Cut(e.Kind, ".")
		e.Data["error"], e.Data["reason"] = err.Error(), refusal
		e.Kind, e.Text = subject+".refused", e.Text+"\n-> refused: "+err.Error()
	}
	s.record(e.Kind, s.name(c), c.server.name, e.Text, e.Data)
	return nil
}

// refusalOf returns which of the caller's four sentinels an error is. It returns "" for all other errors, such as ErrHost.
func refusalOf(err error) string {
	for _, sentinel := range []error{dedicated.ErrNotFound, dedicated.ErrConflict, dedicated.ErrForbidden, dedicated.ErrInvalid} {
		if errors.Is(err, sentinel) {
			return sentinel.Error()
		}
	}
	return ""
}

// record appends an event at the current time.
func (s *simulation) record(kind, who, server, text string, d data) {
	s.events = append(s.events, event{Time: s.clock.Now().UTC(), Kind: kind, Who: who, Server: server, Text: text, Data: d})
}

// billing returns the billing of a server of the inventory.
func (s *simulation) billing(server uuid.UUID) dedicated.Billing {
	i := slices.IndexFunc(s.inventory.servers, func(l listing) bool { return l.id() == server })
	if i < 0 {
		return dedicated.Billing{}
	}
	return s.inventory.servers[i].billing
}
