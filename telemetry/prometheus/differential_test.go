package prometheus_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/prometheus"
)

// last keeps the labels of the last sample that was appended.
type last struct{ labels labels.Labels }

func (l *last) Append(_ storage.SeriesRef, ls labels.Labels, _, _ int64, _ float64, _ *histogram.Histogram, _ *histogram.FloatHistogram, _ storage.AppendV2Options) (storage.SeriesRef, error) {
	if ls.Get(model.MetricNameLabel) != "target_info" {
		l.labels = ls.Copy()
	}
	return 0, nil
}

func (*last) Commit() error   { return nil }
func (*last) Rollback() error { return nil }

// TestTranslator names metrics at random, and lets Prometheus's own translation
// of OTLP name them too. What differs on purpose is left out: a point's job and
// instance, which win here; empty values; scopes with a version or attributes
// but no name; attributes of a scope that become one label; and label names that cannot be made, for which
// Prometheus refuses the point.
func TestTranslator(t *testing.T) {
	t.Parallel()
	promoted := prometheus.DefaultPromoted()
	settings := prometheusremotewrite.Settings{
		AddMetricSuffixes: true, PromoteScopeMetadata: true, DisableTargetInfo: true,
		PromoteResourceAttributes: prometheusremotewrite.NewPromoteResourceAttributes(config.OTLPConfig{PromoteResourceAttributes: promoted}),
	}
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	name := func() string {
		var b strings.Builder
		b.WriteString(pick("a", "b", "Z", "_x", "9", "é1", "__y"))
		for range r.IntN(5) {
			b.WriteString(pick("a", "b", ".", "_", "__", "-", "é", "7", " ", ":", "total", "ratio", "bytes", "seconds", "\u4e16", "'", "/"))
		}
		return b.String()
	}
	value := func(v pcommon.Value) {
		switch r.IntN(7) {
		case 0:
			v.SetInt(r.Int64() - r.Int64())
		case 1:
			v.SetBool(r.IntN(2) == 0)
		case 2:
			v.SetDouble(float64(r.IntN(1000)) / 8)
		case 3:
			v.SetEmptySlice().AppendEmpty().SetStr("x")
		case 4:
			v.SetEmptyBytes().FromRaw([]byte{1, 2, 3, 255})
		default:
			v.SetStr(pick("x", "y", "ü", "a;b", " "))
		}
	}
	n := prometheus.NewNamer(promoted)
	compared := 0
	for i := range 5000 {
		md := pmetric.NewMetrics()
		rm := md.ResourceMetrics().AppendEmpty()
		for range r.IntN(4) {
			if key := pick("service.name", "service.namespace", "service.instance.id", "host.name", "k8s.pod.name", "os.type", "x"); strings.HasPrefix(key, "service.") {
				rm.Resource().Attributes().PutStr(key, pick("a", "b/c", "é"))
			} else {
				value(rm.Resource().Attributes().PutEmpty(key))
			}
		}
		sm := rm.ScopeMetrics().AppendEmpty()
		if sm.Scope().SetName(pick("", "lib", "other")); sm.Scope().Name() != "" {
			sm.Scope().SetVersion(pick("", "1"))
			if r.IntN(2) == 0 {
				value(sm.Scope().Attributes().PutEmpty(name()))
			}
		}
		m := sm.Metrics().AppendEmpty()
		m.SetName(name())
		m.SetUnit(pick("", "1", "s", "ms", "By", "{thing}", "By/s", "%", "m/h", "a.b", "1/s", "GiBy", " ", "{a}/s"))
		now := pcommon.NewTimestampFromTime(time.Now())
		var attrs pcommon.Map
		switch r.IntN(4) {
		case 0:
			p := m.SetEmptyGauge().DataPoints().AppendEmpty()
			p.SetTimestamp(now)
			attrs = p.Attributes()
		case 1, 2:
			s := m.SetEmptySum()
			s.SetIsMonotonic(r.IntN(2) == 0)
			s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			p := s.DataPoints().AppendEmpty()
			p.SetTimestamp(now)
			attrs = p.Attributes()
		default:
			h := m.SetEmptyExponentialHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			p := h.DataPoints().AppendEmpty()
			p.SetTimestamp(now)
			attrs = p.Attributes()
		}
		for range r.IntN(5) {
			key := name()
			if r.IntN(20) == 0 {
				key = "__name__"
			}
			value(attrs.PutEmpty(key))
		}

		body, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
		if err != nil {
			t.Fatal(err)
		}
		b := &telemetry.Batch{Block: telemetry.Block{Signal: telemetry.Metrics}}
		b.Records = append(b.Records, telemetry.Record{Value: body, Declared: -1})
		limits := otlp.DefaultLimits()
		limits.MaxAge, limits.MaxFuture = 100*365*24*time.Hour, 100*365*24*time.Hour
		otlp.Decode(b, &limits)
		if len(b.Rejects) > 0 || len(b.Metrics) != 1 {
			t.Fatalf("%d metrics, rejects: %v", len(b.Metrics), b.Rejects)
		}
		var point telemetry.Point
		if len(b.Numbers) == 1 {
			point = b.Numbers[0].Point
		} else {
			point = b.Exponentials[0].Point
		}
		metric, scope := &b.Metrics[0], &b.Scopes[b.Metrics[0].Scope]
		builder := labels.NewScratchBuilder(8)
		builder.Add(model.MetricNameLabel, n.Name(metric, prometheus.OTLP))
		for _, l := range n.AppendLabels(nil, prometheus.OTLP, b.AttrsOf(b.Resources[metric.Resource].Attrs), b.AttrsOf(scope.Attrs), b.AttrsOf(point.Attrs), scope) {
			builder.Add(l.Name, l.Value)
		}
		builder.Sort()

		oracle := &last{}
		if _, err := prometheusremotewrite.NewPrometheusConverter(oracle).FromMetrics(context.Background(), md, settings); err != nil {
			continue
		}
		compared++
		if got := builder.Labels(); !labels.Equal(got, oracle.labels) {
			t.Errorf("%d: %q in %q of %v\n got %s\nwant %s", i, m.Name(), m.Unit(), fmt.Sprint(attrs.AsRaw()), got, oracle.labels)
		}
	}
	if compared < 4000 {
		t.Errorf("only %d names were compared", compared)
	}
}
