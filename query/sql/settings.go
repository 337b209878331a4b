package sql

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// passedSettings change how an answer looks, never what may be read or how
// much; a client may set them.
var passedSettings = map[string]*regexp.Regexp{
	"default_format":                          regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`),
	"session_timezone":                        regexp.MustCompile(`^[A-Za-z0-9_+/-]{1,64}$`),
	"date_time_output_format":                 regexp.MustCompile(`^(simple|iso|unix_timestamp)$`),
	"output_format_json_quote_64bit_integers": flag,
	"output_format_json_quote_denormals":      flag,
	"output_format_write_statistics":          flag,
	"format_csv_delimiter":                    regexp.MustCompile(`^.$`),
	"result_overflow_mode":                    regexp.MustCompile(`^(throw|break)$`),
	"send_progress_in_http_headers":           flag,
	"http_wait_end_of_query":                  flag,
	"wait_end_of_query":                       flag,
	"client_protocol_version":                 regexp.MustCompile(`^[0-9]{1,6}$`),
	"compress":                                flag,
}

var flag = regexp.MustCompile(`^[01]$`)

// ignoredParameters are sent by tools that expect a ClickHouse server. They
// ask for less than what is enforced, or for what the service decides itself.
var ignoredParameters = map[string]bool{
	"query": true, "user": true, "password": true, "query_id": true, "readonly": true,
	"enable_http_compression": true, "add_http_cors_header": true, "cancel_http_readonly_queries_on_client_close": true,
}

var parameterName = regexp.MustCompile(`^param_[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// settings makes the parameters of the request to ClickHouse: the limits, and
// what the client may choose.
func (h *Handler) settings(r *http.Request, defaultFormat string) (url.Values, *Fault) {
	limits := h.cfg.Limits
	out := url.Values{}
	out.Set("database", h.cfg.Database)
	out.Set("readonly", "1")
	// A query ends with its client.
	out.Set("cancel_http_readonly_queries_on_client_close", "1")
	out.Set("default_format", defaultFormat)
	out.Set("max_execution_time", strconv.Itoa(int(limits.MaxExecutionTime/time.Second)))
	out.Set("max_memory_usage", strconv.FormatUint(uint64(limits.MaxMemory), 10))
	out.Set("max_result_rows", strconv.FormatUint(limits.MaxResultRows, 10))
	out.Set("max_result_bytes", strconv.FormatUint(uint64(limits.MaxResultBytes), 10))
	out.Set("max_rows_to_read", strconv.FormatUint(limits.MaxRowsToRead, 10))

	for name, values := range r.URL.Query() {
		if len(values) != 1 {
			return nil, badRequest("the parameter %s is there %d times", name, len(values))
		}
		if fault := h.setting(out, name, values[0]); fault != nil {
			return nil, fault
		}
	}
	if f := r.Header.Get("X-ClickHouse-Format"); f != "" {
		if fault := h.setting(out, "default_format", f); fault != nil {
			return nil, fault
		}
	}
	for _, database := range []string{r.URL.Query().Get("database"), r.Header.Get("X-ClickHouse-Database")} {
		if database != "" && database != h.cfg.Database && database != "default" {
			return nil, badRequest("the database is always %s, not %s", h.cfg.Database, database)
		}
	}
	return out, nil
}

func (h *Handler) setting(out url.Values, name, value string) *Fault {
	if pattern, ok := passedSettings[name]; ok {
		if !pattern.MatchString(value) {
			return badRequest("the parameter %s has the value %q, which is not allowed", name, value)
		}
		out.Set(name, value)
		return nil
	}
	switch {
	case ignoredParameters[name], name == "database":
		return nil
	case parameterName.MatchString(name):
		out.Set(name, value)
		return nil
	case strings.HasPrefix(name, "max_") && out.Has(name):
		return lower(out, name, value)
	}
	return badRequest("the parameter %s is not allowed; allowed are default_format, param_*, lower limits "+
		"(max_execution_time, max_memory_usage, max_result_rows, max_result_bytes, max_rows_to_read) and how values are printed", name)
}

// lower sets a limit that is not above the one that holds anyway. 0, which
// means none, and what is above leave the limit as it is.
func lower(out url.Values, name, value string) *Fault {
	asked, err := strconv.ParseFloat(value, 64)
	if err != nil || asked < 0 {
		return badRequest("the parameter %s has the value %q, which is no number", name, value)
	}
	limit, err := strconv.ParseFloat(out.Get(name), 64)
	if err != nil {
		return badRequest("the limit %s: %v", name, err)
	}
	if asked > 0 && asked < limit {
		out.Set(name, fmt.Sprint(max(1, uint64(asked))))
	}
	return nil
}
