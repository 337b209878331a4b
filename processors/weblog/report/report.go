// Package report counts what is in access logs and shows it: in a terminal, as
// JSON, or as one page of HTML. It reads files with the parser and the classifier
// of the pipeline, in parallel, and gives the same result however many workers do.
//
// It must not know where requests go otherwise: it has no Kafka and no ClickHouse.
package report

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

// Options say what is counted and how much is shown.
type Options struct {
	// Format of the lines; nil is whichever they are in.
	Format *accesslog.Format
	// Classify says which proxies are trusted and where databases of places are.
	Classify classify.Config
	// Site is the name of the site in logs that have no virtual hosts.
	Site string
	// Since and Until bound the times of requests that are counted: not before
	// Since, and before Until. Zero is no bound.
	Since, Until time.Time
	// Location is the time zone of days and hours.
	Location *time.Location
	// Home are the codes of the countries that are not abroad.
	Home []string
	// NoBots leaves out requests of crawlers and tools.
	NoBots bool
	// Top bounds the rows of a panel, 0 is all.
	Top int
	// Workers is how many goroutines parse and count.
	Workers int
	// Limit bounds the different addresses, paths, queries, agents and referrers
	// that are counted one by one, MaxVisitors the visitors.
	Limit, MaxVisitors int
	// Progress is set while files are read; it can be nil.
	Progress *Progress

	since, until int64
}

// Progress tells how far a report is.
type Progress struct {
	// Total is the size of all files as they lie on the disk, 0 if it is not known,
	// and Read how much of that was read.
	Total, Read atomic.Int64
	// Lines is how many lines were counted.
	Lines atomic.Int64
}

// DefaultOptions shows ten rows of everything in UTC.
func DefaultOptions() Options {
	return Options{
		Classify: classify.DefaultConfig(), Location: time.UTC, Top: 10, Workers: 1,
		Limit: 1_000_000, MaxVisitors: 6_000_000, Site: "site",
	}
}

// Run reads sources and reports. A source that could not be read to its end says
// so in Files.
func Run(ctx context.Context, sources []Source, o Options) (*Report, error) {
	if len(sources) == 0 {
		return nil, errors.New("no file to report on")
	}
	if o.Workers < 1 || o.Limit < 1 || o.MaxVisitors < 1 {
		return nil, errors.New("workers and limits of a report are at least 1")
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	o.since, o.until = -1<<63, 1<<63-1
	if !o.Since.IsZero() {
		o.since = o.Since.UnixNano()
	}
	if !o.Until.IsZero() {
		o.until = o.Until.UnixNano()
	}
	visits := newVisits(&o)
	known := newKnown(&o)
	s := scan{options: &o, sources: sources, known: known, visits: visits}
	total := int64(0)
	for i := range sources {
		s.files = append(s.files, File{Name: sources[i].Name})
		total += sources[i].Size
		if sources[i].Size == 0 {
			total = -1 << 62
		}
	}
	o.Progress.Total.Store(max(0, total))
	s.lines.files = s.files
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	all := s.workers[0]
	for i, w := range s.workers[1:] {
		all.merge(w)
		s.workers[i+1] = nil
	}
	return build(all, known, visits.merge(), &s.lines, &o), nil
}
