package loki

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/ingest/logpush/logpushtest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	s := logpushtest.Splitter(t, Routes(16), Path, "application/json; charset=utf-8")
	for name, c := range map[string]struct{ body, want string }{
		"streams": {
			`{"streams":[{"stream":{"app":"shop","level":"warn"},"values":[["1790000000000000001","a \"b\"\n"],["1789999999999999999","c",{"trace_id":"0102030405060708090a0b0c0d0e0f10","k":"v","level":"ERROR"}]]},
			{"stream":{"job":"x","host":"h"},"values":[["1790000000000000000","d"]]}]}`,
			"resource app=\"shop\" level=\"warn\" service.name=\"shop\"\n  +1 13 \"a \\\"b\\\"\\n\"\n" +
				"  -1 17 \"c\" k=\"v\" level=\"ERROR\" trace=0102030405060708090a0b0c0d0e0f10\n" +
				"resource host.name=\"h\" host=\"h\" job=\"x\" service.name=\"x\"\n  +0 0 \"d\"\n",
		},
		"labels after values": {
			`{"streams":[{"values":[["1790000000000000000","a"]],"stream":{"app":"x"}}]}`,
			"resource app=\"x\" service.name=\"x\"\n  +0 0 \"a\"\n",
		},
		"the first format": {
			`{"streams":[{"labels":"{app=\"x\", b=\"q\\\"\"}","entries":[{"ts":"2026-09-21T14:13:20.5Z","line":"a"}]}]}`,
			"resource app=\"x\" b=\"q\\\"\" service.name=\"x\"\n  +500000000 0 \"a\"\n",
		},
		"a wrong time": {
			`{"streams":[{"stream":{},"values":[["soon","a"],["1790000000000000000","b"],[-5,"c"]]}]}`,
			"resource \n  +0 0 \"b\"\nrejected 2: record 1: the time is not in nanoseconds since 1970; record 3: the time is not in nanoseconds since 1970\n",
		},
		"nothing":       {`{"streams":[]}`, ""},
		"no JSON":       {`{"streams":[{`, "refused: JSON at byte 13: the text ends where '\"' should be\n"},
		"an odd entry":  {`{"streams":[{"stream":{},"values":[["1790000000000000000"]]}]}`, "refused: JSON at byte 58: an entry has 1 elements; want a time and a line\n"},
		"wrong labels":  {`{"streams":[{"labels":"app","entries":[]}]}`, "refused: JSON at byte 27: labels: want labels in braces\n"},
		"nested deeply": {strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), "refused: JSON at byte 81: values are nested deeper than 16 levels\n"},
	} {
		if diff := cmp.Diff(c.want, logpushtest.Describe(t, s, nil, c.body)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// push encodes a PushRequest of one stream.
func push(labels string, entries ...[]byte) string {
	stream := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), labels)
	for _, e := range entries {
		stream = protowire.AppendBytes(protowire.AppendTag(stream, 2, protowire.BytesType), e)
	}
	stream = protowire.AppendVarint(protowire.AppendTag(stream, 3, protowire.VarintType), 99) // hash
	return string(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), stream))
}

func protoEntry(seconds, nanos uint64, line string, metadata ...string) []byte {
	at := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), seconds)
	at = protowire.AppendVarint(protowire.AppendTag(at, 2, protowire.VarintType), nanos)
	b := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), at)
	b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), line)
	for i := 0; i < len(metadata); i += 2 {
		pair := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), metadata[i])
		pair = protowire.AppendString(protowire.AppendTag(pair, 2, protowire.BytesType), metadata[i+1])
		b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), pair)
	}
	return b
}

func TestProto(t *testing.T) {
	t.Parallel()
	s := logpushtest.Splitter(t, Routes(16), Path, "application/x-protobuf")
	for name, c := range map[string]struct{ body, want string }{
		"a stream": {
			push(`{app="shop", level="info"}`, protoEntry(1_790_000_000, 7, "a\xffb"), protoEntry(1_790_000_000, 0, "c", "span_id", "0102030405060708", "k", "v")),
			"resource app=\"shop\" level=\"info\" service.name=\"shop\"\n  +7 9 \"a\uFFFDb\"\n  +0 9 \"c\" k=\"v\" span=0102030405060708\n",
		},
		"a wrong time": {
			push(`{}`, protoEntry(1_790_000_000, 1e9, "a"), protoEntry(1_790_000_000, 0, "b")),
			"resource \n  +0 0 \"b\"\nrejected 1: record 0: the time is out of range\n",
		},
		"wrong labels": {push(`{app=shop}`), "refused: labels: the value of \"app\" is not in quotes\n"},
		"no protobuf":  {"\x0a\xff", "refused: the body is no PushRequest in protobuf\n"},
		"JSON":         {"{}", "refused: the body is no PushRequest in protobuf\n"},
	} {
		if diff := cmp.Diff(c.want, logpushtest.Describe(t, s, nil, c.body)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func FuzzPush(f *testing.F) {
	f.Add([]byte(`{"streams":[{"stream":{"app":"shop"},"values":[["1790000000000000001","a",{"trace_id":"01"}]]}]}`))
	f.Add([]byte(`{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"2026-09-21T14:13:20.5Z","line":"a"}]}]}`))
	f.Add([]byte(push(`{app="shop"}`, protoEntry(1_790_000_000, 7, "a", "k", "v"))))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, contentType := range []string{"application/json", "application/x-protobuf"} {
			s := logpushtest.Splitter(t, Routes(16), Path, contentType)
			first := logpushtest.Describe(t, s, nil, string(body))
			if again := logpushtest.Describe(t, s, nil, string(body)); again != first {
				t.Errorf("%s becomes\n%s\nand then\n%s", contentType, first, again)
			}
		}
	})
}

func BenchmarkPush(b *testing.B) {
	var values []string
	for range 1000 {
		values = append(values, `["1790000000000000001","GET /api/products/17 200 took 12 ms for user 8817 in region eu-central-1 behind the second proxy"]`)
	}
	body := []byte(`{"streams":[{"stream":{"app":"shop","level":"info"},"values":[` + strings.Join(values, ",") + `]}]}`)
	s := logpushtest.Splitter(b, Routes(16), Path, "application/json")
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for range b.N {
		if err := s.Split(telemetry.Logs, body, 2, logpushtest.Received); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
