package weblog

import (
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/query/store"
)

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

// selected adds what the parameters select. It reports whether some of them are
// unknown to the table and were left out.
func (q *query) selected(f *store.Filter, columns map[string]string) (partial bool) {
	for name, column := range hitNames {
		values, ok := q.Raw[name]
		if !ok {
			continue
		}
		if _, ok := columns[name]; !ok {
			partial = true
			continue
		}
		f.Add(column+" IN (?)", values)
	}
	switch bots := q.Get("bots"); bots {
	case "", "include":
	case "exclude":
		f.Add("bot = ''")
	case "only":
		f.Add("bot != ''")
	default:
		q.Refuse("bots: %q is none of include, exclude, only", bots)
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
		f.Add("asset = ?", q.Flag("asset"))
	}
	return partial
}

// status selects by codes such as 404, or classes such as 4xx.
func (q *query) status(f *store.Filter) {
	var terms []string
	var args []any
	for _, value := range q.Raw["status"] {
		class, isClass := strings.CutSuffix(value, "xx")
		n, err := strconv.ParseUint(class, 10, 16)
		switch {
		case err != nil || isClass && n > 9:
			q.Refuse("status: %q is neither a code such as 404 nor a class such as 4xx", value)
		case isClass:
			terms = append(terms, "intDiv(status, 100) = ?")
		default:
			terms = append(terms, "status = ?")
		}
		args = append(args, n)
	}
	f.Add("("+strings.Join(terms, " OR ")+")", args...)
}
