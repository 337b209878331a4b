package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/memory"
	"github.com/goshawk-observability/goshawk/processors/weblog/report"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

func newWeblog() *cobra.Command {
	c := &cobra.Command{Use: "weblog", Short: "Access logs of web servers, without a pipeline"}
	c.AddCommand(newWeblogReport())
	return c
}

// weblogFlags are the flags of the report that are not options of its package.
type weblogFlags struct {
	format, output, file, zone, since, until string
	home                                     []string
	quiet                                    bool
}

func newWeblogReport() *cobra.Command {
	c := &cobra.Command{
		Use:   "report FILE... [-]",
		Short: "Report on access logs in the terminal, as JSON or as a page of HTML",
		Long: `Reads access logs and reports who asked for what, from where, and how it was answered: in the terminal, as JSON, or
as one page of HTML that needs no other file. Files can be patterns and can be compressed with gzip, zstd or bzip2;
- is standard input. It needs no Kafka and no ClickHouse. See docs/weblog-report.md.

The exit code is 0 if all files were read, and 1 if one was not, or if none had a request.`,
		Example: `  goshawk weblog report /var/log/nginx/access.log
  goshawk weblog report '/var/log/nginx/access.log*' --output html -o report.html
  goshawk weblog report access.log --format '$remote_addr [$time_local] "$request" $status $body_bytes_sent'
  ssh web1 cat /var/log/apache2/access.log | goshawk weblog report - --home DE,AT --no-bots`,
		Args: cobra.MinimumNArgs(1),
	}
	o := report.DefaultOptions()
	o.Workers = runtime.GOMAXPROCS(0)
	var f weblogFlags
	flags := c.Flags()
	flags.StringVar(&f.format, "format", "auto", "auto, a name such as combined, or the `format` as nginx, Apache or Envoy has it")
	flags.StringVar(&f.output, "output", "terminal", "terminal, json or html")
	flags.StringVarP(&f.file, "file", "o", "", "write the report to this `file`")
	flags.StringSliceVar(&f.home, "home", nil, "`codes` of the countries that are not abroad, such as DE,AT")
	flags.StringVar(&f.since, "since", "", "leave out what is before this `time`: 2006-01-02, 2006-01-02 15:04, RFC 3339, or a duration before now such as 24h")
	flags.StringVar(&f.until, "until", "", "leave out what is not before this `time`")
	flags.StringVar(&f.zone, "timezone", "UTC", "time zone of days and hours, such as Europe/Vienna or Local")
	flags.StringSliceVar(&o.Classify.TrustedProxies, "trusted-proxies", nil, "`networks` of proxies whose X-Forwarded-For is believed")
	flags.StringSliceVar(&o.Classify.OwnHosts, "own-hosts", nil, "`names` of the own sites, for referrers in logs without virtual hosts")
	flags.StringVar(&o.Classify.Geo.CountryFile, "country-file", "", "database of countries, mmdb")
	flags.StringVar(&o.Classify.Geo.CityFile, "city-file", "", "database of cities, mmdb")
	flags.StringVar(&o.Site, "site", "site", "name of the site in logs that do not say it")
	flags.BoolVar(&o.NoBots, "no-bots", false, "leave out crawlers and tools")
	flags.IntVar(&o.Top, "top", o.Top, "rows of a panel; 0 is all")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	c.RunE = func(c *cobra.Command, args []string) error {
		memory.ForgetStart()
		return weblogReport(c, args, o, f)
	}
	return c
}

func weblogReport(c *cobra.Command, args []string, o report.Options, f weblogFlags) error {
	if err := f.set(&o, time.Now()); err != nil {
		return err
	}
	sources, err := report.Sources(args, o.Format, c.InOrStdin())
	if err != nil {
		return err
	}
	o.Progress = new(report.Progress)
	if !f.quiet {
		stop := weblogProgress(c.ErrOrStderr(), o.Progress)
		defer stop()
	}
	r, err := report.Run(c.Context(), sources, o)
	if err != nil {
		return err
	}
	if err := f.write(c, r); err != nil {
		return err
	}
	return weblogErrors(c.ErrOrStderr(), r)
}

// weblogErrors says which files were not read.
func weblogErrors(w io.Writer, r *report.Report) error {
	bad := false
	for i := range r.Files {
		if f := &r.Files[i]; f.Error != "" {
			fmt.Fprintf(w, "goshawk: %s: %s\n", f.Name, f.Error)
			bad = true
		}
	}
	t := &r.Totals
	if t.Requests+t.Outside+t.ExcludedBots == 0 {
		fmt.Fprintf(w, "goshawk: no request could be read in %d lines\n", r.Lines())
		for _, u := range r.Unreadable {
			fmt.Fprintf(w, "  %s:%d: %s: %q\n", u.File, u.Line, u.Reason, u.Text)
		}
		bad = true
	}
	if bad {
		return errQuiet
	}
	return nil
}

// set sets the options that flags have as text.
func (f *weblogFlags) set(o *report.Options, now time.Time) error {
	var err error
	if o.Format, err = weblogFormat(f.format); err != nil {
		return err
	}
	if o.Location, err = time.LoadLocation(f.zone); err != nil {
		return fmt.Errorf("--timezone: %w", err)
	}
	if o.Since, err = weblogTime(f.since, o.Location, now); err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	if o.Until, err = weblogTime(f.until, o.Location, now); err != nil {
		return fmt.Errorf("--until: %w", err)
	}
	if o.Top < 0 {
		return errors.New("--top: less than 0")
	}
	for _, code := range f.home {
		code = strings.ToUpper(strings.TrimSpace(code))
		if len(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' {
			return fmt.Errorf("--home: %q is no country code such as DE", code)
		}
		o.Home = append(o.Home, code)
	}
	switch f.output {
	case "terminal", "json", "html":
	default:
		return fmt.Errorf("--output: %q is none of terminal, json and html", f.output)
	}
	return o.Classify.Validate()
}

// weblogFormat compiles a format; nil is auto.
func weblogFormat(spec string) (*accesslog.Format, error) {
	if spec == "auto" {
		return nil, nil //nolint:nilnil // no format is what it says
	}
	format, err := accesslog.New(spec)
	if err == nil {
		return format, nil
	}
	// Only nginx has dollars and only the others have percent signs.
	switch {
	case hasKind(spec):
	case strings.ContainsRune(spec, '$'):
		return accesslog.New("nginx:" + spec)
	case strings.Contains(spec, "%START_TIME"), strings.Contains(spec, "%REQ("):
		return accesslog.New("envoy:" + spec)
	case strings.ContainsRune(spec, '%'):
		return accesslog.New("apache:" + spec)
	}
	return nil, err
}

func hasKind(spec string) bool {
	for _, kind := range []string{"nginx:", "apache:", "envoy:", "w3c:"} {
		if strings.HasPrefix(spec, kind) {
			return true
		}
	}
	return false
}

// weblogTime reads a time, or a duration before now; the zero time if there is none.
func weblogTime(text string, location *time.Location, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, location); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time such as 2006-01-02, 2006-01-02 15:04 or 24h", text)
}

// write writes the report.
func (f *weblogFlags) write(c *cobra.Command, r *report.Report) (err error) {
	w := c.OutOrStdout()
	if f.file != "" {
		file, err := os.Create(f.file)
		if err != nil {
			return err
		}
		defer func() {
			if closeErr := file.Close(); err == nil {
				err = closeErr
			}
		}()
		w = file
	}
	switch f.output {
	case "json":
		return r.JSON(w)
	case "html":
		return r.HTML(w, time.Now())
	}
	return r.Terminal(w)
}
