package report

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

var update = flag.Bool("update", false, "rewrite the expected reports")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are those of tests: without a database of countries, which is not
// everywhere.
func options() Options {
	o := DefaultOptions()
	o.Classify.Geo.Enabled = false
	return o
}

func run(t *testing.T, o Options, patterns ...string) *Report {
	t.Helper()
	sources, err := Sources(patterns, o.Format, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), sources, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// text is a source with these lines.
func text(name, lines string) Source {
	return Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(lines)), nil }}
}

// line is a request at a second of a day in May 2015.
func line(second int, client, request string, status int, agent string) string {
	at := time.Date(2015, 5, 17, 0, 0, second, 0, time.UTC).Format("02/Jan/2006:15:04:05 -0700")
	return fmt.Sprintf("%s - - [%s] %q %d 100 \"-\" %q\n", client, at, request, status, agent)
}

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

func TestGolden(t *testing.T) {
	t.Parallel()
	o := options()
	o.Classify.OwnHosts = []string{"semicomplete.com"}
	r := run(t, o, "testdata/apache.log")
	var terminal, document bytes.Buffer
	if err := r.Terminal(&terminal); err != nil {
		t.Fatal(err)
	}
	if err := r.JSON(&document); err != nil {
		t.Fatal(err)
	}
	for name, have := range map[string][]byte{"apache.txt": terminal.Bytes(), "apache.json": document.Bytes()} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, have, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want) {
			t.Errorf("the report differs from %s; see the difference with -update", path)
		}
	}
}

// TestWorkers makes the same report with any number of workers, of so many lines
// that all of them have blocks, and of all that is counted by text.
func TestWorkers(t *testing.T) {
	t.Parallel()
	var combined, timed strings.Builder
	timed.WriteString("#Fields: date time c-ip cs-username cs-method cs-uri-stem cs-uri-query sc-status time-taken\n")
	const n = 20_000
	for i := range n {
		status := []int{200, 200, 304, 404, 500, 200}[i%6]
		client := fmt.Sprintf("192.0.%d.%d", i%7, i*i%251)
		l := line(i*5, client, fmt.Sprintf("GET /a/%d/b?c=%d HTTP/1.1", i%401, i%997), status, firefox+fmt.Sprint(i%3))
		l = strings.Replace(l, " - - ", fmt.Sprintf(" - user%d ", i%11), 1)
		l = strings.Replace(l, `"-"`, fmt.Sprintf(`"https://www.google%d.com/search?q=word%d"`, i%13, i%17), 1)
		combined.WriteString(l)
		fmt.Fprintf(&timed, "2026-03-02 %02d:00:00 %s user%d GET /a%d/b c=%d %d %d\n", i*24/n, client, i%11, i%401, i%997, status, i%100)
	}
	for name, log := range map[string]string{"combined": combined.String(), "timed": timed.String()} {
		o := options()
		o.Top = 0
		var first *Report
		for workers := 1; workers <= 5; workers++ {
			o.Workers = workers
			r, err := Run(t.Context(), []Source{text(name, log)}, o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Totals.Requests != n || r.Totals.Sessions < 1000 || len(r.Panel("users").Rows) != 11 {
				t.Fatalf("%s, %d workers: %+v", name, workers, r.Totals)
			}
			if first == nil {
				first = r
			} else if !reflect.DeepEqual(first, r) {
				t.Errorf("%s: %d workers make another report than 1", name, workers)
			}
		}
	}
}

func TestHTML(t *testing.T) {
	t.Parallel()
	evil := `<script>alert("x")</script>`
	log := line(1, "192.0.2.1", "GET /"+evil+" HTTP/1.1", 200, evil) + "\x00\xff" + evil + "\n" + line(7200, "192.0.2.2", "GET / HTTP/1.1", 503, firefox)
	o := options()
	o.Home = []string{"DE"}
	r, err := Run(t.Context(), []Source{text(evil, log)}, o)
	if err != nil {
		t.Fatal(err)
	}
	// A map needs countries, which need a database.
	r.countries = []Row{{Name: "DE", Country: "DE", Requests: 2, Latitude: 51, Longitude: 10}}
	var page bytes.Buffer
	if err := r.HTML(&page, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	document := page.String()
	for i := range r.Panels {
		if !strings.Contains(document, `<section id="`+r.Panels[i].ID+`"`) {
			t.Errorf("panel %s is missing", r.Panels[i].ID)
		}
	}
	for _, id := range []string{"totals", "time", "map", "files", "unreadable"} {
		if !strings.Contains(document, `<section id="`+id+`"`) {
			t.Errorf("section %s is missing", id)
		}
	}
	if strings.Contains(document, evil) {
		t.Error("what the log says is not escaped")
	}
	for _, outside := range []string{"src=", "@import", "url("} {
		if strings.Contains(document, outside) {
			t.Errorf("the page loads something: %s", outside)
		}
	}
	if err := wellFormed(document); err != nil {
		t.Error(err)
	}
	if wellFormed(strings.Replace(document, "</table>", "", 1)) == nil {
		t.Error("a page without the end of a table passes for one that is well-formed")
	}
}

// wellFormed reads the page as XML, which it is but for its head and its scripts.
func wellFormed(document string) error {
	from, to := strings.Index(document, "<body>"), strings.Index(document, "<script>")
	d := xml.NewDecoder(strings.NewReader(document[from:to] + "</body>"))
	d.Entity = xml.HTMLEntity
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// TestCompressed reads the same from compressed files as from others.
func TestCompressed(t *testing.T) {
	t.Parallel()
	plain, err := os.ReadFile("testdata/apache.log")
	if err != nil {
		t.Fatal(err)
	}
	want := run(t, options(), "testdata/apache.log")
	for name, compress := range map[string]func(io.Writer) (io.WriteCloser, error){
		"gzip": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		"zstd": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	} {
		var packed bytes.Buffer
		w, err := compress(&packed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "access.log."+name)
		if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		have := run(t, options(), path)
		if !reflect.DeepEqual(have.Totals, want.Totals) || !reflect.DeepEqual(have.Panels, want.Panels) {
			t.Errorf("%s: %+v, want %+v", name, have.Totals, want.Totals)
		}
		// A file that is cut off says so, and what could be read counts.
		if err := os.WriteFile(path, packed.Bytes()[:packed.Len()/2], 0o600); err != nil {
			t.Fatal(err)
		}
		if have = run(t, options(), path); have.Files[0].Error == "" {
			t.Errorf("%s: half a file is read without an error", name)
		}
	}
}

// TestSources finds files by patterns, once each and the earliest first.
func TestSources(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, lines string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("access.log", line(300, "192.0.2.1", "GET / HTTP/1.1", 200, firefox))
	write("access.log.1", "no request\n"+line(200, "192.0.2.1", "GET / HTTP/1.1", 200, firefox))
	write("access.log.2", line(100, "192.0.2.1", "GET / HTTP/1.1", 200, firefox))
	write("empty.log", "")
	sources, err := Sources([]string{filepath.Join(folder, "*.log*"), "-", filepath.Join(folder, "access.log")}, nil, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range sources {
		names = append(names, filepath.Base(s.Name))
	}
	if got := strings.Join(names, " "); got != "access.log.2 access.log.1 access.log empty.log standard input" {
		t.Errorf("got %s", got)
	}
	write("archive.xz", "\xfd7zXZ\x00")
	for pattern, want := range map[string]string{
		filepath.Join(folder, "*.none"): "no file has such a name",
		filepath.Join(folder, "none"):   "no such file",
		folder:                          "is a folder",
		filepath.Join(folder, "*.xz"):   "xz is not read here",
		"[":                             "syntax error",
	} {
		if _, err := Sources([]string{pattern}, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
	if _, err := Sources([]string{"-", "-"}, nil, nil); err == nil {
		t.Error("standard input is read twice")
	}
}

// TestServers has the logs of two servers between which a visitor's requests were
// spread: it is one session.
func TestServers(t *testing.T) {
	t.Parallel()
	var a, b strings.Builder
	for i := range 6000 {
		to := &a
		if i%2 == 1 {
			to = &b
		}
		to.WriteString(line(i*600, "192.0.2.1", "GET / HTTP/1.1", 200, strings.Repeat("x", 100)))
	}
	folder := t.TempDir()
	for name, log := range map[string]string{"a": a.String(), "b": b.String()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(log), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := options()
	o.Workers = 3
	r := run(t, o, filepath.Join(folder, "?"))
	// A session is not longer than a day, and there are 42 days.
	if r.Totals.Requests != 6000 || r.Totals.Sessions != 42 {
		t.Errorf("%d requests, %d sessions", r.Totals.Requests, r.Totals.Sessions)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10<<20)
	log := line(1, "192.0.2.1", "GET / HTTP/1.1", 200, firefox) +
		"no request\n\n\r\n" + long + "\n" + strings.Repeat("\x00\xff\n", 10) + line(2, "192.0.2.1", "GET / HTTP/1.1", 200, firefox)
	r, err := Run(t.Context(), []Source{text("a", log)}, options())
	if err != nil {
		t.Fatal(err)
	}
	if r.Totals.Requests != 2 || r.Totals.UnreadableLines != 12 {
		t.Errorf("%+v", r.Totals)
	}
	if len(r.Unreadable) != maxExamples || r.Unreadable[0].Line != 2 || r.Unreadable[0].Text != "no request" || r.Unreadable[0].Reason == "" {
		t.Errorf("%+v", r.Unreadable)
	}
	if u := r.Unreadable[1]; u.Line != 5 || !strings.Contains(u.Reason, "longer than") || len(u.Text) > 300 {
		t.Errorf("the long line is %d: %s, %d bytes", u.Line, u.Reason, len(u.Text))
	}
	var terminal bytes.Buffer
	if err := r.Terminal(&terminal); err != nil {
		t.Fatal(err)
	}
	if text := terminal.String(); strings.ContainsAny(text, "\x00\x1b") || !utf8.ValidString(text) {
		t.Error("what the log says reaches the terminal as it is")
	}
}

// TestLimits has more of everything than is counted one by one: sums stay right.
func TestLimits(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	const n = 3000
	for i := range n {
		log.WriteString(strings.Replace(line(i, fmt.Sprintf("192.0.%d.%d", i/250, i%250), fmt.Sprintf("GET /%d?q=%d HTTP/1.1", i, i), 200, fmt.Sprintf("%s%d", firefox, i)),
			`"-" "`, fmt.Sprintf(`"http://example%d.com/" "`, i), 1))
	}
	o := options()
	o.Limit, o.MaxVisitors, o.Top, o.Workers = 50, 800, 0, 2
	r, err := Run(t.Context(), []Source{text("a", log.String())}, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"clients", "urls", "routes", "referrers", "referring_sites", "browsers", "hours", "statuses"} {
		sum := uint64(0)
		p := r.Panel(id)
		for _, row := range p.Rows {
			sum += row.Requests
		}
		if sum != n {
			t.Errorf("%s: %d requests in %d rows", id, sum, len(p.Rows))
		}
		if len(p.Rows) > 300 {
			t.Errorf("%s has %d rows", id, len(p.Rows))
		}
	}
	if len(r.Notes) < 5 {
		t.Errorf("notes: %q", r.Notes)
	}
	if v := r.Totals.Visitors; v < n*2/3 || v > n*4/3 {
		t.Errorf("%d visitors are estimated, of %d", v, n)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	log := line(0, "192.0.2.1", "GET /a HTTP/1.1", 200, firefox) + line(60, "192.0.2.2", "GET /b HTTP/1.1", 200, "curl/8.0") +
		line(120, "192.0.2.3", "GET /c HTTP/1.1", 404, firefox)
	o := options()
	o.NoBots = true
	o.Until = time.Date(2015, 5, 17, 0, 2, 0, 0, time.UTC)
	r, err := Run(t.Context(), []Source{text("a", log)}, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Totals; got.Requests != 1 || got.ExcludedBots != 1 || got.Outside != 1 {
		t.Errorf("%+v", got)
	}
	o = options()
	o.Since = time.Date(2015, 5, 17, 0, 1, 0, 0, time.UTC)
	if o.Location, err = time.LoadLocation("Asia/Kolkata"); err != nil {
		t.Skip("the time zones of this system are not known")
	}
	if r, err = Run(t.Context(), []Source{text("a", log)}, o); err != nil {
		t.Fatal(err)
	}
	if r.Totals.Requests != 2 || r.Totals.Bots != 1 || r.Hours[0].Start != "2015-05-17T05" || r.Totals.Start != "2015-05-17T05:31:00+05:30" {
		t.Errorf("%+v %+v", r.Totals, r.Hours)
	}
}

// TestDirectives has the columns of a log named in it, far before most of its lines.
func TestDirectives(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	log.WriteString("#Version: 1.0\n#Fields: date time c-ip cs-method cs-uri-stem sc-status time-taken\n")
	for i := range 20_000 {
		fmt.Fprintf(&log, "2026-03-02 00:00:%02d 192.0.2.%d GET /page/%d 200 %d\n", i/400, i%250, i%7, i%100)
	}
	o := options()
	o.Workers = 3
	r, err := Run(t.Context(), []Source{text("iis", log.String())}, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Totals.Requests != 20_000 || r.Totals.UnreadableLines != 0 || r.Latency == nil || r.Latency.Requests != 20_000 {
		t.Errorf("%+v %+v %+v", r.Totals, r.Latency, r.Unreadable)
	}
	if p := r.Panel("slowest"); p == nil || len(p.Rows) == 0 {
		t.Error("there are no slowest routes")
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	endless := Source{Name: "endless", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(repeated(line(1, "192.0.2.1", "GET / HTTP/1.1", 200, firefox))), nil
	}}
	if _, err := Run(ctx, []Source{endless}, options()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// repeated is a text without an end.
type repeated string

func (r repeated) Read(p []byte) (int, error) { return copy(p, r), nil }

// FuzzRun reads any bytes: every line is a request, unreadable, empty or a
// directive.
func FuzzRun(f *testing.F) {
	f.Add([]byte(line(1, "192.0.2.1", "GET / HTTP/1.1", 200, firefox)+"no request\n"), false)
	f.Add([]byte("#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2026-03-02 00:00:00 192.0.2.1 GET / 200\n"), false)
	f.Add([]byte("\x1f\x8b"), true)
	combined, err := accesslog.New("combined")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, log []byte, named bool) {
		o := options()
		if named {
			o.Format = combined
		}
		r, err := Run(t.Context(), []Source{text("a", string(log))}, o)
		if err != nil {
			t.Fatal(err)
		}
		if n := int64(r.Totals.Requests) + r.Totals.UnreadableLines; n > r.Lines() { //nolint:gosec // a count
			t.Fatalf("%d lines make %d requests and unreadable lines", r.Lines(), n)
		}
		for _, write := range []func() error{
			func() error { return r.Terminal(io.Discard) }, func() error { return r.JSON(io.Discard) },
			func() error { return r.HTML(io.Discard, time.Unix(0, 0)) },
		} {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
