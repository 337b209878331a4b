package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

const (
	// checkEvery is the time between two questions whether Kafka is there, and
	// checkTimeout how long one may take.
	checkEvery   = 2 * time.Second
	checkTimeout = 5 * time.Second
	// readyFor is how long an answer of Kafka counts.
	readyFor = 10 * time.Second
)

// health knows whether the gateway can keep its promise.
type health struct {
	intake *intake
	// trim lets go of memory that waits to be used again.
	trim     func()
	stopping atomic.Bool
	// problem is what the last question to Kafka came back with; nil before the
	// first one.
	problem atomic.Pointer[string]
	asked   atomic.Int64 // when the last good answer came, Unix nanoseconds
}

// pinger is implemented by producers that can ask the broker itself, every time.
// Its word is enough to refuse requests; a number of partitions may be an old one.
type pinger interface {
	Ping(ctx context.Context) error
}

// run asks Kafka at intervals, and lets memory go that is not needed any more,
// until ctx is done.
func (h *health) run(ctx context.Context) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		h.check(ctx)
		h.trim()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (h *health) check(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	problem := ""
	err := h.ask(ctx)
	if err != nil {
		problem = err.Error()
	} else {
		h.asked.Store(time.Now().UnixNano())
	}
	h.problem.Store(&problem)
	if _, direct := h.intake.producer.(pinger); direct {
		h.intake.away.Store(err != nil)
	}
}

func (h *health) ask(ctx context.Context) error {
	if p, ok := h.intake.producer.(pinger); ok {
		return p.Ping(ctx)
	}
	for _, s := range telemetry.Signals {
		if _, err := h.intake.producer.Partitions(ctx, h.intake.topics[s]); err != nil {
			return err
		}
	}
	return nil
}

// kafka returns what is wrong with Kafka, "" if nothing is.
func (h *health) kafka(now time.Time) string {
	safe, unsafe := h.intake.lastSafe.Load(), h.intake.lastUnsafe.Load()
	problem := h.problem.Load()
	switch {
	case safe > now.Add(-checkEvery).UnixNano() && safe > unsafe:
		return ""
	case unsafe > safe && unsafe > now.Add(-readyFor).UnixNano():
		return "a request was not acknowledged in time"
	case problem == nil:
		return "not asked yet"
	case *problem != "":
		return *problem
	case h.asked.Load() < now.Add(-readyFor).UnixNano():
		return "does not answer"
	}
	return ""
}

type check struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// serveReady answers 200 while requests can succeed, and says which check fails
// otherwise.
func (h *health) serveReady(w http.ResponseWriter, _ *http.Request) {
	checks := map[string]check{"kafka": {OK: true}, "running": {OK: true}}
	if problem := h.kafka(time.Now()); problem != "" {
		checks["kafka"] = check{Error: problem}
	}
	if h.stopping.Load() {
		checks["running"] = check{Error: "the gateway is stopping"}
	}
	code := http.StatusOK
	for _, c := range checks {
		if !c.OK {
			code = http.StatusServiceUnavailable
		}
	}
	w.Header().Set("Content-Type", contentJSON)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"ready": code == http.StatusOK, "checks": checks})
}

func serveHealthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", contentJSON)
	_, _ = w.Write([]byte(`{"ok":true}` + "\n"))
}
