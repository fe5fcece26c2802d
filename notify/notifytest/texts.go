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

// TestTexts tests a store of texts against the contract of notify.Texts. open returns a fresh, empty store.
func TestTexts(t *testing.T, open func(t *testing.T) notify.Texts) {
	run := func(name string, test func(*textsFixture)) {
		t.Run(name, func(t *testing.T) { test(&textsFixture{t, open(t)}) })
	}
	run("1 concurrency: of two calls that save one version one succeeds", (*textsFixture).saveRace)
	run("2 missing: a text that is not stored is ErrNotFound", (*textsFixture).missing)
	run("2 missing: resetting it does nothing", (*textsFixture).resetNothing)
	run("3 save: the version must be the stored one", (*textsFixture).versions)
	run("3 save: after a reset versions begin again", (*textsFixture).afterReset)
	run("4 list: one reseller's, by kind and locale", (*textsFixture).list)
	run("5 context: after its end nothing is written", (*textsFixture).ended)
	run("6 content: a text comes back as it was", (*textsFixture).content)
	run("6 content: each key has its own text", (*textsFixture).keys)
}

// textsFixture is the store of one sub-test.
type textsFixture struct {
	*testing.T
	notify.Texts
}

func sampleText() notify.Text {
	return notify.Text{
		ResellerID: uuid.New(), Kind: "suite.event", Locale: "pt-BR", Subject: "{{.server}} está pronto",
		Text: "Olá,\r\n\n{{.server}}\t\n", HTML: "<p title=\"'\">{{.server}}</p>",
	}
}

func (f *textsFixture) save(texts ...notify.Text) {
	f.Helper()
	for _, t := range texts {
		if err := f.Save(f.Context(), t); err != nil {
			f.Fatalf("Save of %s in %s at version %d: %v", t.Kind, t.Locale, t.Version, err)
		}
	}
}

// stored reads the text with the key of t.
func (f *textsFixture) stored(t notify.Text) (notify.Text, error) {
	return f.Text(f.Context(), t.ResellerID, t.Kind, t.Locale)
}

// wantStored fails the test if the stored text differs from want.
func (f *textsFixture) wantStored(what string, want notify.Text) {
	f.Helper()
	got, err := f.stored(want)
	if err != nil {
		f.Errorf("%s: %v", what, err)
	} else if d := storetest.Diff(want, got); d != "" {
		f.Errorf("%s: %s", what, d)
	}
}

func (f *textsFixture) wantMissing(what string, t notify.Text) {
	f.Helper()
	if _, err := f.stored(t); !errors.Is(err, notify.ErrNotFound) {
		f.Errorf("%s: Text returned %v, want %v", what, err, notify.ErrNotFound)
	}
}

func (f *textsFixture) wantConflict(what string, t notify.Text) {
	f.Helper()
	if err := f.Save(f.Context(), t); !errors.Is(err, notify.ErrConflict) {
		f.Errorf("%s: Save returned %v, want %v", what, err, notify.ErrConflict)
	}
}

func (f *textsFixture) saveRace() {
	t := sampleText()
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
				errs[i] = f.Save(f.Context(), mine)
			})
		}
		close(start)
		workers.Wait()
		saved := 0
		for i, err := range errs {
			switch {
			case err == nil:
				saved++
				t.Text, t.Version = strings.Repeat("x", i+1), int64(round)+1
			case !errors.Is(err, notify.ErrConflict):
				f.Fatalf("the call that failed returned %v, want %v", err, notify.ErrConflict)
			}
		}
		if saved != 1 {
			f.Fatalf("round %d: %d of two calls saved version %d", round, saved, round)
		}
		f.wantStored("after two calls at once", t)
	}
}

func (f *textsFixture) missing() {
	t := sampleText()
	f.wantMissing("an empty store", t)
	f.save(t)
	for _, other := range []notify.Text{
		{ResellerID: uuid.New(), Kind: t.Kind, Locale: t.Locale},
		{ResellerID: t.ResellerID, Kind: "suite.other", Locale: t.Locale},
		{ResellerID: t.ResellerID, Kind: t.Kind, Locale: "pt"},
	} {
		f.wantMissing("another reseller, kind or language", other)
	}
	if list, err := f.Texts.Texts(f.Context(), uuid.New()); len(list) > 0 || err != nil {
		f.Errorf("a reseller without texts has %d, %v", len(list), err)
	}
}

func (f *textsFixture) resetNothing() {
	t := sampleText()
	if err := f.Reset(f.Context(), t.ResellerID, t.Kind, t.Locale); err != nil {
		f.Errorf("Reset of a text that is not stored: %v", err)
	}
	f.wantMissing("after a reset of nothing", t)
}

func (f *textsFixture) versions() {
	t := sampleText()
	newer := t
	newer.Version = 1
	f.wantConflict("version 1 if nothing is stored", newer)
	f.wantMissing("after a conflict", t)
	f.save(t)
	stale := t
	stale.Text = "stale"
	f.wantConflict("version 0 if a text is stored", stale)
	t.Version = 1
	f.wantStored("after a conflict", t)
	t.Text = "second"
	f.save(t)
	stale.Version = 1
	f.wantConflict("version 1 if 2 is stored", stale)
	stale.Version = 3
	f.wantConflict("version 3 if 2 is stored", stale)
	t.Version = 2
	f.wantStored("after the second save", t)
}

func (f *textsFixture) afterReset() {
	t := sampleText()
	f.save(t)
	if err := f.Reset(f.Context(), t.ResellerID, t.Kind, t.Locale); err != nil {
		f.Fatalf("Reset: %v", err)
	}
	f.wantMissing("after Reset", t)
	if list, err := f.Texts.Texts(f.Context(), t.ResellerID); len(list) > 0 || err != nil {
		f.Errorf("after Reset %d texts are listed, %v", len(list), err)
	}
	old := t
	old.Version = 1
	f.wantConflict("the version from before the reset", old)
	f.save(t)
	t.Version = 1
	f.wantStored("saved after a reset", t)
}

func (f *textsFixture) list() {
	of := func(reseller uuid.UUID, kind notify.Kind, locale string) notify.Text {
		t := sampleText()
		t.ResellerID, t.Kind, t.Locale = reseller, kind, locale
		return t
	}
	mine, other := uuid.New(), uuid.New()
	want := []notify.Text{of(mine, "suite.Z", "de"), of(mine, "suite.a", "de"), of(mine, "suite.a", "en"), of(mine, "suite.a", "pt-BR"),
		of(mine, "suite.b", "de")}
	f.save(want[3], want[1], of(other, "suite.a", "fr"), want[2], want[0], want[4])
	for i := range want {
		want[i].Version = 1
	}
	list, err := f.Texts.Texts(f.Context(), mine)
	if err != nil {
		f.Fatalf("Texts: %v", err)
	}
	if d := storetest.Diff(want, list); d != "" {
		f.Errorf("listed: %s", d)
	}
}

func (f *textsFixture) ended() {
	t := sampleText()
	f.save(t)
	t.Version = 1
	changed, fresh := t, sampleText()
	changed.Text = "changed"
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	_, readErr := f.Text(ctx, t.ResellerID, t.Kind, t.Locale)
	_, listErr := f.Texts.Texts(ctx, t.ResellerID)
	for what, err := range map[string]error{
		"Text": readErr, "Texts": listErr, "Save": f.Save(ctx, changed), "Save of a new text": f.Save(ctx, fresh),
		"Reset": f.Reset(ctx, t.ResellerID, t.Kind, t.Locale),
	} {
		if !errors.Is(err, context.Canceled) {
			f.Errorf("%s returned %v after its context had ended, want %v", what, err, context.Canceled)
		}
	}
	f.wantStored("after calls with an ended context", t)
	f.wantMissing("after Save with an ended context", fresh)
}

func (f *textsFixture) content() {
	t := sampleText()
	f.save(t)
	t.Version = 1
	f.wantStored("saved", t)
	t.HTML, t.Subject, t.Text = "", strings.Repeat("ß", 250), strings.Repeat("x", 64<<10)
	f.save(t)
	t.Version = 2
	f.wantStored("saved again, large and without HTML", t)
}

func (f *textsFixture) keys() {
	var all []notify.Text
	for range 2 {
		reseller := uuid.New()
		for _, kind := range []notify.Kind{"suite.a", "suite.b"} {
			for _, locale := range []string{"de", "de-AT"} {
				t := sampleText()
				t.ResellerID, t.Kind, t.Locale, t.Text = reseller, kind, locale, reseller.String()+string(kind)+locale
				f.save(t)
				t.Version = 1
				all = append(all, t)
			}
		}
	}
	if err := f.Reset(f.Context(), all[0].ResellerID, all[0].Kind, all[0].Locale); err != nil {
		f.Fatalf("Reset: %v", err)
	}
	f.wantMissing("the text that was reset", all[0])
	for _, t := range all[1:] {
		f.wantStored("a text that was not reset", t)
	}
}
