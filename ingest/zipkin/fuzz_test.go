package zipkin

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/openzipkin/zipkin-go/model"
	"github.com/openzipkin/zipkin-go/proto/zipkin_proto3"
	"google.golang.org/protobuf/proto"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter/spanwritertest"
)

// FuzzJSON2 fuzzes the second version in JSON. What Zipkin's library reads has to
// be taken as it writes it: it reads names in any case.
func FuzzJSON2(f *testing.F) {
	fuzz(f, PathV2, typeJSON, "testdata/v2.txt", func(body []byte) ([]byte, int) {
		var spans []*model.SpanModel
		if json.Unmarshal(body, &spans) != nil || slices.Contains(spans, nil) {
			return nil, 0
		}
		body, err := serializers[typeJSON].Serialize(spans)
		if err != nil {
			return nil, 0
		}
		return body, len(spans)
	})
}

// FuzzProto fuzzes the second version in protobuf, of which Zipkin's library
// overlooks fields with a wrong type.
func FuzzProto(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(serialize(f, typeProto, newGenerator(seed).spans(3)))
	}
	fuzz(f, PathV2, typeProto, "", func(body []byte) ([]byte, int) {
		list := new(zipkin_proto3.ListOfSpans)
		if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, list) != nil {
			return nil, 0
		}
		body, err := proto.Marshal(list)
		if err != nil {
			return nil, 0
		}
		return body, len(list.Spans)
	})
}

// FuzzJSON1 fuzzes the first version in JSON.
func FuzzJSON1(f *testing.F) { fuzz(f, PathV1, typeJSON, "testdata/v1.txt", nil) }

// FuzzThrift fuzzes the first version in Thrift.
func FuzzThrift(f *testing.F) {
	for seed := range uint64(10) {
		g := newGenerator(seed)
		f.Add(thriftOf(f, g.span1(), g.span1()))
	}
	fuzz(f, PathV1, typeThrift, "", nil)
}

// fuzz makes sure that what becomes of a body is OTLP and depends on nothing but
// the body. Requests of a golden file are the first bodies. Oracle, where there is
// one, returns a body with the same spans that has to be taken, and how many they
// are, or nil.
func fuzz(f *testing.F, path, contentType, golden string, oracle func([]byte) ([]byte, int)) {
	if golden != "" {
		script, err := os.ReadFile(golden)
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(script), "\n=== ") {
			_, rest, _ := strings.Cut(part, "\n")
			request, _, _ := strings.Cut(rest, "\n---")
			f.Add([]byte(request))
		}
	}
	s, again := splitterOf(f, path, contentType), splitterOf(f, path, contentType)
	f.Fuzz(func(t *testing.T, body []byte) {
		if oracle != nil {
			if same, spans := oracle(body); same != nil {
				if _, err := spanwritertest.Convert(t, s, same); err != nil {
					t.Errorf("a body of %d spans is refused: %v: %q", spans, err, same)
				} else if s.Accepted()+s.Rejected() != int64(spans) {
					t.Errorf("%d spans are accepted and %d refused of %d: %q", s.Accepted(), s.Rejected(), spans, same)
				}
			}
		}
		_, err := spanwritertest.Convert(t, s, body)
		second := again.Split(telemetry.Spans, body, 4, 0)
		if (err == nil) != (second == nil) || len(s.Parts()) != len(again.Parts()) {
			t.Fatalf("a repeat is another request: %v, %v", err, second)
		}
		for i, p := range s.Parts() {
			if q := again.Parts()[i]; p.Partition != q.Partition || !bytes.Equal(p.Value, q.Value) {
				t.Fatalf("part %d of a repeat differs", i)
			}
		}
	})
}

var errNoMemory = errors.New("no memory")

// TestMemoryIsClaimed converts bodies that need more than they are given: they
// are refused with the error of who hands memory out.
func TestMemoryIsClaimed(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	for name, c := range map[string]struct{ path, contentType, body string }{
		"many spans":       {PathV2, typeJSON, "[" + strings.Repeat(`{"traceId":"1","id":"1","localEndpoint":{"serviceName":"a"}},{"traceId":"1","id":"1"},`, 5000) + `{"traceId":"1","id":"1"}]`},
		"long tags":        {PathV2, typeJSON, `[{"traceId":"1","id":"1","tags":{"a":"` + long + `","b":"` + long + `"}}]`},
		"escaped tags":     {PathV2, typeJSON, `[{"traceId":"1","id":"1","tags":{"a":"\n` + long + `","b":"\n` + long + `"}}]`},
		"many annotations": {PathV2, typeJSON, `[{"traceId":"1","id":"1","annotations":[` + strings.Repeat(`{"timestamp":1},`, 20000) + `{}]}]`},
		"many in v1":       {PathV1, typeJSON, `[{"traceId":"1","id":"1","annotations":[` + strings.Repeat(`{"timestamp":1},`, 20000) + `{}]}]`},
		"many tags in v1":  {PathV1, typeJSON, `[{"traceId":"1","id":"1","binaryAnnotations":[` + strings.Repeat(`{"value":1},`, 20000) + `{}]}]`},
		"many endpoints":   {PathV1, typeJSON, `[{"traceId":"1","id":"1","annotations":[` + strings.Repeat(`{"endpoint":{"port":1}},{"endpoint":{"port":2}},`, 10000) + `{}]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, limit := range []int64{100 << 10, 1 << 30} {
				claimed := int64(0)
				s := newSplitter(t, c.path, c.contentType, func(n int64) error {
					if claimed += n; claimed > limit {
						return errNoMemory
					}
					return nil
				})
				err := s.Split(telemetry.Spans, []byte(c.body), 4, 0)
				if small := limit < 1<<30; small != errors.Is(err, errNoMemory) || !small && err != nil {
					t.Errorf("with %d bytes the error is %v", limit, err)
				}
			}
		})
	}
}

func newSplitter(t testing.TB, path, contentType string, claim func(int64) error) gateway.Splitter {
	t.Helper()
	for _, r := range Routes(64) {
		for _, f := range r.Formats {
			if r.Path == path && f.ContentType == contentType {
				return f.NewSplitter(otlp.DefaultLimits(), claim)
			}
		}
	}
	t.Fatalf("no route for %s, %s", path, contentType)
	return nil
}
