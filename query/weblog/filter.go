package weblog

import (
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// filter is a WHERE and the values that are bound to it.
type filter struct {
	terms []string
	args  []any
}

func (f *filter) add(term string, args ...any) {
	f.terms = append(f.terms, term)
	f.args = append(f.args, args...)
}

func (f *filter) where() string { return strings.Join(f.terms, " AND ") }

// names are the parameters that select by a column, and the column.
var (
	hitNames = map[string]string{
		"site": "site", "service": "service", "host": "host_name", "client": "client", "country": "country", "user": "user", "method": "method",
		"path": "path", "route": "route", "protocol": "protocol", "referrer_host": "referrer_host", "browser": "browser", "system": "system", "bot": "bot",
		"cache": "cache", "tls": "tls", "user_agent": "user_agent",
	}
	sessionNames = map[string]string{
		"site": "site", "client": "client", "country": "country", "user": "user", "referrer_host": "referrer_host", "browser": "browser", "system": "system", "bot": "bot",
	}
)

// common are the parameters of every request for statistics.
var common = []string{"start", "end", "step", "limit", "panels", "home", "bots", "status", "asset"}

// in bounds tenant and time, of a table that has a bucket or none.
func (q *query) in(r traces.Range, bucket bool) filter {
	var f filter
	f.add("tenant = ?", q.tenant)
	if bucket {
		width := int64(tables.BucketSeconds)
		f.add("bucket >= fromUnixTimestamp(?) AND bucket <= fromUnixTimestamp(?)", r.From/1e9/width*width, r.To/1e9/width*width)
	}
	f.add("time >= fromUnixTimestamp64Nano(?) AND time < fromUnixTimestamp64Nano(?)", r.From, r.To)
	return f
}

// selected adds what the parameters select. It reports whether some of them are
// unknown to the table and were left out.
func (q *query) selected(f *filter, columns map[string]string) (partial bool) {
	for name, column := range hitNames {
		values, ok := q.Raw[name]
		if !ok {
			continue
		}
		if _, ok := columns[name]; !ok {
			partial = true
			continue
		}
		f.add(column+" IN (?)", values)
	}
	switch bots := q.Get("bots"); bots {
	case "", "include":
	case "exclude":
		f.add("bot = ''")
	case "only":
		f.add("bot != ''")
	default:
		q.refuse("bots: %q is none of include, exclude, only", bots)
	}
	_, status := q.Raw["status"]
	_, asset := q.Raw["asset"]
	if len(columns) < len(hitNames) {
		return partial || status || asset
	}
	if status {
		q.status(f)
	}
	if asset {
		f.add("asset = ?", q.Flag("asset"))
	}
	return partial
}

// status selects by codes such as 404, or classes such as 4xx.
func (q *query) status(f *filter) {
	var terms []string
	var args []any
	for _, value := range q.Raw["status"] {
		class, isClass := strings.CutSuffix(value, "xx")
		n, err := strconv.ParseUint(class, 10, 16)
		switch {
		case err != nil || isClass && n > 9:
			q.refuse("status: %q is neither a code such as 404 nor a class such as 4xx", value)
		case isClass:
			terms = append(terms, "intDiv(status, 100) = ?")
		default:
			terms = append(terms, "status = ?")
		}
		args = append(args, n)
	}
	f.add("("+strings.Join(terms, " OR ")+")", args...)
}

func (q *query) refuse(format string, args ...any) {
	if q.Err == nil {
		q.Err = traces.Invalid(format, args...)
	}
}
