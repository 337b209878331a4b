// The suites of others that run against goshawk from the outside. They are kept
// out of the product's module because they need other versions of what it needs.
module github.com/goshawk-observability/goshawk/test/compliance

go 1.26.0

require github.com/prometheus/complicance/remotewrite2 v0.0.0

// The module calls itself by another name than the one it is served under.
replace github.com/prometheus/complicance/remotewrite2 => github.com/prometheus/compliance/remotewrite/receiver v0.0.0-20260806071727-67b8327a2e93
