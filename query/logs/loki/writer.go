package loki

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/metric"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
	"github.com/goshawk-observability/goshawk/query/traces"
)

// flagsHeader is where a client asks for the labels of lines by where they are
// from.
const flagsHeader = "X-Loki-Response-Encoding-Flags"

const categorizeFlag = "categorize-labels"

func categorized(r *http.Request) bool {
	for _, flag := range strings.Split(r.Header.Get(flagsHeader), ",") {
		if strings.TrimSpace(flag) == categorizeFlag {
			return true
		}
	}
	return false
}

// writer writes the answers to queries.
type writer struct {
	b           []byte
	categorized bool
}

func (w *writer) begin() { w.b = append(w.b, `{"status":"success","data":{`...) }

// end closes an answer with what it cost.
func (w *writer) end(r *logs.Reader, began time.Time, entries int) logs.Answer {
	text, _ := json.Marshal(statsOf(r, time.Since(began), entries)) // numbers
	w.b = append(w.b, `,"stats":`...)
	w.b = append(w.b, text...)
	w.b = append(w.b, "}}\n"...)
	return logs.Answer{ContentType: jsonType, Body: w.b}
}

// summary is what Loki says of a query, as far as there is something to say.
type summary struct {
	BytesPerSecond int64   `json:"bytesProcessedPerSecond"`
	LinesPerSecond int64   `json:"linesProcessedPerSecond"`
	Bytes          int64   `json:"totalBytesProcessed"`
	Lines          int64   `json:"totalLinesProcessed"`
	Entries        int     `json:"totalEntriesReturned"`
	Seconds        float64 `json:"execTime"`
	Queue          float64 `json:"queueTime"`
	Subqueries     int     `json:"subqueries"`
	Splits         int     `json:"splits"`
	Shards         int     `json:"shards"`
}

func statsOf(r *logs.Reader, took time.Duration, entries int) map[string]any {
	seconds := max(took.Seconds(), 1e-6)
	return map[string]any{"summary": summary{
		BytesPerSecond: int64(float64(r.Bytes) / seconds), LinesPerSecond: int64(float64(r.Rows) / seconds),
		Bytes: int64(r.Bytes), Lines: int64(r.Rows), Entries: entries, Seconds: took.Seconds(), Subqueries: r.Statements,
	}}
}

func (w *writer) text(s string) { w.b = traces.AppendString(w.b, s) }

// labels writes labels as an object.
func (w *writer) labels(l pipeline.Labels) {
	w.b = append(w.b, '{')
	for i := range l {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.text(l[i].Name)
		w.b = append(w.b, ':')
		w.text(l[i].Value)
	}
	w.b = append(w.b, '}')
}

// seconds writes a time as Prometheus does.
func (w *writer) seconds(t int64) {
	w.b = strconv.AppendInt(w.b, t/1e9, 10)
	if ms := t / 1e6 % 1000; ms != 0 {
		w.b = append(w.b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
}

// number writes a number as text.
func (w *writer) number(v float64) {
	w.b = append(w.b, '"')
	switch {
	case math.IsInf(v, 1):
		w.b = append(w.b, "+Inf"...)
	default:
		w.b = strconv.AppendFloat(w.b, v, 'f', -1, 64)
	}
	w.b = append(w.b, '"')
}

func (w *writer) value(t int64, v float64) {
	w.b = append(w.b, '[')
	w.seconds(t)
	w.b = append(w.b, ',')
	w.number(v)
	w.b = append(w.b, ']')
}

func (w *writer) scalar(t int64, v float64) {
	w.b = append(w.b, `"resultType":"scalar","result":`...)
	w.value(t, v)
}

func (w *writer) vector(t int64, series []*metric.Series) {
	w.b = append(w.b, `"resultType":"vector","result":[`...)
	for i, s := range series {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, `{"metric":`...)
		w.labels(s.Labels)
		w.b = append(w.b, `,"value":`...)
		w.value(t, s.Values[0])
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

func (w *writer) matrix(series []*metric.Series, steps metric.Steps) {
	w.b = append(w.b, `"resultType":"matrix","result":[`...)
	for i, s := range series {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, `{"metric":`...)
		w.labels(s.Labels)
		w.b = append(w.b, `,"values":[`...)
		first := true
		for n := range steps.N {
			if !s.Present[n] {
				continue
			}
			if !first {
				w.b = append(w.b, ',')
			}
			first = false
			w.value(steps.At(n), s.Values[n])
		}
		w.b = append(w.b, "]}"...)
	}
	w.b = append(w.b, ']')
}

// group are the lines with the same labels.
type group struct {
	labels pipeline.Labels
	lines  []*logs.Line
}

// grouped groups lines by the labels that a stream of the answer has.
func (w *writer) grouped(lines []logs.Line) []*group {
	byKey := map[string]*group{}
	var all []*group
	var labels pipeline.Labels
	var key []byte
	for i := range lines {
		l := &lines[i]
		labels = append(labels[:0], l.Stream...)
		if !w.categorized {
			labels = append(append(labels, l.Record...), l.Parsed...)
			labels.Sort()
		}
		key = labels.AppendKey(key[:0])
		g := byKey[string(key)]
		if g == nil {
			g = &group{labels: append(pipeline.Labels{}, labels...)}
			byKey[string(key)] = g
			all = append(all, g)
		}
		g.lines = append(g.lines, l)
	}
	return all
}

func (w *writer) streams(lines []logs.Line) {
	w.b = append(w.b, `"resultType":"streams","result":[`...)
	for i, g := range w.grouped(lines) {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.stream(g)
	}
	w.b = append(w.b, ']')
	if w.categorized {
		w.b = append(w.b, `,"encodingFlags":["`+categorizeFlag+`"]`...)
	}
}

func (w *writer) stream(g *group) {
	w.b = append(w.b, `{"stream":`...)
	w.labels(g.labels)
	w.b = append(w.b, `,"values":[`...)
	for i, l := range g.lines {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '[')
		w.b = traces.AppendQuotedInt(w.b, l.Time)
		w.b = append(w.b, ',')
		w.text(l.Text)
		if w.categorized {
			w.b = append(w.b, ",{"...)
			if len(l.Record) > 0 {
				w.b = append(w.b, `"structuredMetadata":`...)
				w.labels(l.Record)
			}
			if len(l.Parsed) > 0 {
				if len(l.Record) > 0 {
					w.b = append(w.b, ',')
				}
				w.b = append(w.b, `"parsed":`...)
				w.labels(l.Parsed)
			}
			w.b = append(w.b, '}')
		}
		w.b = append(w.b, ']')
	}
	w.b = append(w.b, "]}"...)
}
