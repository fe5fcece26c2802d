package manage

import (
	"fmt"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/text"
)

// Epoch returns the epoch of a Manager: that of its Store, if the Store knows it (see dedicated.EpochStore), otherwise the configured one.
// An error says what is wrong with Config.Epoch.
func Epoch(s any, configured string) (string, error) {
	if err := text.CheckEpoch("Config.Epoch", configured); err != nil {
		return "", err
	}
	held := configured
	if known, ok := s.(interface{ Epoch() string }); ok {
		if err := fault.Guard(store, func() error { held = known.Epoch(); return nil }); err != nil {
			return "", err
		}
	}
	if configured != "" && configured != held {
		return "", fmt.Errorf(`%w: Config.Epoch is %q, but the database of Config.Store holds %q: want the same, or ""`,
			fault.ErrInvalid, configured, held)
	}
	return held, text.CheckEpoch("the epoch of Config.Store", held)
}
