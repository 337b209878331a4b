// Package api answers goshawk's own questions as JSON: what flows, how far
// behind it is, what it takes on disk (/api/v1/flow), and whether the books
// balance (/api/v1/ledger). docs/api.md is the contract.
//
// It must not know Kafka or the other roles: what they know comes in through
// the functions of [Deps].
package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/goshawk-observability/goshawk/query/ledger"
)

// Deps are where answers come from. Only Conn and Database are needed; what is
// nil is left out of the answers.
type Deps struct {
	// Conn is a connection of a user that may read all tables and system tables.
	Conn     driver.Conn
	Database string
	// Topics maps the name of every topic to its signal.
	Topics map[string]string
	// RetentionDays is passed to the audit, see ledger.Config.
	RetentionDays func(table, tenant string) int
	// Kafka says how far Kafka and the pipeline are, partition by partition.
	Kafka func(ctx context.Context) ([]ledger.KafkaPartition, error)
	// Components says what runs.
	Components func() []Component
	// Listeners are the addresses where this machine takes and gives data.
	Listeners []Listener
	// Disk says how full the disk is; where it is nil, ClickHouse is asked for its own.
	Disk    func(ctx context.Context) (*Disk, error)
	Version string
	// Now is the clock; nil is the wall clock.
	Now func() time.Time
}

// Component is one part of goshawk that runs.
type Component struct {
	Name string `json:"name"`
	// State is starting, up, down or stopping.
	State string `json:"state"`
	// PID is 0 for a part that runs inside of another's process.
	PID      int    `json:"pid,omitempty"`
	Restarts int    `json:"restarts"`
	RSS      uint64 `json:"rss_bytes,omitempty"`
	// Detail says why it is not up.
	Detail string `json:"detail,omitempty"`
}

// Listener is one address.
type Listener struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// Disk is the disk that holds the data.
type Disk struct {
	Path       string `json:"path"`
	FreeBytes  uint64 `json:"free_bytes"`
	TotalBytes uint64 `json:"total_bytes"`
	// DataBytes is what goshawk's data takes, 0 where nobody counted.
	DataBytes uint64 `json:"data_bytes,omitempty"`
}

// API answers the requests. The tenant that every method takes bounds the
// answer; an empty one is the operator's view.
type API struct {
	deps      Deps
	audit     *ledger.Audit
	log       *slog.Logger
	flows     cache[*Flow]
	summaries cache[*ledger.Report]
	verifying chan struct{}
}

// New makes the API.
func New(deps Deps, log *slog.Logger) (*API, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	cfg := ledger.DefaultConfig()
	if deps.Database != "" {
		cfg.Database = deps.Database
	}
	if deps.Topics != nil {
		cfg.Topics = deps.Topics
	}
	deps.Topics, deps.Database = cfg.Topics, cfg.Database
	cfg.RetentionDays = deps.RetentionDays
	audit, err := ledger.New(deps.Conn, cfg)
	if err != nil {
		return nil, err
	}
	return &API{deps: deps, audit: audit, log: log, verifying: make(chan struct{}, 1)}, nil
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // the client is gone
}

// WriteError answers with an error in the shape that all of /api/v1 uses.
func WriteError(w http.ResponseWriter, status int, message string) {
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, status, map[string]any{"error": map[string]string{"message": message}})
}
