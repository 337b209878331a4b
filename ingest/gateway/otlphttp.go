package gateway

import (
	"encoding/json"
	"errors"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/ingest/gateway/otlpjson"
	"github.com/goshawk-observability/goshawk/telemetry"
)

const (
	contentProtobuf = "application/x-protobuf"
	contentJSON     = "application/json"
)

func otlpFormats(signal telemetry.Signal, maxDepth int) []Format {
	convert := func(dst, body []byte) ([]byte, error) {
		out, err := otlpjson.AppendProto(dst, signal, body, maxDepth)
		if errors.Is(err, otlpjson.ErrNoRoom) {
			err = ErrNoRoom
		}
		return out, err
	}
	return []Format{
		{ContentType: contentProtobuf, Body: protobufAnswer},
		{ContentType: contentJSON, Body: jsonAnswer, Convert: convert},
	}
}

// protobufAnswer encodes an Export*ServiceResponse, whose fields have the same
// numbers for every signal, or on failure a google.rpc.Status.
func protobufAnswer(_ telemetry.Signal, a Answer) []byte {
	if a.Status >= 300 {
		b := protowire.AppendTag(nil, 1, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(a.Code))
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		return protowire.AppendString(b, a.Message)
	}
	if a.Rejected == 0 && a.Message == "" {
		return nil
	}
	var p []byte
	if a.Rejected != 0 {
		p = protowire.AppendTag(p, 1, protowire.VarintType)
		p = protowire.AppendVarint(p, uint64(a.Rejected))
	}
	if a.Message != "" {
		p = protowire.AppendTag(p, 2, protowire.BytesType)
		p = protowire.AppendString(p, a.Message)
	}
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	return protowire.AppendBytes(b, p)
}

// rejectedNames are the JSON names of the count in a partial success.
var rejectedNames = [len(telemetry.Signals)]string{
	telemetry.Logs:    "rejectedLogRecords",
	telemetry.Spans:   "rejectedSpans",
	telemetry.Metrics: "rejectedDataPoints",
}

var emptyJSON = []byte("{}")

func jsonAnswer(signal telemetry.Signal, a Answer) []byte {
	if a.Status >= 300 {
		b, _ := json.Marshal(struct { // of two plain fields: cannot fail
			Code    uint32 `json:"code"`
			Message string `json:"message"`
		}{uint32(a.Code), a.Message})
		return b
	}
	if a.Rejected == 0 && a.Message == "" {
		return emptyJSON
	}
	success := make(map[string]string, 2)
	if a.Rejected != 0 {
		success[rejectedNames[signal]] = strconv.FormatInt(a.Rejected, 10)
	}
	if a.Message != "" {
		success["errorMessage"] = a.Message
	}
	b, _ := json.Marshal(map[string]map[string]string{"partialSuccess": success})
	return b
}
