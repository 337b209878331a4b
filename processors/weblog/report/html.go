package report

import (
	_ "embed"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

// HTML writes the report as one page that needs nothing else. Now is when it was
// made.
func (r *Report) HTML(w io.Writer, now time.Time) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"comma":    func(n uint64) string { return humanize.Comma(int64(n)) }, //nolint:gosec // a count
		"whole":    humanize.Comma,
		"size":     size,
		"valid":    func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") },
		"duration": duration,
		"share":    func(n uint64) float64 { return 100 * float64(n) / float64(max(1, r.Totals.Requests)) },
	}).Parse(pageText)
	if err != nil {
		return err
	}
	return page.Execute(w, newView(r, now))
}

// view is what the page shows.
type view struct {
	*Report
	Made      string
	Style     template.CSS
	Script    template.JS
	Figures   []figure
	Charts    []chart
	Map       *worldMap
	Tables    []viewTable
	Attribute bool
}

type viewTable struct {
	*Panel
	HasVisitors, HasLatency, IsSessions bool
	Bars                                []bar // for panels that are charts as well
}

func newView(r *Report, now time.Time) *view {
	v := &view{
		Report: r, Made: now.Format(time.RFC3339), Style: template.CSS(pageStyle), Script: template.JS(pageScript), //nolint:gosec // they are embedded
		Figures: r.figures(), Charts: r.charts(), Attribute: r.Has("countries"),
	}
	if len(r.countries) > 0 {
		v.Map = newMap(r.countries, r.cities)
	}
	for i := range r.Panels {
		p := &r.Panels[i]
		t := viewTable{Panel: p, HasVisitors: p.hasVisitors, HasLatency: p.hasLatency, IsSessions: p.isSessions}
		if p.ID == "hours" || p.ID == "weekdays" || p.ID == "status_classes" {
			t.Bars = rowBars(p.Rows)
		}
		v.Tables = append(v.Tables, t)
	}
	return v
}
