package accesslog

import (
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/flatjson"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/logtime"
)

// dialect is how a server names the members of its lines in JSON.
type dialect struct {
	name string
	// mark is a member that every line of the dialect has and no line of another,
	// and key its own name as it is in the text.
	mark, key string
	// of says what a member stands for.
	of func(key string) value
}

var dialects = [...]dialect{
	{name: "caddy", mark: "request.uri", key: `"uri"`, of: caddyMember},
	{name: "envoy_json", mark: "response_code", key: `"response_code"`, of: envoyMember},
	{name: "traefik_json", mark: "DownstreamStatus", key: `"DownstreamStatus"`, of: traefikMember},
	{name: "nginx_json", mark: "remote_addr", key: `"remote_addr"`, of: nginxMember},
}

// jsonDepth is how deep the members are that the dialects know, and
// longestMember how long their paths.
const jsonDepth, longestMember = 3, 64

func (f *Format) parseJSON(line string, l *Line, scratch *Scratch) *Error {
	if line == "" || line[0] != '{' || !strings.Contains(line, dialects[f.dialect].key) {
		return ErrSyntax
	}
	s := &scratch.json
	s.Reset(line, jsonDepth)
	var p parts
	// For each field one more than the rank of what it was set from.
	var taken [fieldCount]int
	var m flatjson.Member
	var failed *Error
	marked, requested := false, false
	for s.Next(&m) {
		path := s.Path()
		if m.KeyEscaped || len(path)+len(m.Key) > longestMember {
			continue
		}
		key := m.Key
		if len(path) > 0 {
			scratch.key = append(append(scratch.key[:0], path...), key...)
			key = view(scratch.key)
		}
		for i := range dialects {
			if key == dialects[i].mark {
				if i != f.dialect {
					return ErrSyntax
				}
				marked = true
			}
		}
		v := dialects[f.dialect].of(key)
		if v.field == skipped {
			continue
		}
		text, ok := scalar(&m)
		group := groupOf(v.field)
		if !ok || taken[group] > v.rank {
			continue
		}
		taken[group] = v.rank + 1
		if group == clfTimeField {
			v = timeValue(text, v.unit)
		}
		requested = requested || group == requestField
		p.escaped = m.Escaped
		st := step{field: v.field, unit: v.unit}
		if err := f.set(&st, text, l, &p, scratch); err != nil && failed == nil {
			failed = err
		}
	}
	switch {
	case !s.Valid() || !marked || !requested:
		return ErrSyntax
	case failed != nil:
		return failed
	}
	if p.path != "" {
		l.setPath(p.path, p.query, scratch)
	}
	return nil
}

// scalar is the text of a member that is a string or a number, or of the first
// string of a list, as headers are.
func scalar(m *flatjson.Member) (text string, ok bool) {
	switch m.Kind {
	case flatjson.String, flatjson.Number:
		return m.Raw, m.Raw != ""
	case flatjson.Array:
		text, m.Escaped, ok = flatjson.First(m.Raw)
		return text, ok && text != ""
	}
	return "", false
}

// timeValue tells by the shape of a time how to read it; numbers are of the
// given unit.
func timeValue(text string, unit int64) value {
	switch {
	case len(text) == logtime.CLFWidth && text[2] == '/':
		return value{field: clfTimeField}
	case len(text) > 10 && text[4] == '-':
		return value{field: isoTimeField}
	}
	return value{field: unixTimeField, unit: max(unit, 1)}
}

// groupOf is the field that stands for those of which one is taken.
func groupOf(f field) field {
	switch f {
	case isoTimeField, unixTimeField:
		return clfTimeField
	case traceparentField:
		return traceIDField
	case targetField, pathField:
		return requestField
	}
	return f
}
