package promql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// badRequest is the error of a parameter that makes no sense.
type badRequest struct{ error }

// serve answers with the shape of Prometheus's answers.
func (a *API) serve(w http.ResponseWriter, r *http.Request, answer func(*http.Request) (any, error)) {
	type body struct {
		Status    string `json:"status"`
		Data      any    `json:"data,omitempty"`
		ErrorType string `json:"errorType,omitempty"`
		Error     string `json:"error,omitempty"`
	}
	status, out := http.StatusOK, body{Status: "success"}
	data, err := answer(r)
	var bad badRequest
	switch {
	case err == nil:
		out.Data = data
	case errors.As(err, &bad):
		status, out = http.StatusBadRequest, body{Status: "error", ErrorType: "bad_data", Error: err.Error()}
	case unavailable(err):
		status, out = http.StatusServiceUnavailable, body{Status: "error", ErrorType: "unavailable", Error: err.Error()}
	default:
		status, out = http.StatusUnprocessableEntity, body{Status: "error", ErrorType: "execution", Error: err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // the client is gone
}

// numberOf reads a parameter that counts; absent it is -1.
func numberOf(r *http.Request, name string) (int, error) {
	text := r.FormValue(name)
	if text == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badRequest{fmt.Errorf("%s must be a number", name)}
	}
	return n, nil
}

// metadataDays is for how many days before today the metadata of a metric is
// shown.
const metadataDays = 1

// metadata answers what metrics are.
func (a *API) metadata(r *http.Request) (any, error) {
	limit, err := numberOf(r, "limit")
	if err != nil {
		return nil, err
	}
	perMetric, err := numberOf(r, "limit_per_metric")
	if err != nil {
		return nil, err
	}
	all := map[string][]metadata.Metadata{}
	err = a.store.metrics(r.Context(), r.FormValue("metric"), func(name string, m metadata.Metadata) {
		known, ok := all[name]
		if !ok && limit >= 0 && len(all) >= limit || perMetric > 0 && len(known) >= perMetric {
			return
		}
		all[name] = append(known, m)
	})
	return all, err
}

// metrics reads what senders said of their metrics.
func (s *Store) metrics(ctx context.Context, name string, add func(string, metadata.Metadata)) error {
	var (
		out                       clickhouse.Output
		names, types, units, help proto.ColStr
	)
	out.Add("name", &names)
	out.Add("type", &types)
	out.Add("CAST(unit, 'String')", &units)
	out.Add("CAST(description, 'String')", &help)
	var c condition
	c.Add("tenant = " + c.Text(tenantOf(ctx)))
	c.Add(fmt.Sprintf("day >= toDate(now('UTC')) - %d", metadataDays))
	c.Add("protocol != 'exemplars'")
	// Remote-write 1.0 sends samples without saying what they are.
	c.Add("NOT (protocol = 'remote_write' AND kind = 'gauge' AND unit = '' AND description = '' AND type = 'gauge')")
	if name != "" {
		c.Add("name = " + c.Text(name))
	}
	kind := "multiIf(metadata['" + telemetry.MetadataType + "'] != '', metadata['" + telemetry.MetadataType + "'], " +
		"kind = 'sum' AND monotonic, 'counter', kind IN ('gauge', 'sum'), 'gauge', kind = 'exponential_histogram', 'histogram', toString(kind))"
	text := "SELECT DISTINCT " + out.Columns() + " FROM (SELECT tenant, day, protocol, kind, unit, description, " +
		"CAST(prometheus_name, 'String') AS name, " + kind + " AS type FROM " + s.table(tables.Series) + ") WHERE " + c.Where() + " ORDER BY 1, 2, 3, 4"
	return s.read(ctx, text, c.Parameters, out.Result, func() error {
		for i := range names.Rows() {
			add(names.Row(i), metadata.Metadata{Type: model.MetricType(types.Row(i)), Unit: units.Row(i), Help: help.Row(i)})
		}
		return nil
	})
}

// target is a target of scraping, as its metric up describes it.
type target struct {
	DiscoveredLabels   map[string]string `json:"discoveredLabels"`
	Labels             labels.Labels     `json:"labels"`
	ScrapePool         string            `json:"scrapePool"`
	ScrapeURL          string            `json:"scrapeUrl"`
	GlobalURL          string            `json:"globalUrl"`
	LastError          string            `json:"lastError"`
	LastScrape         time.Time         `json:"lastScrape"`
	LastScrapeDuration float64           `json:"lastScrapeDuration"`
	Health             string            `json:"health"`
	ScrapeInterval     string            `json:"scrapeInterval"`
	ScrapeTimeout      string            `json:"scrapeTimeout"`
}

// targets answers with the targets whose metric up has a sample within the
// lookback: who scrapes them is not known here.
func (a *API) targets(r *http.Request) (any, error) {
	now := time.Now().UnixMilli()
	q := &querier{store: a.store, mint: now - a.cfg.Lookback.Milliseconds(), maxt: now}
	set := q.Select(r.Context(), true, nil, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "up"))
	active := []target{}
	for set.Next() {
		one := set.At()
		it := one.Iterator(nil)
		at, value, found := int64(0), 0.0, false
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind == chunkenc.ValFloat {
				at, value = it.At()
				found = !isStale(value)
			}
		}
		if err := it.Err(); err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		health := "up"
		if value == 0 {
			health = "down"
		}
		l := labels.NewBuilder(one.Labels()).Del(model.MetricNameLabel).Labels()
		active = append(active, target{
			DiscoveredLabels: map[string]string{}, Labels: l, ScrapePool: l.Get("job"), ScrapeURL: l.Get("instance"),
			GlobalURL: l.Get("instance"), LastScrape: time.UnixMilli(at).UTC(), Health: health,
		})
	}
	if err := set.Err(); err != nil {
		return nil, err
	}
	type answer struct {
		ActiveTargets       []target       `json:"activeTargets"`
		DroppedTargets      []target       `json:"droppedTargets"`
		DroppedTargetCounts map[string]int `json:"droppedTargetCounts"`
	}
	shown := answer{active, []target{}, map[string]int{}}
	if r.FormValue("state") == "dropped" {
		shown.ActiveTargets = []target{}
	}
	return shown, nil
}
