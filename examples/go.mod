module github.com/metalkeep/metalkeep/examples

go 1.26

require (
	github.com/benbjohnson/clock v1.3.5
	github.com/expr-lang/expr v1.17.8
	github.com/google/uuid v1.6.0
	github.com/metalkeep/metalkeep v0.0.0
	github.com/robfig/cron/v3 v3.0.1
	github.com/shopspring/decimal v1.6.0
	github.com/stretchr/testify v1.12.1
	github.com/teambition/rrule-go v1.8.2
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace github.com/metalkeep/metalkeep => ../
