package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

// chart is bars over time, of one or two things on top of each other.
type chart struct {
	Title         string
	Legend        []legend
	Bars          []bar
	Lines         []gridline
	Labels        []label
	Width, Height float64
}

type legend struct{ Name, Class string }

// bar is a rectangle of a chart, in its units.
type bar struct {
	X, Y, Width, Height float64
	Class, Tip, Name    string
}

type gridline struct {
	Y    float64
	Text string
}

type label struct {
	X      float64
	Text   string
	Anchor string
}

// shown is one of the things that a chart shows.
type shown struct {
	name, class string
	value       func(*Period) float64
}

const chartWidth, chartHeight, mostBars = 720, 180, 200

// charts are the report's numbers over time.
func (r *Report) charts() []chart {
	series, unit := r.series(mostBars)
	if len(series) == 0 {
		return nil
	}
	count := func(v float64) string { return humanize.Comma(int64(v)) }
	bytes := func(v float64) string { return size(int64(v)) }
	return []chart{
		newChart("Requests", unit, series, count, shown{"requests", "a", func(p *Period) float64 { return float64(p.Requests) }}),
		newChart("Visitors", unit, series, count, shown{"visitors", "b", func(p *Period) float64 { return float64(p.Visitors) }}),
		newChart("Bytes sent", unit, series, bytes, shown{"bytes", "c", func(p *Period) float64 { return float64(p.Bytes) }}),
		newChart("Failed requests", unit, series, count, shown{"failed", "f", func(p *Period) float64 { return float64(p.Failed) }}),
		newChart("Client errors (4xx)", unit, series, count, shown{"4xx", "d", func(p *Period) float64 { return float64(p.ClientErrors) }}),
		newChart("Server errors (5xx)", unit, series, count, shown{"5xx", "e", func(p *Period) float64 { return float64(p.ServerErrors) }}),
	}
}

func newChart(title, unit string, series []Period, text func(float64) string, parts ...shown) chart {
	c := chart{Title: title + " per " + strings.TrimPrefix(strings.TrimPrefix(unit, "an "), "a "), Width: chartWidth, Height: chartHeight}
	most := 0.0
	for i := range series {
		sum := 0.0
		for _, p := range parts {
			sum += p.value(&series[i])
		}
		most = max(most, sum)
	}
	top := nice(most)
	const left, bottom, above = 64.0, 24.0, 8.0
	width, height := (chartWidth-left)/float64(len(series)), chartHeight-bottom-above
	for i := range 5 {
		share := float64(i) / 4
		c.Lines = append(c.Lines, gridline{Y: above + height*(1-share), Text: text(top * share)})
	}
	for i := range series {
		y := above + height
		for _, p := range parts {
			v := p.value(&series[i])
			if v <= 0 {
				continue
			}
			h := max(1, height*v/top)
			y -= h
			c.Bars = append(c.Bars, bar{
				X: left + width*float64(i), Y: y, Width: max(0.5, width-min(1, width/4)), Height: h, Class: p.class,
				Tip: fmt.Sprintf("%s: %s %s", series[i].Start, text(v), p.name),
			})
		}
	}
	for i := range 4 {
		at := i * (len(series) - 1) / 3
		if l := len(c.Labels); l > 0 && c.Labels[l-1].Text == series[at].Start {
			continue
		}
		anchor := "middle"
		switch i {
		case 0:
			anchor = "start"
		case 3:
			anchor = "end"
		}
		c.Labels = append(c.Labels, label{X: left + width*(float64(at)+0.5), Text: series[at].Start, Anchor: anchor})
	}
	for _, p := range parts {
		c.Legend = append(c.Legend, legend{p.name, p.class})
	}
	return c
}

// nice is a round number that is not less.
func nice(v float64) float64 {
	if v <= 4 {
		return 4
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10} {
		if v <= step*unit {
			return step * unit
		}
	}
	return v
}

// rowBars draws rows beside each other.
func rowBars(rows []Row) []bar {
	most := uint64(1)
	for i := range rows {
		most = max(most, rows[i].Requests)
	}
	const height = 90.0
	width := chartWidth / 2 / float64(max(1, len(rows)))
	var bars []bar
	for i := range rows {
		h := height * float64(rows[i].Requests) / float64(most)
		name := rows[i].Name
		bars = append(bars, bar{
			X: width*float64(i) + 1, Y: height - h, Width: width - 2, Height: h, Class: "a", Name: name[:min(3, len(name))],
			Tip: name + ": " + humanize.Comma(int64(rows[i].Requests)) + " requests", //nolint:gosec // a count
		})
	}
	return bars
}

// worldMap has the countries as circles where they are, without their borders.
type worldMap struct {
	Width, Height float64
	Meridians     []float64
	Parallels     []float64
	Codes         []mark
	Circles       []mark
}

// mark is a text or a circle on the map.
type mark struct {
	X, Y, Radius float64
	Class, Tip   string
}

const mapWidth, mapNorth, mapSouth = 960.0, 84.0, -60.0

// project puts a position on the map, on which degrees are equally long.
func project(latitude, longitude float32) (x, y float64) {
	const degree = mapWidth / 360
	return (float64(longitude) + 180) * degree, (mapNorth - float64(latitude)) * degree
}

func newMap(countries, cities []Row) *worldMap {
	m := &worldMap{Width: mapWidth, Height: mapWidth / 360 * (mapNorth - mapSouth)}
	for longitude := -150; longitude < 180; longitude += 30 {
		x, _ := project(0, float32(longitude))
		m.Meridians = append(m.Meridians, x)
	}
	for latitude := 60; latitude > int(mapSouth); latitude -= 30 {
		_, y := project(float32(latitude), 0)
		m.Parallels = append(m.Parallels, y)
	}
	for i := 'A'; i <= 'Z'; i++ {
		for j := 'A'; j <= 'Z'; j++ {
			code := string([]rune{i, j})
			latitude, longitude := classify.CountryCentre(code)
			if latitude == 0 && longitude == 0 || latitude < mapSouth {
				continue
			}
			x, y := project(latitude, longitude)
			m.Codes = append(m.Codes, mark{X: x, Y: y, Tip: code})
		}
	}
	m.circles(countries, "a", 26)
	m.circles(cities, "d", 10)
	return m
}

// circles draws rows, of which the one with the most requests has a radius of
// largest.
func (m *worldMap) circles(rows []Row, class string, largest float64) {
	if len(rows) == 0 {
		return
	}
	most := float64(rows[0].Requests)
	for i := range rows {
		r := &rows[i]
		if r.Latitude == 0 && r.Longitude == 0 {
			continue
		}
		x, y := project(r.Latitude, r.Longitude)
		m.Circles = append(m.Circles, mark{
			X: x, Y: y, Radius: max(2, largest*math.Sqrt(float64(r.Requests)/most)), Class: class,
			Tip: fmt.Sprintf("%s: %s requests, %s visitors", r.Name, humanize.Comma(int64(r.Requests)), humanize.Comma(int64(r.Visitors))), //nolint:gosec // counts
		})
	}
}
