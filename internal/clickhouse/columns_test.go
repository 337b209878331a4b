package clickhouse_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// FuzzText sends texts as parameters and gets them back as they were, whatever
// is in them and whatever comes beside them.
func FuzzText(f *testing.F) {
	columns := clickhousetest.OpenColumns(f, enginetest.Start(f))
	for _, text := range []string{
		"", "a", "'", "''", `\`, `\\`, `\'`, `\\'`, "\x00", "\n\r\t\b\f\v\a", "{p:String}", "{q:String}", "}{", `\0`, `\x41`, `\N`, "NULL", `' OR 1=1 --`,
		"\xff\xfe", "\x80", "é", "\U0001F600", "\ufeff", "\u2028", strings.Repeat(`'\`, 5000), "\x1b[0m", "%00", "`\"", "$$", "/*", "\x7f", "\u0085",
	} {
		f.Add(text, "'"+text)
		f.Add(`\`, text)
	}
	f.Fuzz(func(t *testing.T, p, q string) {
		var first, second proto.ColStr
		var lengths proto.ColUInt64
		var listed proto.ColUInt8
		var got []string
		err := columns.Do(context.Background(), clickhouse.Query{
			Body: "SELECT {p:String} AS c0, {q:String} AS c1, length({p:String}) AS c2, {p:String} IN ({q:String}, 'x') AS c3",
			Parameters: []clickhouse.Parameter{
				clickhouse.Text("p", p), clickhouse.Text("q", q),
			},
			Result: proto.Results{{Name: "c0", Data: &first}, {Name: "c1", Data: &second}, {Name: "c2", Data: &lengths}, {Name: "c3", Data: &listed}},
			OnResult: func(context.Context, proto.Block) error {
				for i := range first.Rows() {
					got = append(got, first.Row(i), second.Row(i))
					if lengths[i] != uint64(len(p)) || (listed[i] == 1) != (p == q || p == "x") {
						t.Errorf("%q has the length %d and is listed: %d", p, lengths[i], listed[i])
					}
				}
				return nil
			},
		})
		if err != nil || len(got) != 2 || got[0] != p || got[1] != q {
			t.Fatalf("%q, %q came back as %q: %v", p, q, got, err)
		}
	})
}
