package elasticsearch

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/logpush/logpushtest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestBulk(t *testing.T) {
	t.Parallel()
	s := logpushtest.Splitter(t, Routes(16), Prefix+"/_bulk", "application/x-ndjson")
	for name, c := range map[string]struct{ body, want, answer string }{
		"what Filebeat sends": {
			`{"create":{"_index":"filebeat-8"}}` + "\n" +
				`{"@timestamp":"2026-09-21T14:13:20.001Z","message":"a \u00e9","log":{"level":"warn","file":{"path":"/var/log/x"},"offset":12},"host":{"name":"web-1"},"service":{"name":"shop"},"tags":["a","b"],"n":1.5,"ok":true,"gone":null}` + "\n",
			"resource host.name=\"web-1\" service.name=\"shop\"\n" +
				"  +1000000 13 \"a é\" elasticsearch.index=\"filebeat-8\" log.file.path=\"/var/log/x\" log.level=\"warn\" log.offset=12 n=1.5 ok=true tags=\"[\\\"a\\\",\\\"b\\\"]\"\n",
			`{"create":{"_index":"filebeat-8","_id":"","status":201,"result":"created","_version":1}}`,
		},
		"what Fluent Bit sends": {
			`{"create":{"_index":"fluent-bit","_id":"7"}}` + "\n" + `{"@timestamp":"2026-09-21T14:13:20.000Z","log":"line","trace_id":"0102030405060708090a0b0c0d0e0f10"}` + "\n" +
				`{"index":{"_index":"fluent-bit"}}` + "\r\n" + `{"@timestamp":1790000000000,"a":"b"}`,
			"resource service.name=\"fluent-bit\"\n  +0 0 \"line\" elasticsearch.index=\"fluent-bit\" trace=0102030405060708090a0b0c0d0e0f10\n" +
				"  +0 0 \"{\\\"@timestamp\\\":1790000000000,\\\"a\\\":\\\"b\\\"}\" a=\"b\" elasticsearch.index=\"fluent-bit\"\n",
			`{"create":{"_index":"fluent-bit","_id":"7","status":201,"result":"created","_version":1}},{"index":{"_index":"fluent-bit","_id":"","status":201,"result":"created","_version":1}}`,
		},
		"a broken document among others": {
			`{"index":{}}` + "\n{\"message\":\"a\"\n" + `{"index":{}}` + "\n[1]\n" + `{"delete":{"_id":"x"}}` + "\n" + `{"index":{}}` + "\n{\"message\":\"b\"}\n",
			"resource \n  +0 0 \"b\"\nrejected 2: record 0: JSON at byte 14: the text ends early; record 1: JSON at byte 0: the document is no object\n",
			`{"index":{"_index":"","_id":"","status":400,"error":{"type":"document_parsing_exception","reason":"JSON at byte 14: the text ends early"}}},` +
				`{"index":{"_index":"","_id":"","status":400,"error":{"type":"document_parsing_exception","reason":"JSON at byte 0: the document is no object"}}},` +
				`{"delete":{"_index":"","_id":"x","status":400,"error":{"type":"document_parsing_exception","reason":"logs are not deleted here"}}},` +
				`{"index":{"_index":"","_id":"","status":201,"result":"created","_version":1}}`,
		},
		"an unknown action": {`{"upsert":{}}` + "\n{}\n", "refused: action 0 is \"upsert\"; want create or index\n", ""},
		"no document":       {`{"index":{}}` + "\n", "refused: action 0 has no document\n", ""},
		"no action":         {"x\n", "refused: action 0: JSON at byte 0: want '{', found 'x'\n", ""},
		"nothing":           {"\n\n", "", ""},
	} {
		if diff := cmp.Diff(c.want, logpushtest.Describe(t, s, nil, c.body)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if c.answer == "" {
			continue
		}
		if err := s.Split(telemetry.Logs, []byte(c.body), 1, logpushtest.Received); err != nil {
			t.Fatal(err)
		}
		answer := string(s.(gateway.WordedSplitter).Answer())
		failed := strings.Contains(c.answer, "error")
		want := `{"took":0,"errors":false,"items":[` + c.answer + `]}`
		if failed {
			want = strings.Replace(want, "false", "true", 1)
		}
		if diff := cmp.Diff(want, answer); diff != "" || !json.Valid([]byte(answer)) {
			t.Errorf("%s: the answer, -want +got:\n%s", name, diff)
		}
	}
}

func TestIndexOfThePath(t *testing.T) {
	t.Parallel()
	s := logpushtest.Splitter(t, Routes(16), Prefix+"/{index}/_bulk", "")
	r := httptest.NewRequest("POST", Prefix+"/nginx/_bulk", nil)
	r.SetPathValue("index", "nginx")
	want := "resource service.name=\"nginx\"\n  +0 0 \"a\" elasticsearch.index=\"nginx\"\n"
	if got := logpushtest.Describe(t, s, r, "{\"index\":{}}\n{\"message\":\"a\"}\n"); got != want {
		t.Errorf("%s", got)
	}
}

// TestQuestions asks what clients ask before they send.
func TestQuestions(t *testing.T) {
	t.Parallel()
	for _, r := range Routes(16) {
		if r.Other == nil {
			continue
		}
		w := httptest.NewRecorder()
		r.Other.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 200 || !json.Valid(w.Body.Bytes()) || w.Header().Get("X-Elastic-Product") != "Elasticsearch" {
			t.Errorf("%s: %d %s", r.Path, w.Code, w.Body)
		}
	}
}

func FuzzBulk(f *testing.F) {
	f.Add([]byte(`{"create":{"_index":"filebeat-8"}}` + "\n" + `{"@timestamp":"2026-09-21T14:13:20.001Z","message":"a \u00e9","log":{"level":"warn"},"tags":["a","b"],"n":1.5,"ok":true}` + "\n"))
	f.Add([]byte("{\"index\":{}}\n{\"a\":{\"b\":[1,{\"c\":\"\\ud800\"}]}}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := logpushtest.Splitter(t, Routes(16), Prefix+"/_bulk", "")
		first := logpushtest.Describe(t, s, nil, string(body))
		if again := logpushtest.Describe(t, s, nil, string(body)); again != first {
			t.Errorf("becomes\n%s\nand then\n%s", first, again)
		}
		if s.Split(telemetry.Logs, body, 1, logpushtest.Received) == nil {
			if answer := s.(gateway.WordedSplitter).Answer(); !json.Valid(answer) {
				t.Errorf("the answer is no JSON: %s", answer)
			}
		}
	})
}

func BenchmarkBulk(b *testing.B) {
	body := []byte(strings.Repeat(`{"create":{"_index":"logs"}}`+"\n"+
		`{"@timestamp":"2026-09-21T14:13:20.001Z","message":"GET /api/products/17 200 took 12 ms for user 8817","log":{"level":"info","file":{"path":"/var/log/x"}},"host":{"name":"web-1"},"service":{"name":"shop"},"http":{"status":200}}`+"\n", 1000))
	s := logpushtest.Splitter(b, Routes(16), Prefix+"/_bulk", "")
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for range b.N {
		if err := s.Split(telemetry.Logs, body, 2, logpushtest.Received); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
