// Package once tells what a loop has not met before.
package once

// Set remembers what it was given. The zero value remembers nothing. It is for one goroutine at a time.
type Set[K comparable] struct{ met map[K]bool }

// Fresh returns those of the keys that the Set has not met yet, in their order, each once.
func (s *Set[K]) Fresh(keys []K) []K {
	var fresh []K
	for _, key := range keys {
		if s.met[key] {
			continue
		}
		if s.met == nil {
			s.met = map[K]bool{}
		}
		s.met[key] = true
		fresh = append(fresh, key)
	}
	return fresh
}
