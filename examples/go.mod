module github.com/metalkeep/metalkeep/examples

go 1.26

require github.com/metalkeep/metalkeep v0.0.0

replace github.com/metalkeep/metalkeep => ../
