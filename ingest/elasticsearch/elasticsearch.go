// Package elasticsearch takes logs at the gateway as clients of Elasticsearch's bulk
// API send them: Filebeat, Fluent Bit, Vector, Logstash. Documents become log
// records; docs/gateway.md says which of their fields are known.
//
// What clients ask before they send, such as the version, is answered as far as they
// need it to begin. It must not know how requests are authenticated, limited,
// decompressed or produced: that is the gateway.
package elasticsearch

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/logpush"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Prefix is what clients take for the address of Elasticsearch, behind the host.
const Prefix = "/elasticsearch"

// version is that of the API which is followed. Clients refuse servers that are
// older than they are.
const version = "8.19.0"

// product is the header by which official clients know Elasticsearch.
var product = http.Header{"X-Elastic-Product": {"Elasticsearch"}}

// Routes returns the paths. JSON may nest up to maxDepth levels.
func Routes(maxDepth int) []gateway.Route {
	bulk := func(path string) gateway.Route {
		return gateway.Route{
			Path: path, Signal: telemetry.Logs, About: "Elasticsearch's bulk API",
			Formats: []gateway.Format{{
				ContentType: "application/json",
				Matches:     func(string) bool { return true }, // a dozen names are in use
				NewSplitter: func(limits otlp.Limits, claim func(int64) error) gateway.Splitter {
					return logpush.New(limits, claim, "elasticsearch", &decoder{maxDepth: maxDepth})
				},
				Header: product, Body: answer,
			}},
			// Some clients send with PUT; all can be told to use POST.
		}
	}
	asked := func(path, about string, document any) gateway.Route {
		body, _ := json.Marshal(document) // of maps and texts: cannot fail
		return gateway.Route{Path: path, Signal: telemetry.Logs, About: about, Other: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Elastic-Product", "Elasticsearch")
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body) // the client is gone
		})}
	}
	type object = map[string]any
	greeting := object{
		"name": "goshawk", "cluster_name": "goshawk", "cluster_uuid": "goshawk",
		"version": object{
			"number": version, "build_flavor": "default", "build_type": "goshawk", "build_hash": "unknown", "build_date": "2025-01-01T00:00:00.000Z",
			"build_snapshot": false, "lucene_version": "9.12.0", "minimum_wire_compatibility_version": "7.17.0", "minimum_index_compatibility_version": "7.0.0",
		},
		"tagline": "You Know, for Search",
	}
	done := object{"acknowledged": true}
	routes := []gateway.Route{
		bulk(Prefix + "/_bulk"), bulk(Prefix + "/{index}/_bulk"), bulk(Prefix + "/{index}/{type}/_bulk"),
		asked(Prefix, "what clients of Elasticsearch ask first", greeting),
		asked(Prefix+"/", "the same", greeting),
		asked(Prefix+"/_license", "the same", object{"license": object{"uid": "goshawk", "type": "basic", "status": "active"}}),
		asked(Prefix+"/_xpack", "the same", object{"license": object{"uid": "goshawk", "type": "basic", "mode": "basic", "status": "active"}, "features": object{}}),
		asked(Prefix+"/_cluster/health", "the same", object{"cluster_name": "goshawk", "status": "green"}),
	}
	// There is nothing to set up: what clients would install is said to be there.
	for _, path := range []string{"/_template/{name}", "/_index_template/{name}", "/_component_template/{name}", "/_ilm/policy/{name}", "/_ingest/pipeline/{name}", "/_data_stream/{name}"} {
		routes = append(routes, asked(Prefix+path, "templates and policies, of which none is needed", done))
	}
	return routes
}

// answer words what is not the outcome of every document.
func answer(_ telemetry.Signal, a gateway.Answer) []byte {
	kind := "illegal_argument_exception"
	switch {
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden:
		kind = "security_exception"
	case a.Status == http.StatusTooManyRequests:
		kind = "es_rejected_execution_exception"
	case a.Status >= http.StatusInternalServerError:
		kind = "unavailable_shards_exception"
	}
	body, _ := json.Marshal(map[string]any{ // of texts: cannot fail
		"error": map[string]any{"type": kind, "reason": strings.TrimSpace(a.Message)}, "status": a.Status,
	})
	return body
}
