package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
)

// stage plays scenes on a host and writes down what happens.
type stage struct {
	*host
	ctx    context.Context
	begin  time.Time
	end    time.Time
	stock  inventory
	cast   map[string]part // by act
	diary  []event
	agenda agenda
	news   []news   // of the present instant
	shown  []string // what is shown instead of what: old, new, old, new
}

// part is the server that an act plays on, and the client that plays.
type part struct {
	server listing
	client person
}

// play plays the story with the servers of an inventory, over empty stores. Where it fails, the events are those before
// that.
func play(ctx context.Context, inv inventory, empty stores) ([]event, error) {
	h, err := newHost(ctx, inv, empty)
	if err != nil {
		return nil, err
	}
	s := &stage{
		host: h, ctx: ctx, begin: inv.begin(), end: inv.begin().AddDate(0, months, 0), stock: inv,
		cast: map[string]part{}, agenda: newAgenda(),
	}
	s.prologue()
	if err := s.run(s.rehearse(acts())); err != nil {
		return s.diary, err
	}
	err = s.epilogue()
	return s.diary, err
}

const months = 2

// rehearse finds each act a server that no other act plays on, and puts the scenes in the order of their time. An act
// that finds none is left out, and the diary says so.
func (s *stage) rehearse(all []act) []scene {
	var scenes []scene
	for _, a := range all {
		p, ok := s.find(a)
		if !ok {
			s.tell("story.missing", "", "", fmt.Sprintf("This inventory has no %s%s, so this is not played: %s.", s.other(a), a.wants, a.title),
				data{"act": a.name, "wants": a.wants})
			continue
		}
		s.cast[a.name] = p
		for _, sc := range a.scenes {
			sc.act = a.name
			sc.when = s.day(sc.day, sc.at)
			scenes = append(scenes, sc)
		}
	}
	slices.SortStableFunc(scenes, func(a, b scene) int { return a.when.Compare(b.when) })
	return scenes
}

// find casts an act: a server of a client who is in no other act, if there is one.
func (s *stage) find(a act) (part, bool) {
	if a.fits == nil {
		return part{}, true
	}
	best, bestRank := part{}, 0
	for _, l := range s.stock.servers {
		rank := a.fits(s, l)
		if rank == 0 || s.playing(func(p part) bool { return p.server.name == l.name }) {
			continue
		}
		p := part{server: l, client: l.client}
		if l.inStock() {
			clients := s.stock.clients()
			if len(clients) == 0 {
				continue
			}
			p.client = clients[len(clients)-1]
		}
		rank *= 2
		if !s.playing(func(other part) bool { return other.client == p.client }) {
			rank++
		}
		if rank > bestRank {
			best, bestRank = p, rank
		}
	}
	return best, bestRank > 0
}

// other qualifies what an act lacks, where there is some of it that other acts play on.
func (s *stage) other(a act) string {
	if slices.ContainsFunc(s.stock.servers, func(l listing) bool { return a.fits(s, l) > 0 }) {
		return "other "
	}
	return ""
}

func (s *stage) playing(is func(part) bool) bool {
	for _, p := range s.cast {
		if is(p) {
			return true
		}
	}
	return false
}

// day is an instant of the story, on its n-th day, from 1.
func (s *stage) day(n int, at time.Duration) time.Time { return s.begin.AddDate(0, 0, n-1).Add(at) }

// hm is a time of day.
func hm(hours, minutes int) time.Duration {
	return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
}

// run is the heart of it: the clock moves to whatever comes next, a scene or something that falls due, so that everything
// happens when it should. A host with real time leaves this to a dedicated.Runner.
func (s *stage) run(scenes []scene) error {
	for now := s.begin; now.Before(s.end); {
		if !s.clock.Now().Equal(now) {
			s.clock.Set(now)
		}
		for len(scenes) > 0 && !scenes[0].when.After(now) {
			if err := s.perform(scenes[0]); err != nil {
				return err
			}
			scenes = scenes[1:]
		}
		next, err := s.settle()
		if err != nil {
			return err
		}
		if len(scenes) > 0 {
			next = earlier(next, scenes[0].when)
		}
		now = earlier(next, s.end)
	}
	s.clock.Set(s.end)
	return nil
}

// settle ticks until there is nothing left to do now, and returns when there is next; zero: nothing is known.
func (s *stage) settle() (time.Time, error) {
	now := s.clock.Now()
	defer s.flush()
	const enough = 1000
	for range enough {
		next, err := s.tick()
		if err != nil {
			return next, fmt.Errorf("at %s: %w", now.Format(time.RFC3339), err)
		}
		news, err := s.notice()
		if err != nil || !news && (next.IsZero() || next.After(now)) {
			return next, err
		}
	}
	return time.Time{}, fmt.Errorf("at %s: there is still something to do after %d ticks", now.Format(time.RFC3339), enough)
}

// tick does everything that is due once. The money comes first: what is cancelled now is not charged any more.
func (s *stage) tick() (time.Time, error) {
	var next time.Time
	var errs []error
	for _, t := range []dedicated.Ticker{s.ledger, s.backups, s.tickets, s.cancellations, s.dispatcher} {
		at, err := t.Tick(s.ctx)
		next, errs = earlier(next, at), append(errs, err)
	}
	at, err := s.lookAtAgenda()
	return earlier(next, at), errors.Join(append(errs, err)...)
}

// earlier takes a zero time for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// perform plays a scene. What the rules refuse in it must be refused, and nothing else.
func (s *stage) perform(sc scene) error {
	c := cue{scene: sc, part: s.cast[sc.act]}
	line, err := sc.do(s, c)
	refusal := refused(err)
	switch {
	case err != nil && (refusal == "" || !sc.refused):
		return fmt.Errorf("%s, act %q: %s: %w", sc.when.Format(time.RFC3339), sc.act, line.text, err)
	case err == nil && sc.refused:
		return fmt.Errorf("%s, act %q: %s: this was to be refused", sc.when.Format(time.RFC3339), sc.act, line.text)
	}
	if line.text == "" {
		return nil
	}
	if line.data == nil {
		line.data = data{}
	}
	if err != nil {
		chapter, _, _ := strings.Cut(line.kind, ".")
		line.data["error"], line.data["reason"] = err.Error(), refusal
		line.kind, line.text = chapter+".refused", line.text+"\n-> refused: "+err.Error()
	}
	s.tell(line.kind, s.name(c), c.server.name, line.text, line.data)
	return nil
}

// refused says which of the library's four refusals an error is; "" is none.
func refused(err error) string {
	for _, sentinel := range []error{dedicated.ErrNotFound, dedicated.ErrConflict, dedicated.ErrForbidden, dedicated.ErrInvalid} {
		if errors.Is(err, sentinel) {
			return sentinel.Error()
		}
	}
	return ""
}

// tell writes an event down.
func (s *stage) tell(kind, who, server, text string, d data) {
	s.diary = append(s.diary, event{Time: s.clock.Now().UTC(), Kind: kind, Who: who, Server: server, Text: text, Data: d})
}
