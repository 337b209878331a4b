package remotewrite_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/gateway/gatewaytest"
	"github.com/goshawk-observability/goshawk/ingest/remotewrite"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a gateway with remote-write until the test ends. It returns the URL.
func start(t *testing.T, r *topictest.Recorder, change func(*gateway.Config)) string {
	t.Helper()
	cfg := gateway.DefaultConfig()
	cfg.OTLPGRPC, cfg.OTLPHTTP = "", "127.0.0.1:0"
	if change != nil {
		change(&cfg)
	}
	limits := remotewrite.DefaultConfig()
	limits.MaxLabelValue = 1 << 10
	g := gatewaytest.Start(t, cfg, r, remotewrite.Routes(limits)...)
	return "http://" + g.Addrs().HTTP.String() + remotewrite.Path
}

const (
	type1 = "application/x-protobuf"
	type2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
)

func label(pairs ...string) (list []prompb.Label) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, prompb.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

// one is a request of version 1.0 with one sample for each list of labels.
func one(t *testing.T, series ...[]prompb.Label) []byte {
	t.Helper()
	req := new(prompb.WriteRequest)
	for _, labels := range series {
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
			Labels: labels, Samples: []prompb.Sample{{Value: 1, Timestamp: time.Now().UnixMilli()}},
		})
	}
	body, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, body)
}

func two(t *testing.T, change func(*writev2.Request)) []byte {
	t.Helper()
	now := time.Now().UnixMilli()
	req := &writev2.Request{
		Symbols: []string{"", "__name__", "up", "job", "api", "trace_id", "abc"},
		Timeseries: []writev2.TimeSeries{{
			LabelsRefs: []uint32{1, 2, 3, 4},
			Samples:    []writev2.Sample{{Value: 1, Timestamp: now}, {Value: 2, Timestamp: now + 1}},
			Exemplars:  []writev2.Exemplar{{LabelsRefs: []uint32{5, 6}, Value: 1, Timestamp: now}},
		}, {
			LabelsRefs: []uint32{1, 2},
			Histograms: []writev2.Histogram{{Count: &writev2.Histogram_CountInt{}, Timestamp: now}},
		}},
	}
	if change != nil {
		change(req)
	}
	body, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, body)
}

func TestContentTypesAndEncodings(t *testing.T) {
	url := start(t, topictest.NewRecorder(), nil)
	v1, v2 := one(t, label("__name__", "up")), two(t, nil)
	for name, c := range map[string]struct {
		contentType, encoding string
		body                  []byte
		want                  int
	}{
		"version 1.0":                         {type1, "snappy", v1, 204},
		"version 1.0 by name":                 {type1 + ";proto=prometheus.WriteRequest", "snappy", v1, 204},
		"version 2.0":                         {type2, "snappy", v2, 204},
		"version 2.0, spaces and quotes":      {`application/x-protobuf; proto="io.prometheus.write.v2.Request"`, "snappy", v2, 204},
		"neither type nor encoding":           {"", "", v1, 204},
		"no encoding":                         {type1, "", v1, 204},
		"another parameter":                   {type1 + "; charset=utf-8", "snappy", v1, 204},
		"an unknown message":                  {type1 + ";proto=prometheus.Unknown", "snappy", v1, 415},
		"JSON":                                {"application/json", "snappy", v1, 415},
		"gzip":                                {type1, "gzip", v1, 415},
		"identity":                            {type1, "identity", v1, 415},
		"zstd":                                {type2, "zstd", v2, 415},
		"version 2.0 declared as version 1.0": {type1, "snappy", v2, 204}, // is an empty message, by design of 2.0
		"not compressed":                      {type1, "snappy", []byte("\x0a\x00"), 400},
		"empty body":                          {type1, "snappy", nil, 400},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{"Content-Encoding": c.encoding}
			if c.contentType != "" {
				header["Content-Type"] = c.contentType
			}
			if c.encoding == "" {
				delete(header, "Content-Encoding")
			}
			if a := transporttest.Post(t, url, c.body, header); a.Status != c.want {
				t.Errorf("status is %d, want %d: %s", a.Status, c.want, a.Text)
			}
		})
	}
}

func TestWhatIsWrittenIsTold(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, nil)
	header := map[string]string{"Content-Type": type2, "Content-Encoding": "snappy"}
	written := func(a transporttest.Answer) [3]string {
		var counts [3]string
		for i, what := range []string{"Samples", "Histograms", "Exemplars"} {
			counts[i] = a.Header.Get("X-Prometheus-Remote-Write-" + what + "-Written")
		}
		return counts
	}
	a := transporttest.Post(t, url, two(t, nil), header)
	if a.Status != 204 || written(a) != [3]string{"2", "1", "1"} || a.Text != "" || a.Header.Get("Content-Type") != "" {
		t.Errorf("success is %+v", a)
	}
	if parts := r.Take(); len(parts) == 0 {
		t.Error("nothing was produced")
	}
	a = transporttest.Post(t, url, two(t, func(req *writev2.Request) { req.Timeseries[1].LabelsRefs[1] = 99 }), header)
	if a.Status != 400 || written(a) != [3]string{"2", "0", "1"} || !strings.Contains(a.Text, "series 1 ") {
		t.Errorf("a partial write is %+v", a)
	}
	if parts := r.Take(); len(parts) != 1 || parts[0].Events != 2 {
		t.Errorf("%d parts were produced", len(parts))
	}
	a = transporttest.Post(t, url, []byte("nonsense"), header)
	if a.Status != 400 || written(a) != [3]string{"0", "0", "0"} {
		t.Errorf("a broken request is answered by %+v", a)
	}
	a = transporttest.Post(t, url, one(t, label("__name__", "up")), map[string]string{"Content-Type": type1})
	if a.Status != 204 || written(a) != [3]string{} {
		t.Errorf("success in version 1.0 is %+v", a)
	}
}

func TestBadSeriesDoNotSpoilARequest(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, nil)
	for name, c := range map[string]struct {
		labels []prompb.Label
		want   string // "" for none
	}{
		"no labels":           {nil, "__name__ is missing"},
		"no name":             {label("job", "x"), "__name__ is missing"},
		"an empty name":       {label("__name__", ""), "__name__ is missing"},
		"an empty label name": {label("", "x", "__name__", "up"), "name of a label is empty"},
		"the same name twice": {label("__name__", "up", "a", "1", "a", "2"), "same name"},
		"twice, not adjacent": {label("__name__", "up", "b", "1", "a", "2", "b", "3"), "same name"},
		"not UTF-8":           {label("__name__", "up", "a", "\xff"), "UTF-8"},
		"name not UTF-8":      {label("__name__", "up\xff"), "UTF-8"},
		"a long value":        {label("__name__", "up", "a", strings.Repeat("x", 1<<10+1)), "too long"},
		"a long name":         {label("__name__", "up", strings.Repeat("x", 1<<10+1), "a"), "too long"},
		"not sorted":          {label("job", "x", "__name__", "up", "a", "b"), ""},
		"empty value":         {label("__name__", "up", "a", ""), ""},
		"UTF-8":               {label("__name__", "größe", "straße", "ü"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := one(t, label("__name__", "good", "job", "first"), c.labels, label("__name__", "good", "job", "second"))
			a := transporttest.Post(t, url, body, map[string]string{"Content-Type": type1, "Content-Encoding": "snappy"})
			want, status := int64(2), 400
			if c.want == "" {
				want, status = 3, 204
			}
			if a.Status != status || !strings.Contains(a.Text, c.want) || c.want != "" && !strings.HasPrefix(a.Text, "series 1 {") {
				t.Errorf("%d %q; want %d %q", a.Status, a.Text, status, c.want)
			}
			events := int64(0)
			for _, p := range r.Take() {
				events += p.Events
			}
			if events != want {
				t.Errorf("%d samples are kept, want %d", events, want)
			}
		})
	}
}

func TestBodiesThatAreRefusedWhole(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, func(cfg *gateway.Config) {
		cfg.Limits.MaxBody, cfg.Limits.MaxDecompressed, cfg.Limits.MaxInflight = 64<<10, 128<<10, 400<<10
	})
	good := one(t, label("__name__", "up"))
	// A table of symbols that makes much of little.
	amplified := two(t, func(req *writev2.Request) {
		req.Symbols = append(req.Symbols, strings.Repeat("v", 1000))
		series := writev2.TimeSeries{LabelsRefs: []uint32{1, 2, 3, uint32(len(req.Symbols) - 1)}, Samples: req.Timeseries[0].Samples}
		for range 1000 {
			req.Timeseries = append(req.Timeseries, series)
		}
	})
	for name, c := range map[string]struct {
		contentType string
		body        []byte
		want        int
	}{
		"cut off":                         {type1, good[:len(good)-3], 400},
		"broken protobuf":                 {type1, snappy.Encode(nil, []byte("\x0a\xff")), 400},
		"a label that is no message":      {type1, snappy.Encode(nil, []byte("\x0a\x03\x0a\x05a")), 400},
		"wrong wire type":                 {type1, snappy.Encode(nil, []byte("\x08\x01")), 400},
		"a length of 4 GiB":               {type1, []byte("\xff\xff\xff\xff\x0f\x00"), 400},
		"a length beyond what is taken":   {type1, append([]byte("\x80\x80\x20"), make([]byte, 40<<10)...), 413},
		"a bomb":                          {type1, snappy.Encode(nil, make([]byte, 1<<20)), 413},
		"too many bytes as they are sent": {type1, make([]byte, 65<<10), 413},
		"what becomes too large":          {type2, amplified, 413},
		"what is taken as before":         {type1, good, 204},
	} {
		t.Run(name, func(t *testing.T) {
			a := transporttest.Post(t, url, c.body, map[string]string{"Content-Type": c.contentType, "Content-Encoding": "snappy"})
			if a.Status != c.want {
				t.Errorf("status is %d, want %d: %s", a.Status, c.want, a.Text)
			}
			if a.Status == 400 && a.Text == "" {
				t.Error("nobody is told why")
			}
			if parts := r.Take(); (len(parts) > 0) != (c.want == 204) {
				t.Errorf("%d parts were produced", len(parts))
			}
		})
	}
}

func TestKafkaAway(t *testing.T) {
	for want, c := range map[int]struct {
		err   error
		after string
	}{503: {topic.ErrUnavailable, "5"}, 429: {topic.ErrFull, "1"}, 500: {topic.ErrRefused, ""}} {
		r := topictest.NewRecorder()
		r.Fail(c.err, nil)
		url := start(t, r, nil)
		a := transporttest.Post(t, url, two(t, nil), map[string]string{"Content-Type": type2, "Content-Encoding": "snappy"})
		if a.Status != want || a.Header.Get("Retry-After") != c.after || a.Header.Get("X-Prometheus-Remote-Write-Samples-Written") != "0" {
			t.Errorf("%v is answered by %+v", c.err, a)
		}
	}
}

func TestTokensAndRepeats(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, func(cfg *gateway.Config) {
		cfg.Tokens = []gateway.TokenConfig{{Token: "x", Tenant: "acme"}, {Token: "logs", Tenant: "acme", Signals: []string{"logs"}}}
	})
	body := one(t, label("__name__", "up", "job", "a"), label("__name__", "up", "job", "b"), label("__name__", "up", "job", "a"))
	for token, want := range map[string]int{"": 401, "logs": 403, "x": 204} {
		if a := transporttest.Post(t, url, body, map[string]string{"Authorization": "Bearer " + token}); a.Status != want {
			t.Errorf("token %q: status is %d, want %d", token, a.Status, want)
		}
	}
	first := r.Take()
	transporttest.Post(t, url, body, map[string]string{"Authorization": "Bearer x"})
	second := r.Take()
	if len(first) == 0 || len(first) != len(second) {
		t.Fatalf("%d and %d parts", len(first), len(second))
	}
	for i := range first {
		a, b := first[i], second[i]
		if a.BatchID != b.BatchID || a.Partition != b.Partition || !bytes.Equal(a.Value, b.Value) || a.Tenant != "acme" {
			t.Errorf("part %d of a repeat differs", i)
		}
	}
}
