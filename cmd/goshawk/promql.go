package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/guptarohit/asciigraph"
	promapi "github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// promqlFlags are the flags of one question in PromQL.
type promqlFlags struct {
	query, url, tenant string
	token              config.Secret
	at                 string
	back, step         model.Duration
	timeout            time.Duration
}

func (f *promqlFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.query, "promql", "", "ask a running query service this `query`, print the answer, and end")
	flags.StringVar(&f.at, "at", "", "evaluate at this `time` (RFC 3339 or Unix seconds; default now), or end there with --range")
	flags.Var(&durationFlag{&f.back}, "range", "evaluate over this `duration` up to --at and draw a chart")
	flags.Var(&durationFlag{&f.step}, "step", "`duration` between the points of a chart (default: 60 points)")
	flags.StringVar(&f.url, "url", "", "the query service or any Prometheus (default: query.listen of the settings)")
	flags.StringVar((*string)(&f.token), "token", "", "bearer token: the value, file:PATH or env:NAME")
	flags.StringVar(&f.tenant, "tenant", "", "the tenant to ask about, with an operator's token")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "give up after this time")
}

// durationFlag is a duration as PromQL writes it.
type durationFlag struct{ *model.Duration }

func (d *durationFlag) Type() string { return "duration" }

// ask asks the query and prints the answer.
func (f *promqlFlags) ask(ctx context.Context, s *Settings, out io.Writer) error {
	api, err := f.client(s)
	if err != nil {
		return err
	}
	at := time.Now()
	if f.at != "" {
		if at, err = parseTime(f.at); err != nil {
			return fmt.Errorf("--at: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if f.back == 0 {
		value, warnings, infos, err := api.Query(ctx, f.query, at)
		if err != nil {
			return asked(err)
		}
		printNotes(out, warnings, infos)
		return printValue(out, value)
	}
	step := time.Duration(f.step)
	if step == 0 {
		step = max(time.Duration(f.back)/chartPoints, time.Second)
	}
	value, warnings, infos, err := api.QueryRange(ctx, f.query, promv1.Range{Start: at.Add(-time.Duration(f.back)), End: at, Step: step})
	if err != nil {
		return asked(err)
	}
	printNotes(out, warnings, infos)
	matrix, ok := value.(model.Matrix)
	if !ok {
		return printValue(out, value)
	}
	return printChart(out, matrix, at.Add(-time.Duration(f.back)), at, step)
}

// asked words the error of a query.
func asked(err error) error {
	var refused *promv1.Error
	if errors.As(err, &refused) {
		return fmt.Errorf("%s: %s", refused.Type, refused.Msg)
	}
	return fmt.Errorf("asking the query service: %w", err)
}

func (f *promqlFlags) client(s *Settings) (promv1.API, error) {
	address := f.url
	if address == "" {
		host, port, err := net.SplitHostPort(s.Query.Listen)
		if err != nil {
			return nil, fmt.Errorf("query.listen: %w", err)
		}
		if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		scheme := "http"
		if s.Query.TLS.Enabled() {
			scheme = "https"
		}
		address = scheme + "://" + net.JoinHostPort(host, port)
	}
	token, err := f.token.Value()
	if err != nil {
		return nil, fmt.Errorf("--token: %w", err)
	}
	client, err := promapi.NewClient(promapi.Config{Address: address, RoundTripper: &askingTransport{token, f.tenant}})
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	return promv1.NewAPI(client), nil
}

// askingTransport adds to requests who asks, and about whom.
type askingTransport struct{ token, tenant string }

func (t *askingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if t.token != "" {
		r.Header.Set("Authorization", "Bearer "+t.token)
	}
	if t.tenant != "" {
		r.Header.Set("X-Scope-OrgID", t.tenant)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// parseTime reads a time: RFC 3339, or Unix seconds.
func parseTime(text string) (time.Time, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1e12 {
		return time.UnixMilli(int64(seconds * 1000)), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time like 2006-01-02T15:04:05Z nor Unix seconds", text)
	}
	return t, nil
}

func printNotes(out io.Writer, warnings promv1.Warnings, infos promv1.Infos) {
	for _, w := range warnings {
		fmt.Fprintln(out, "warning:", w)
	}
	for _, i := range infos {
		fmt.Fprintln(out, "note:", i)
	}
}

// printValue prints the answer of an instant query as a table.
func printValue(out io.Writer, value model.Value) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	switch v := value.(type) {
	case model.Vector:
		if len(v) == 0 {
			fmt.Fprintln(out, "no series")
		}
		for _, one := range v {
			if one.Histogram != nil {
				fmt.Fprintf(table, "%s\t%s\n", one.Metric, one.Histogram)
				continue
			}
			fmt.Fprintf(table, "%s\t%s\n", one.Metric, one.Value)
		}
	case model.Matrix:
		if len(v) == 0 {
			fmt.Fprintln(out, "no series")
		}
		for _, one := range v {
			for _, p := range one.Values {
				fmt.Fprintf(table, "%s\t%s\t%s\n", one.Metric, p.Timestamp.Time().UTC().Format(time.RFC3339), p.Value)
			}
		}
	case *model.Scalar:
		fmt.Fprintln(table, v.Value)
	case *model.String:
		fmt.Fprintln(table, v.Value)
	}
	return table.Flush()
}

// What a terminal shows well.
const (
	chartPoints = 60
	chartHeight = 12
	chartSeries = 6
)

// printChart draws series, and says how they ended.
func printChart(out io.Writer, matrix model.Matrix, from, to time.Time, step time.Duration) error {
	if len(matrix) == 0 {
		fmt.Fprintln(out, "no series")
		return nil
	}
	var data [][]float64
	colors := []asciigraph.AnsiColor{asciigraph.Default, asciigraph.Blue, asciigraph.Green, asciigraph.Red, asciigraph.Yellow, asciigraph.Cyan}
	for _, one := range matrix[:min(len(matrix), chartSeries)] {
		values := make([]float64, int(to.Sub(from)/step)+1)
		for i := range values {
			values[i] = math.NaN()
		}
		for _, p := range one.Values {
			if i := int(p.Timestamp.Time().Sub(from) / step); i >= 0 && i < len(values) && !math.IsInf(float64(p.Value), 0) {
				values[i] = float64(p.Value)
			}
		}
		data = append(data, values)
	}
	options := []asciigraph.Option{
		asciigraph.Height(chartHeight), asciigraph.Width(chartPoints),
		asciigraph.Caption(from.UTC().Format(time.RFC3339) + " to " + to.UTC().Format(time.RFC3339) + ", step " + step.String()),
	}
	if len(data) > 1 {
		options = append(options, asciigraph.SeriesColors(colors[:len(data)]...))
	}
	if len(data[0]) > 1 && drawable(data) {
		fmt.Fprintln(out, asciigraph.PlotMany(data, options...))
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, one := range matrix {
		last := "no float samples"
		if n := len(one.Values); n > 0 {
			last = one.Values[n-1].Value.String()
		}
		fmt.Fprintf(table, "%s\t%s\n", one.Metric, last)
	}
	return table.Flush()
}

// drawable reports whether there is a number to draw.
func drawable(data [][]float64) bool {
	for _, values := range data {
		for _, v := range values {
			if !math.IsNaN(v) {
				return true
			}
		}
	}
	return false
}
