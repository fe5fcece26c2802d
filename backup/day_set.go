package backup

import "math/bits"

// daySet is a set of the days of one week, month or year. 0 is the first day.
type daySet [6]uint64

func (d *daySet) add(day int) { d[day/64] |= 1 << (day % 64) }

func (d *daySet) has(day int) bool { return d[day/64]&(1<<(day%64)) != 0 }

func (d *daySet) size() (n int64) {
	for _, word := range d {
		n += int64(bits.OnesCount64(word))
	}
	return n
}

// keep removes the days before one day, and those from another day on.
func (d *daySet) keep(from, to int64) {
	for i := range d {
		begin := int64(i) * 64
		if from > begin {
			d[i] &^= 1<<min(from-begin, 64) - 1
		}
		if to < begin+64 {
			d[i] &= 1<<max(to-begin, 0) - 1
		}
	}
}

// nth returns the n-th day of the set, from 0. The set has more than n days.
func (d *daySet) nth(n int64) int64 {
	for i, word := range d {
		size := int64(bits.OnesCount64(word))
		if n < size {
			for range n {
				word &= word - 1 // removes the first day
			}
			return int64(i*64 + bits.TrailingZeros64(word))
		}
		n -= size
	}
	return 0
}

// numbers is a set of numbers from 1 to 384 and from -1 to -384.
type numbers struct {
	positive, negative daySet // number n is day n-1
	some               bool
}

// add adds a number. It returns false if the set has the number already.
func (s *numbers) add(n int) bool {
	if s.has(n) {
		return false
	}
	s.some = true
	if n < 0 {
		s.negative.add(-n - 1)
	} else {
		s.positive.add(n - 1)
	}
	return true
}

func (s *numbers) has(n int) bool {
	if n < 0 {
		return s.negative.has(-n - 1)
	}
	return s.positive.has(n - 1)
}
