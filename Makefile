# The one door to this repository: `make` lists what it can do.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# The engine library is loaded at run time, without a C compiler.
export CGO_ENABLED ?= 0
# Prometheus's scraping with the discovery of files, HTTP and DNS: that of every cloud would double the binary. Everything
# that builds, tests or lints inherits it from here.
export GOFLAGS += -tags=remove_all_sd,enable_dns_sd

N    ?= 1000
TIME ?= 30s

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*## "; print "Usage: make TARGET\n"} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Fetch the engine, build, and run everything on this machine with demo traffic.
	@exec bin/goshawk up --demo

.PHONY: up
up: build ## The same without demo traffic.
	@exec bin/goshawk up

.PHONY: build
build: engine geo ## Build bin/goshawk.
	@echo "Building bin/goshawk (a minute or two the first time) ..."
	@go build -ldflags '$(LDFLAGS)' -o bin/goshawk ./cmd/goshawk

.PHONY: engine
engine: ## Fetch the embedded ClickHouse engine (npm, pinned by a lock file).
	@deploy/clickhouse/fetch

.PHONY: geo
geo: ## Fetch which country an address is in (npm, pinned by a lock file).
	@deploy/geo/fetch

.PHONY: test
test: engine geo kafka-fetch javascript-fetch logcli-fetch ## Run every test under the race detector: unit, integration, faults, end to end.
	@test/run

.PHONY: check
check: ## Formatting, vet and lint.
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt"; exit 1; }
	@go vet ./...
	@cd tools && go tool -n golangci-lint >/dev/null
	@$$(cd tools && go tool -n golangci-lint) run ./...

.PHONY: golden
golden: ## Rewrite golden files and generated references; review them as a diff.
	@go test ./telemetry/... ./ingest/... ./pipeline/... ./processors/... ./sinks/... ./cmd/... -run 'Golden|Generated|Script|Determin' -update

.PHONY: docs
docs: ## Rewrite the generated references.
	@go test ./telemetry/tables ./cmd/goshawk -run Generated -update

.PHONY: fuzz
fuzz: ## Run every fuzz target for TIME (default 30s) each.
	@test/fuzz $(TIME)

.PHONY: bench
bench: build ## Measure everything the project promises; results in benchmarks/results.
	@go run ./benchmarks/harness -binary bin/goshawk -out benchmarks/results

.PHONY: chaos
chaos: build ## Kill processes N times (default 1000) under load and audit what is left.
	@GOSHAWK_BINARY=$(CURDIR)/bin/goshawk GOSHAWK_CHAOS_KILLS=$(N) go test ./test/chaos -run TestKill -count=1 -timeout 24h -v

.PHONY: kafka-fetch
kafka-fetch:
	@deploy/kafka/fetch || [[ "$${GOSHAWK_KAFKA:-}" != require ]]

.PHONY: logcli-fetch
logcli-fetch:
	@test/logcli/fetch || [[ "$${GOSHAWK_LOGCLI:-}" != require ]]

.PHONY: javascript-fetch
javascript-fetch:
	@test/interop/javascript/fetch

.PHONY: kafka
kafka: ## Start a real Apache Kafka broker (Java 17), data under deploy/kafka/data.
	@deploy/kafka/run

.PHONY: clean
clean: ## Remove what was built and fetched; data stays.
	@rm -rf bin .cache deploy/clickhouse/node_modules deploy/geo/node_modules deploy/kafka/target test/interop/javascript/node_modules
