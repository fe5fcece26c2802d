package text

import "strings"

// Nearest returns the known name that was probably meant: the one that the fewest typing errors lead to, or one that the
// name is a piece of; "" if none is near.
func Nearest(name string, known []string) string {
	const shortest, longest = 3, 64
	if len(name) > longest {
		return ""
	}
	name = strings.ToLower(name)
	best, found := (len(name)+2)/3+1, ""
	for _, k := range known {
		d := distance(name, k)
		if len(name) >= shortest && strings.Contains(k, name) {
			d = min(d, 1)
		}
		if d < best {
			best, found = d, k
		}
	}
	return found
}

// distance counts the letters to insert, delete or replace to get from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
