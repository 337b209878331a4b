package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// Terminal writes the report as text. What logs say cannot control the terminal.
func (r *Report) Terminal(w io.Writer) error {
	t := &terminal{}
	t.summary(r)
	t.charts(r)
	for i := range r.Panels {
		t.panel(&r.Panels[i], r.Totals.Requests)
	}
	t.latency(r.Latency)
	t.unreadable(r)
	for _, note := range r.Notes {
		t.printf("Note: %s\n", note)
	}
	if r.Has("countries") {
		t.printf("%s (%s)\n", attribution, attributionURL)
	}
	_, err := io.WriteString(w, t.text.String())
	return err
}

// The licence of the database of countries wants to be named.
const attribution, attributionURL = "IP Geolocation by DB-IP", "https://db-ip.com"

// Has reports whether a panel has rows.
func (r *Report) Has(id string) bool {
	p := r.Panel(id)
	return p != nil && len(p.Rows) > 0
}

// Panel returns a panel, nil if there is none.
func (r *Report) Panel(id string) *Panel {
	i := slices.IndexFunc(r.Panels, func(p Panel) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	return &r.Panels[i]
}

// Lines is how many lines there were.
func (r *Report) Lines() int64 {
	n := int64(0)
	for i := range r.Files {
		n += r.Files[i].Lines
	}
	return n
}

type terminal struct{ text strings.Builder }

func (t *terminal) printf(format string, args ...any) { fmt.Fprintf(&t.text, format, args...) }

// figure is a number with a name.
type figure struct{ Name, Value string }

// figures are the totals as they are shown.
func (r *Report) figures() []figure {
	t := &r.Totals
	count := func(n uint64) string { return humanize.Comma(int64(n)) } //nolint:gosec // a count
	share := func(n uint64) string {
		if t.Requests == 0 {
			return count(n)
		}
		return fmt.Sprintf("%s (%.1f %%)", count(n), 100*float64(n)/float64(t.Requests))
	}
	all := []figure{
		{"Requests", count(t.Requests)},
		{"Successful", share(t.Successful)},
		{"Failed", share(t.Failed)},
		{"Client errors", share(t.ClientErrors)},
		{"Server errors", share(t.ServerErrors)},
		{"Not found", share(t.NotFound)},
		{"Visitors", count(t.Visitors)},
		{"Visitors by day", count(t.VisitorsDaily)},
		{"Sessions", count(t.Sessions)},
		{"Bounce rate", fmt.Sprintf("%.1f %%", 100*t.BounceRate)},
		{"Pages per session", fmt.Sprintf("%.2f", t.PagesPerSession)},
		{"Time per session", (time.Duration(t.SecondsPerSession) * time.Second).String()},
		{"Bytes sent", size(t.Bytes)},
		{"Addresses", humanize.Comma(int64(t.Clients))},
		{"URLs", humanize.Comma(int64(t.Files))},
		{"Static files", humanize.Comma(int64(t.StaticFiles))},
		{"Referrers", humanize.Comma(int64(t.Referrers))},
		{"Requests of bots", share(t.Bots)},
		{"Lines", humanize.Comma(r.Lines())},
		{"Unreadable lines", humanize.Comma(t.UnreadableLines)},
		{"Log size", size(t.LogBytes)},
	}
	if t.ExcludedBots > 0 {
		all = append(all, figure{"Bots left out", count(t.ExcludedBots)})
	}
	if t.Outside > 0 {
		all = append(all, figure{"Of other times", count(t.Outside)})
	}
	return all
}

func size(n int64) string { return humanize.IBytes(uint64(max(0, n))) } //nolint:gosec // not negative

func (t *terminal) summary(r *Report) {
	t.printf("Access log report\n")
	if r.Totals.Start != "" {
		t.printf("%s to %s (%s)\n", r.Totals.Start, r.Totals.End, r.Timezone)
	}
	for i := range min(len(r.Files), 10) {
		f := &r.Files[i]
		t.printf("  %s  %s lines", printable(f.Name), humanize.Comma(f.Lines))
		if f.Format != "" {
			t.printf(", format %s", f.Format)
		}
		if f.Error != "" {
			t.printf(", not read to its end: %s", printable(f.Error))
		}
		t.printf("\n")
	}
	if more := len(r.Files) - 10; more > 0 {
		t.printf("  and %d more files\n", more)
	}
	t.printf("\n")
	for i, f := range r.figures() {
		t.printf("%-18s %-20s", f.Name, f.Value)
		if i%2 == 1 {
			t.text.WriteString("\n")
		}
	}
	if len(r.figures())%2 == 1 {
		t.text.WriteString("\n")
	}
	t.printf("\n")
}

// charts draws requests, visitors and failures over time, a character for each of
// at most so many periods.
func (t *terminal) charts(r *Report) {
	const width = 96
	series, unit := r.series(width)
	if len(series) < 2 {
		return
	}
	t.printf("Over time, a column is %s\n", unit)
	for _, line := range []struct {
		name  string
		value func(*Period) float64
	}{
		{"requests", func(p *Period) float64 { return float64(p.Requests) }},
		{"visitors", func(p *Period) float64 { return float64(p.Visitors) }},
		{"bytes", func(p *Period) float64 { return float64(p.Bytes) }},
		{"4xx", func(p *Period) float64 { return float64(p.ClientErrors) }},
		{"5xx", func(p *Period) float64 { return float64(p.ServerErrors) }},
	} {
		most := 0.0
		for i := range series {
			most = max(most, line.value(&series[i]))
		}
		t.printf("%9s %s ", line.name, bars(series, line.value, most))
		if line.name == "bytes" {
			t.printf("at most %s\n", size(int64(most)))
		} else {
			t.printf("at most %s\n", humanize.Comma(int64(most)))
		}
	}
	t.printf("\n")
}

func bars(series []Period, value func(*Period) float64, most float64) string {
	levels := []rune(" ▁▂▃▄▅▆▇█")
	var b strings.Builder
	for i := range series {
		level := 0
		if v := value(&series[i]); v > 0 {
			level = max(1, int(v/most*float64(len(levels)-1)+0.5))
		}
		b.WriteRune(levels[level])
	}
	return b.String()
}

func (t *terminal) panel(p *Panel, all uint64) {
	if len(p.Rows) == 0 {
		return
	}
	t.printf("%s", p.Title)
	if p.Total > len(p.Rows) {
		t.printf(" (%d of %s)", len(p.Rows), humanize.Comma(int64(p.Total)))
	}
	if p.isSessions {
		t.sessions(p)
		return
	}
	t.printf("\n%10s %6s", "requests", "%")
	if p.hasVisitors {
		t.printf(" %9s", "visitors")
	}
	t.printf(" %9s %8s %8s", "bytes", "4xx", "5xx")
	if p.hasLatency {
		t.printf(" %9s %9s %9s", "mean", "p95", "max")
	}
	t.printf("  %s\n", p.Column)
	for i := range p.Rows {
		r := &p.Rows[i]
		t.printf("%10s %6.2f", humanize.Comma(int64(r.Requests)), 100*float64(r.Requests)/float64(max(1, all))) //nolint:gosec // a count
		if p.hasVisitors {
			t.printf(" %9s", humanize.Comma(int64(r.Visitors))) //nolint:gosec // a count
		}
		t.printf(" %9s %8s %8s", size(r.Bytes), blank(r.ClientErrors), blank(r.ServerErrors))
		if p.hasLatency {
			t.printf(" %9s %9s %9s", ms(r.Latency, func(l *Latency) float64 { return l.Mean }),
				ms(r.Latency, func(l *Latency) float64 { return l.P95 }), ms(r.Latency, func(l *Latency) float64 { return l.Max }))
		}
		name := printable(r.Name)
		if r.Country != "" && r.Country != r.Name && !strings.HasSuffix(r.Name, ", "+r.Country) {
			name += " (" + printable(r.Country) + ")"
		}
		t.printf("  %s\n", name)
	}
	t.printf("\n")
}

func (t *terminal) sessions(p *Panel) {
	t.printf("\n%10s  %s\n", "sessions", p.Column)
	for i := range p.Rows {
		t.printf("%10s  %s\n", humanize.Comma(int64(p.Rows[i].Requests)), printable(p.Rows[i].Name)) //nolint:gosec // a count
	}
	t.printf("\n")
}

// blank is a number, empty for 0.
func blank(n uint64) string {
	if n == 0 {
		return ""
	}
	return humanize.Comma(int64(n)) //nolint:gosec // a count
}

// ms is a time of a latency, empty where it is not known.
func ms(l *Latency, of func(*Latency) float64) string {
	if l == nil || of(l) == 0 {
		return ""
	}
	return duration(of(l))
}

// duration is a number of milliseconds with three digits.
func duration(ms float64) string {
	switch {
	case ms >= 99_950:
		return fmt.Sprintf("%.0fs", ms/1000)
	case ms >= 999.5:
		return fmt.Sprintf("%.3gs", ms/1000)
	case ms >= 0.9995:
		return fmt.Sprintf("%.3gms", ms)
	}
	return fmt.Sprintf("%.3gus", ms*1000)
}

func (t *terminal) latency(l *Latency) {
	if l == nil {
		return
	}
	t.printf("Latency of %s requests\n", humanize.Comma(int64(l.Requests))) //nolint:gosec // a count
	t.printf("  mean %s, p50 %s, p90 %s, p95 %s, p99 %s, max %s\n\n",
		duration(l.Mean), duration(l.P50), duration(l.P90), duration(l.P95), duration(l.P99), duration(l.Max))
}

func (t *terminal) unreadable(r *Report) {
	if len(r.Unreadable) == 0 {
		return
	}
	t.printf("%s lines could not be read; the first:\n", humanize.Comma(r.Totals.UnreadableLines))
	for _, u := range r.Unreadable {
		t.printf("  %s:%d: %s\n    %s\n", printable(u.File), u.Line, u.Reason, printable(u.Text))
	}
	t.printf("\n")
}

// printable is a text without what controls a terminal, of a length that fits.
func printable(s string) string {
	const longest = 160
	clean := len(s) <= longest
	for i := 0; clean && i < len(s); i++ {
		clean = s[i] >= ' ' && s[i] < 0x7f
	}
	if clean {
		return s
	}
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n++; n > longest {
			b.WriteString("...")
			break
		}
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			c = '\uFFFD'
		}
		b.WriteRune(c)
	}
	return b.String()
}
