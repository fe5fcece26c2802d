package notifytest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// TestTexts holds a store of edited texts to the contract of notify.Texts. open returns a fresh, empty one.
func TestTexts(t *testing.T, open func(t *testing.T) notify.Texts) {
	run := func(name string, test func(*shelf)) {
		t.Run(name, func(t *testing.T) { test(&shelf{t, open(t)}) })
	}
	run("1 concurrency: of two who save one version one wins", (*shelf).saveRace)
	run("2 missing: a text that is not stored is ErrNotFound", (*shelf).missing)
	run("2 missing: resetting it does nothing", (*shelf).resetNothing)
	run("3 save: the version must be the stored one", (*shelf).versions)
	run("3 save: after a reset it starts again", (*shelf).afterReset)
	run("4 list: one reseller's, by kind and locale", (*shelf).list)
	run("5 context: an ended one writes nothing", (*shelf).ended)
	run("6 content: a text comes back as it was", (*shelf).content)
	run("6 content: each under its own key", (*shelf).keys)
}

// shelf is a store of texts under one sub-test.
type shelf struct {
	*testing.T
	notify.Texts
}

func wording() notify.Text {
	return notify.Text{
		ResellerID: uuid.New(), Kind: "suite.event", Locale: "pt-BR", Subject: "{{.server}} está pronto",
		Text: "Olá,\r\n\n{{.server}}\t\n", HTML: "<p title=\"'\">{{.server}}</p>",
	}
}

func (s *shelf) save(texts ...notify.Text) {
	s.Helper()
	for _, t := range texts {
		if err := s.Save(s.Context(), t); err != nil {
			s.Fatalf("Save of %s in %s at version %d: %v", t.Kind, t.Locale, t.Version, err)
		}
	}
}

// stored is what is kept under the key of a text.
func (s *shelf) stored(t notify.Text) (notify.Text, error) {
	return s.Text(s.Context(), t.ResellerID, t.Kind, t.Locale)
}

// wantStored demands that a text is kept as it is.
func (s *shelf) wantStored(what string, want notify.Text) {
	s.Helper()
	got, err := s.stored(want)
	if err != nil {
		s.Errorf("%s: %v", what, err)
	} else if d := storetest.Diff(want, got); d != "" {
		s.Errorf("%s: %s", what, d)
	}
}

func (s *shelf) wantMissing(what string, t notify.Text) {
	s.Helper()
	if _, err := s.stored(t); !errors.Is(err, notify.ErrNotFound) {
		s.Errorf("%s: Text gave %v, want %v", what, err, notify.ErrNotFound)
	}
}

func (s *shelf) wantConflict(what string, t notify.Text) {
	s.Helper()
	if err := s.Save(s.Context(), t); !errors.Is(err, notify.ErrConflict) {
		s.Errorf("%s: Save gave %v, want %v", what, err, notify.ErrConflict)
	}
}

func (s *shelf) saveRace() {
	t := wording()
	for round := range rounds {
		t.Version = int64(round)
		const savers = 2
		start, errs := make(chan struct{}), make([]error, savers)
		var workers sync.WaitGroup
		for i := range savers {
			mine := t
			mine.Text = strings.Repeat("x", i+1)
			workers.Go(func() {
				<-start
				errs[i] = s.Save(s.Context(), mine)
			})
		}
		close(start)
		workers.Wait()
		won := 0
		for i, err := range errs {
			switch {
			case err == nil:
				won++
				t.Text, t.Version = strings.Repeat("x", i+1), int64(round)+1
			case !errors.Is(err, notify.ErrConflict):
				s.Fatalf("who came second was told %v, want %v", err, notify.ErrConflict)
			}
		}
		if won != 1 {
			s.Fatalf("round %d: %d of two saved version %d", round, won, round)
		}
		s.wantStored("who saved is not what is stored", t)
	}
}

func (s *shelf) missing() {
	t := wording()
	s.wantMissing("an empty store", t)
	s.save(t)
	for _, other := range []notify.Text{
		{ResellerID: uuid.New(), Kind: t.Kind, Locale: t.Locale},
		{ResellerID: t.ResellerID, Kind: "suite.other", Locale: t.Locale},
		{ResellerID: t.ResellerID, Kind: t.Kind, Locale: "pt"},
	} {
		s.wantMissing("another reseller, kind or language", other)
	}
	if list, err := s.Texts.Texts(s.Context(), uuid.New()); len(list) > 0 || err != nil {
		s.Errorf("a reseller without texts has %d, %v", len(list), err)
	}
}

func (s *shelf) resetNothing() {
	t := wording()
	if err := s.Reset(s.Context(), t.ResellerID, t.Kind, t.Locale); err != nil {
		s.Errorf("Reset of what is not stored: %v", err)
	}
	s.wantMissing("after a reset of nothing", t)
}

func (s *shelf) versions() {
	t := wording()
	ahead := t
	ahead.Version = 1
	s.wantConflict("version 1 where nothing is stored", ahead)
	s.wantMissing("after a conflict", t)
	s.save(t)
	stale := t
	stale.Text = "stale"
	s.wantConflict("version 0 where something is stored", stale)
	t.Version = 1
	s.wantStored("a conflict changes nothing", t)
	t.Text = "second"
	s.save(t)
	stale.Version = 1
	s.wantConflict("version 1 where 2 is stored", stale)
	stale.Version = 3
	s.wantConflict("version 3 where 2 is stored", stale)
	t.Version = 2
	s.wantStored("the version is raised by one", t)
}

func (s *shelf) afterReset() {
	t := wording()
	s.save(t)
	if err := s.Reset(s.Context(), t.ResellerID, t.Kind, t.Locale); err != nil {
		s.Fatalf("Reset: %v", err)
	}
	s.wantMissing("after Reset", t)
	if list, err := s.Texts.Texts(s.Context(), t.ResellerID); len(list) > 0 || err != nil {
		s.Errorf("after Reset %d texts are listed, %v", len(list), err)
	}
	old := t
	old.Version = 1
	s.wantConflict("the version from before the reset", old)
	s.save(t)
	t.Version = 1
	s.wantStored("saved after a reset", t)
}

func (s *shelf) list() {
	of := func(reseller uuid.UUID, kind notify.Kind, locale string) notify.Text {
		t := wording()
		t.ResellerID, t.Kind, t.Locale = reseller, kind, locale
		return t
	}
	mine, other := uuid.New(), uuid.New()
	want := []notify.Text{of(mine, "suite.Z", "de"), of(mine, "suite.a", "de"), of(mine, "suite.a", "en"), of(mine, "suite.a", "pt-BR"),
		of(mine, "suite.b", "de")}
	s.save(want[3], want[1], of(other, "suite.a", "fr"), want[2], want[0], want[4])
	for i := range want {
		want[i].Version = 1
	}
	list, err := s.Texts.Texts(s.Context(), mine)
	if err != nil {
		s.Fatalf("Texts: %v", err)
	}
	if d := storetest.Diff(want, list); d != "" {
		s.Errorf("listed: %s", d)
	}
}

func (s *shelf) ended() {
	t := wording()
	s.save(t)
	t.Version = 1
	changed, fresh := t, wording()
	changed.Text = "changed"
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	_, readErr := s.Text(ctx, t.ResellerID, t.Kind, t.Locale)
	_, listErr := s.Texts.Texts(ctx, t.ResellerID)
	for what, err := range map[string]error{
		"Text": readErr, "Texts": listErr, "Save": s.Save(ctx, changed), "Save of a new one": s.Save(ctx, fresh),
		"Reset": s.Reset(ctx, t.ResellerID, t.Kind, t.Locale),
	} {
		if !errors.Is(err, context.Canceled) {
			s.Errorf("%s under an ended context gave %v, want %v", what, err, context.Canceled)
		}
	}
	s.wantStored("after calls under an ended context", t)
	s.wantMissing("after Save under an ended context", fresh)
}

func (s *shelf) content() {
	t := wording()
	s.save(t)
	t.Version = 1
	s.wantStored("saved", t)
	t.HTML, t.Subject, t.Text = "", strings.Repeat("ß", 250), strings.Repeat("x", 64<<10)
	s.save(t)
	t.Version = 2
	s.wantStored("saved again, large and without HTML", t)
}

func (s *shelf) keys() {
	var all []notify.Text
	for range 2 {
		reseller := uuid.New()
		for _, kind := range []notify.Kind{"suite.a", "suite.b"} {
			for _, locale := range []string{"de", "de-AT"} {
				t := wording()
				t.ResellerID, t.Kind, t.Locale, t.Text = reseller, kind, locale, reseller.String()+string(kind)+locale
				s.save(t)
				t.Version = 1
				all = append(all, t)
			}
		}
	}
	if err := s.Reset(s.Context(), all[0].ResellerID, all[0].Kind, all[0].Locale); err != nil {
		s.Fatalf("Reset: %v", err)
	}
	s.wantMissing("what was reset", all[0])
	for _, t := range all[1:] {
		s.wantStored("what was not reset", t)
	}
}
