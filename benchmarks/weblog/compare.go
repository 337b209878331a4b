package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goshawk-observability/goshawk/processors/weblog/report"
)

// goaccessFlags make GoAccess count what we do: visitors whatever the status, URLs
// whatever the method and the version of HTTP, and static files by their names
// alone.
var goaccessFlags = []string{
	"--log-format=COMBINED", "--no-global-config", "--no-progress", "--4xx-to-unique-count", "--all-static-files",
	"--http-method=no", "--http-protocol=no", "--max-items=1000000000",
}

// counts is a row of a panel.
type counts struct{ hits, visitors, bytes int64 }

// panels has the rows of panels by their names.
type panels map[string]map[string]counts

func (p panels) add(panel, row string, c counts) {
	if p[panel] == nil {
		p[panel] = make(map[string]counts)
	}
	old := p[panel][row]
	p[panel][row] = counts{old.hits + c.hits, old.visitors + c.visitors, old.bytes + c.bytes}
}

// The panels that are compared. Visitors are where a row of one is a row of the
// other.
var compared = []struct {
	name     string
	visitors bool
}{
	{"totals", false},
	{"days", true},
	{"hours of the day", true},
	{"addresses", true},
	{"statuses", true},
	{"URLs", true},
	{"not found", true},
	{"referring sites", false},
	{"referring URLs", false},
}

func compareFiles(args []string) error {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	show := flags.Int("show", 10, "rows that differ to show of a panel")
	families := flags.Bool("families", false, "compare browsers and systems, by each user agent of the log")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("compare takes one log in the combined format")
	}
	c, err := compare(context.Background(), flags.Arg(0))
	if err != nil {
		return err
	}
	c.print(os.Stdout, *show)
	if *families {
		return compareFamilies(context.Background(), flags.Arg(0), os.Stdout)
	}
	return nil
}

// comparison is what the two programs, and a plain count of the log's lines, say
// about a log.
type comparison struct {
	goaccess, goshawk, plain panels
	times                    [2]usage
}

// usage is what a program took.
type usage struct {
	wall, cpu time.Duration
}

func compare(ctx context.Context, file string) (*comparison, error) {
	c := new(comparison)
	text, used, err := runGoAccess(ctx, file)
	if err != nil {
		return nil, err
	}
	c.times[0] = used
	if c.goaccess, err = readGoAccess(text); err != nil {
		return nil, err
	}
	o := report.DefaultOptions()
	o.Top, o.Workers = 0, 2
	started := time.Now()
	sources, err := report.Sources([]string{file}, nil, nil)
	if err != nil {
		return nil, err
	}
	r, err := report.Run(ctx, sources, o)
	if err != nil {
		return nil, err
	}
	c.times[1].wall = time.Since(started)
	c.goshawk = readReport(r)
	c.plain, err = count(file)
	return c, err
}

func runGoAccess(ctx context.Context, file string) ([]byte, usage, error) {
	folder, err := os.MkdirTemp("", "goaccess")
	if err != nil {
		return nil, usage{}, err
	}
	defer os.RemoveAll(folder)
	out := filepath.Join(folder, "out.json")
	cmd := exec.CommandContext(ctx, "goaccess", append([]string{file, "-o", out}, goaccessFlags...)...) //nolint:gosec // a tool for developers
	started := time.Now()
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, usage{}, fmt.Errorf("goaccess: %w: %s", err, said)
	}
	used := usage{wall: time.Since(started), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	text, err := os.ReadFile(out)
	return text, used, err
}

// readGoAccess reads its JSON, in which bytes of logs that are no UTF-8 stand as
// they are.
func readGoAccess(text []byte) (panels, error) {
	type row struct {
		Hits, Visitors, Bytes struct{ Count int64 }
		Data                  string
		Items                 []json.RawMessage
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(bytes.ToValidUTF8(text, []byte("\uFFFD")), &all); err != nil {
		return nil, fmt.Errorf("output of goaccess: %w", err)
	}
	p := make(panels)
	var general map[string]json.RawMessage
	if err := json.Unmarshal(all["general"], &general); err != nil {
		return nil, err
	}
	for theirs, name := range map[string]string{
		"valid_requests": "requests", "unique_visitors": "visitors", "bandwidth": "bytes", "failed_requests": "lines that are none", "unique_not_found": "URLs not found",
	} {
		var n int64
		if err := json.Unmarshal(general[theirs], &n); err != nil {
			return nil, err
		}
		p.add("totals", name, counts{hits: n})
	}
	var read func(from, to string, rows []json.RawMessage, inner bool, name func(string) string) error
	read = func(from, to string, rows []json.RawMessage, inner bool, name func(string) string) error {
		for _, text := range rows {
			var r row
			if err := json.Unmarshal(text, &r); err != nil {
				return err
			}
			if inner {
				if err := read(from, to, r.Items, false, name); err != nil {
					return err
				}
				continue
			}
			p.add(to, name(r.Data), counts{r.Hits.Count, r.Visitors.Count, r.Bytes.Count})
		}
		return nil
	}
	same := func(s string) string { return s }
	for _, panel := range []struct {
		from, to string
		inner    bool
		name     func(string) string
	}{
		{"visitors", "days", false, func(s string) string { return s[:4] + "-" + s[4:6] + "-" + s[6:] }},
		{"visit_time", "hours of the day", false, same},
		{"hosts", "addresses", false, same},
		{"status_codes", "statuses", true, func(s string) string { return s[:3] }},
		{"requests", "URLs", false, strings.TrimSpace},
		{"static_requests", "URLs", false, strings.TrimSpace},
		{"not_found", "not found", false, strings.TrimSpace},
		{"referring_sites", "referring sites", false, withoutWWW},
		{"referrers", "referring URLs", false, referrerName},
	} {
		var rows struct{ Data []json.RawMessage }
		if err := json.Unmarshal(all[panel.from], &rows); err != nil {
			return nil, err
		}
		if err := read(panel.from, panel.to, rows.Data, panel.inner, panel.name); err != nil {
			return nil, err
		}
	}
	delete(p["referring URLs"], "-")
	return p, nil
}

func readReport(r *report.Report) panels {
	p := make(panels)
	t := &r.Totals
	for name, n := range map[string]uint64{
		"requests": t.Requests, "visitors": t.VisitorsDaily, "bytes": uint64(t.Bytes), "lines that are none": uint64(t.UnreadableLines), //nolint:gosec // not negative
	} {
		p.add("totals", name, counts{hits: int64(n)}) //nolint:gosec // a count
	}
	for i := range r.Days {
		d := &r.Days[i]
		p.add("days", d.Start, counts{int64(d.Requests), int64(d.Visitors), d.Bytes}) //nolint:gosec // counts
	}
	rows := func(id, to string, name func(string) string) {
		for _, r := range r.Panel(id).Rows {
			p.add(to, name(r.Name), counts{int64(r.Requests), int64(r.Visitors), r.Bytes}) //nolint:gosec // counts
		}
	}
	same := func(s string) string { return s }
	rows("hours", "hours of the day", same)
	rows("clients", "addresses", same)
	rows("statuses", "statuses", func(s string) string { return s[:3] })
	rows("not_found", "not found", decoded)
	rows("referring_sites", "referring sites", same)
	rows("referrers", "referring URLs", referrerName)
	rows("urls", "URLs", decoded)
	rows("static", "URLs", decoded)
	p.add("totals", "URLs not found", counts{hits: int64(len(p["not found"]))})
	return p
}

// decoded is a URL as GoAccess shows it: without percent signs, and without the
// question mark of an empty query.
func decoded(s string) string {
	if d, err := url.PathUnescape(s); err == nil {
		s = d
	}
	return strings.TrimSuffix(strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD")), "?")
}

func withoutWWW(s string) string { return strings.TrimPrefix(strings.ToLower(s), "www.") }

// referrerName is a URL without the rest of the query, which GoAccess cuts where
// it looks for what was searched for.
func referrerName(s string) string {
	s = decoded(s)
	s, _, _ = strings.Cut(s, "?")
	return s
}

// difference is a row of which the two programs say something else.
type difference struct {
	row                 string
	theirs, ours, plain counts
}

// isRight reports whether a plain count of the lines says what we say.
func (d difference) isRight(visitors bool) bool {
	ours, plain := d.ours, d.plain
	if !visitors {
		ours.visitors, plain.visitors = 0, 0
	}
	return ours == plain
}

// differences returns the rows of a panel that differ, in the order of their names.
func (c *comparison) differences(panel string, visitors bool) []difference {
	rows := make(map[string]bool)
	for _, p := range []panels{c.goaccess, c.goshawk} {
		for row := range p[panel] {
			rows[row] = true
		}
	}
	var all []difference
	for row := range rows {
		d := difference{row, c.goaccess[panel][row], c.goshawk[panel][row], c.plain[panel][row]}
		theirs, ours := d.theirs, d.ours
		if !visitors {
			theirs.visitors, ours.visitors = 0, 0
		}
		if theirs != ours {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b difference) int { return strings.Compare(a.row, b.row) })
	return all
}

func (c *comparison) print(w io.Writer, show int) {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintf(t, "panel\trows\thits\tvisitors\tbytes\t\trows\thits\tvisitors\tbytes\t\trows that differ\tof them as counted plainly\n")
	for _, panel := range compared {
		differ := c.differences(panel.name, panel.visitors)
		right := 0
		for _, d := range differ {
			if d.isRight(panel.visitors) {
				right++
			}
		}
		theirs, ours := sum(c.goaccess[panel.name]), sum(c.goshawk[panel.name])
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\tgoshawk:\t%d\t%d\t%d\t%d\t\t%d\t%d\n", panel.name, len(c.goaccess[panel.name]), theirs.hits, theirs.visitors,
			theirs.bytes, len(c.goshawk[panel.name]), ours.hits, ours.visitors, ours.bytes, len(differ), right)
	}
	t.Flush()
	for _, panel := range compared {
		for i, d := range c.differences(panel.name, panel.visitors) {
			if i == show {
				break
			}
			fmt.Fprintf(w, "%s: %q: goaccess %+v, goshawk %+v, plain count %+v\n", panel.name, d.row, d.theirs, d.ours, d.plain)
		}
	}
	fmt.Fprintf(w, "goaccess took %s (%s CPU), goshawk %s\n", c.times[0].wall, c.times[0].cpu, c.times[1].wall)
}

func sum(rows map[string]counts) counts {
	var all counts
	for _, c := range rows {
		all.hits += c.hits
		all.visitors += c.visitors
		all.bytes += c.bytes
	}
	return all
}
