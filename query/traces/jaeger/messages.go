package jaeger

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// The messages of api_v3/query_service.proto of jaeger-idl, of which there is no
// code in Go. They are read and written field by field.

// A reader is a message that is read.
type reader interface {
	field(n protowire.Number, number uint64, bytes []byte) error
}

// A writer is a message that is written.
type writer interface{ append(b []byte) []byte }

// walk reads the fields of a message. A field is a number, of any wire type, or
// bytes.
func walk(b []byte, field func(protowire.Number, uint64, []byte) error) error {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return malformed(size)
		}
		b = b[size:]
		var number uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			number, size = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			number, size = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			bytes, size = protowire.ConsumeBytes(b)
		default:
			size = protowire.ConsumeFieldValue(n, kind, b)
		}
		if size < 0 {
			return malformed(size)
		}
		b = b[size:]
		if err := field(n, number, bytes); err != nil {
			return err
		}
	}
	return nil
}

func malformed(size int) error {
	return status.Error(codes.InvalidArgument, "the request is no message of its kind: "+protowire.ParseError(size).Error())
}

// noRequest is a request without fields.
type noRequest struct{}

func (*noRequest) field(protowire.Number, uint64, []byte) error { return nil }

type operationsRequest struct{ service, kind string }

func (r *operationsRequest) field(n protowire.Number, _ uint64, b []byte) error {
	switch n {
	case 1:
		r.service = string(b)
	case 2:
		r.kind = strings.ToLower(string(b))
	}
	return nil
}

type dependenciesRequest struct{ start, end int64 }

func (r *dependenciesRequest) field(n protowire.Number, _ uint64, b []byte) (err error) {
	switch n {
	case 1:
		r.start, err = seconds(b)
	case 2:
		r.end, err = seconds(b)
	}
	return err
}

type traceRequest struct {
	id         string
	start, end int64
}

func (r *traceRequest) field(n protowire.Number, _ uint64, b []byte) (err error) {
	switch n {
	case 1:
		r.id = string(b)
	case 2:
		r.start, err = seconds(b)
	case 3:
		r.end, err = seconds(b)
	}
	return err
}

// findRequest is what FindTraces and FindTraceSummaries take.
type findRequest struct {
	service, operation string
	tags               map[string]string
	start, end         int64
	shortest, longest  int64 // nanoseconds
	depth              int
	filter             bool
	paged, pageToken   bool
	pageSize           int
}

func (r *findRequest) field(n protowire.Number, _ uint64, b []byte) error {
	if n == 1 {
		return walk(b, r.parameter)
	}
	return nil
}

func (r *findRequest) parameter(n protowire.Number, number uint64, b []byte) (err error) {
	switch n {
	case 1:
		r.service = string(b)
	case 2:
		r.operation = string(b)
	case 3:
		var key, value string
		err = walk(b, func(n protowire.Number, _ uint64, b []byte) error {
			switch n {
			case 1:
				key = string(b)
			case 2:
				value = string(b)
			}
			return nil
		})
		if r.tags == nil {
			r.tags = map[string]string{}
		}
		r.tags[key] = value
		if len(r.tags) > maxTags {
			return status.Errorf(codes.InvalidArgument, "more than %d attributes", maxTags)
		}
	case 4:
		r.start, err = seconds(b)
	case 5:
		r.end, err = seconds(b)
	case 6:
		r.shortest, err = seconds(b)
	case 7:
		r.longest, err = seconds(b)
	case 8:
		r.depth = int(int32(number))
	case 10:
		r.filter = true
	case 11:
		r.paged = true
		err = walk(b, func(n protowire.Number, number uint64, b []byte) error {
			switch n {
			case 1:
				r.pageSize = int(uint32(number))
			case 2:
				r.pageToken = len(b) > 0
			}
			return nil
		})
	}
	return err
}

// seconds reads a Timestamp or a Duration, in nanoseconds. What does not fit is
// the last that does.
func seconds(b []byte) (int64, error) {
	var whole, part int64
	err := walk(b, func(n protowire.Number, number uint64, _ []byte) error {
		switch n {
		case 1:
			whole = int64(number)
		case 2:
			part = int64(int32(number))
		}
		return nil
	})
	const second, most = 1_000_000_000, math.MaxInt64/1_000_000_000 - 1
	return min(max(whole, -most), most)*second + part, err
}

func appendText(b []byte, n protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), text)
}

func appendNumber(b []byte, n protowire.Number, number uint64) []byte {
	if number == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), number)
}

func appendMessage(b []byte, n protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), message)
}

// encoded is a message that is encoded already; its bytes are used again.
type encoded []byte

func (e encoded) append(b []byte) []byte { return append(b, e...) }

type servicesResponse []string

func (all servicesResponse) append(b []byte) []byte {
	for _, service := range all {
		b = appendMessage(b, 1, []byte(service))
	}
	return b
}

type operationsResponse []operation

func (all operationsResponse) append(b []byte) []byte {
	for _, o := range all {
		b = appendMessage(b, 1, appendText(appendText(nil, 1, o.Name), 2, o.Kind))
	}
	return b
}

type dependenciesResponse []traces.Dependency

func (all dependenciesResponse) append(b []byte) []byte {
	for _, d := range all {
		b = appendMessage(b, 1, appendNumber(appendText(appendText(nil, 1, d.Parent), 2, d.Child), 3, d.Calls))
	}
	return b
}

type summariesResponse []*traces.Trace

func (all summariesResponse) append(b []byte) []byte {
	for _, t := range all {
		b = appendMessage(b, 1, appendSummary(nil, t))
	}
	return b
}

// appendSummary appends a TraceSummary.
func appendSummary(b []byte, t *traces.Trace) []byte {
	type counts struct{ spans, failed uint64 }
	services := map[string]*counts{}
	known := make(map[telemetry.SpanID]bool, len(t.Spans))
	for i := range t.Spans {
		known[t.Spans[i].ID] = true
	}
	first, last := t.Spans[0].Start, t.Spans[0].End()
	var failed, orphans uint64
	var root *traces.Span
	for i := range t.Spans {
		s := &t.Spans[i]
		first, last = min(first, s.Start), max(last, s.End())
		one := services[s.Service]
		if one == nil {
			one = &counts{}
			services[s.Service] = one
		}
		one.spans++
		if s.Status == traces.StatusError {
			one.failed++
			failed++
		}
		switch {
		case s.Root() && root == nil:
			root = s
		case !s.Root() && !known[s.Parent]:
			orphans++
		}
	}
	b = appendText(b, 1, hex.EncodeToString(t.ID[:]))
	if root != nil {
		b = appendText(b, 2, root.Service)
		b = appendText(b, 3, root.Name)
	}
	b = protowire.AppendFixed64(protowire.AppendTag(b, 4, protowire.Fixed64Type), uint64(first))
	b = protowire.AppendFixed64(protowire.AppendTag(b, 5, protowire.Fixed64Type), uint64(last))
	b = appendNumber(b, 6, uint64(len(t.Spans)))
	b = appendNumber(b, 7, failed)
	b = appendNumber(b, 8, orphans)
	names := make([]string, 0, len(services))
	for name := range services {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b = appendMessage(b, 9, appendNumber(appendNumber(appendText(nil, 1, name), 2, services[name].spans), 3, services[name].failed))
	}
	return b
}
