// Package remotewrite takes Prometheus remote-write, versions 1.0 and 2.0, at
// the gateway and makes OTLP metrics of it in one walk over the request.
//
// Every series is checked as Prometheus checks it and written at once as points
// of an OTLP metric; the metrics are then put together by job and instance, cut
// by partition, and handed to the gateway, which produces them as those of any
// other sender. Nothing is allocated for a series or a sample. What the result
// looks like is a contract with everybody who reads the topic: see
// docs/formats/otlp-records.md.
//
// It must not know how requests are authenticated, limited, decompressed or
// produced: that is the gateway.
package remotewrite

import (
	"net/http"
	"strings"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Path is where Prometheus itself takes remote-write.
const Path = "/api/v1/write"

const (
	mediaType = "application/x-protobuf"
	messageV1 = "prometheus.WriteRequest"
	messageV2 = "io.prometheus.write.v2.Request"
)

// Headers that tell a sender of version 2.0 what was written.
const (
	headerSamples    = "X-Prometheus-Remote-Write-Samples-Written"
	headerHistograms = "X-Prometheus-Remote-Write-Histograms-Written"
	headerExemplars  = "X-Prometheus-Remote-Write-Exemplars-Written"
)

// Routes returns the path of remote-write with both of its versions, for a
// configuration that is valid.
func Routes(cfg Config) []gateway.Route {
	format := func(v version) gateway.Format {
		return gateway.Format{
			ContentType: mediaType,
			Encoding:    "snappy",
			AnswerType:  "text/plain; charset=utf-8",
			Matches:     func(contentType string) bool { named, ok := versionOf(contentType); return ok && named == v },
			NewSplitter: func(limits otlp.Limits, claim func(int64) error) gateway.Splitter {
				s := newSplitter(v, cfg, limits, claim)
				if v == version2 {
					return reporting{s}
				}
				return s
			},
			Whole: true,
			Body: func(_ telemetry.Signal, a gateway.Answer) []byte {
				if a.Message == "" {
					return nil
				}
				return append([]byte(a.Message), '\n')
			},
		}
	}
	v1, v2 := format(version1), format(version2)
	v1.ContentType, v2.ContentType = mediaType+";proto="+messageV1, mediaType+";proto="+messageV2
	v2.Header = http.Header{headerSamples: {"0"}, headerHistograms: {"0"}, headerExemplars: {"0"}}
	return []gateway.Route{{
		Path:    Path,
		Signal:  telemetry.Metrics,
		Formats: []gateway.Format{v1, v2},
		About:   "Prometheus remote-write 1.0 and 2.0",
	}}
}

// version is a version of the protocol.
type version uint8

const (
	version1 version = iota + 1
	version2
)

// versionOf returns the version that a Content-Type names. Without one, and
// without the parameter proto, it is 1.0: so Prometheus has it.
func versionOf(contentType string) (version, bool) {
	media, parameters, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	if media == "" {
		return version1, parameters == ""
	}
	if !strings.EqualFold(media, mediaType) {
		return 0, false
	}
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "proto") {
			continue
		}
		switch strings.Trim(strings.TrimSpace(value), `"`) {
		case messageV1:
			return version1, true
		case messageV2:
			return version2, true
		}
		return 0, false
	}
	return version1, true
}
