package text

import "strings"

// Nearest returns the valid name that the author of a misspelt name probably meant, or "" if no valid name is similar. A valid name
// is similar if a few typing errors turn it into name, or if it contains name. valid must be in lower case; the case of name has
// no effect.
func Nearest(name string, valid []string) string {
	const shortest, longest = 3, 64
	if len(name) > longest {
		return ""
	}
	name = strings.ToLower(name)
	best, found := (len(name)+2)/3+1, ""
	for _, k := range valid {
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

// distance returns the Levenshtein distance: the number of bytes to insert, delete or replace to turn a into b.
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
