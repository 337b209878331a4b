package promql

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/prometheus/promql/parser"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// TestLabelIndex selects few of many series by a label alone, for which nothing
// but the index on labels bounds what is read.
func TestLabelIndex(t *testing.T) {
	f := newFixture(t, nil)
	const series = 20_000
	md := pmetric.NewMetrics()
	sm := addScope(md, "")
	for m := range 10 {
		points := addMetric(sm, fmt.Sprintf("g%d", m), "").SetEmptyGauge().DataPoints()
		for n := range series / 10 {
			p := points.AppendEmpty()
			p.SetTimestamp(stamp(0))
			p.SetDoubleValue(1)
			p.Attributes().PutStr("pod", fmt.Sprintf("pod %d = '%d'", m, n))
		}
	}
	f.sendAll(t, "default", md)
	for selector, want := range map[string]int{
		`{pod="pod 3 = '77'"}`:                      1,
		`{pod=~"pod 3 = '77'|pod 4 = '78'|absent"}`: 2,
		`{pod="absent"}`:                            0,
		`{pod="pod 3 = '77'", pod!~".*8'"}`:         1,
	} {
		matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		at := stamp(0).AsTime().UnixMilli()
		c := seriesCondition("default", span{at, at}, matchers, withSamples)
		var out clickhouse.Output
		var found proto.ColUInt64
		out.Add("count()", &found)
		text := " FROM " + f.store.table(tables.Series) + " WHERE " + c.Where()
		if err := f.store.read(context.Background(), "SELECT "+out.Columns()+text, c.Parameters, out.Result, func() error {
			for _, n := range found {
				if int(n) != want {
					t.Errorf("%s finds %d series, want %d", selector, n, want)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		var plan strings.Builder
		var lines proto.ColStr
		if err := f.store.read(context.Background(), "EXPLAIN indexes = 1 SELECT fingerprint"+text, c.Parameters,
			proto.Results{{Name: "explain", Data: &lines}}, func() error {
				for i := range lines.Rows() {
					plan.WriteString(lines.Row(i) + "\n")
				}
				return nil
			}); err != nil {
			t.Fatal(err)
		}
		_, index, ok := strings.Cut(plan.String(), "Name: label_pairs")
		if !ok {
			t.Fatalf("%s does not use the index:\n%s", selector, plan.String())
		}
		var selected, all int
		_, granules, _ := strings.Cut(index, "Granules: ")
		if _, err := fmt.Sscanf(granules, "%d/%d", &selected, &all); err != nil {
			t.Fatalf("%s: %v in\n%s", selector, err, plan.String())
		}
		if selected > want || all < series/1024 {
			t.Errorf("%s reads %d of %d granules", selector, selected, all)
		}
	}
}
