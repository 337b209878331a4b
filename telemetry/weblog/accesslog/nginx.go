package accesslog

import (
	"fmt"
	"strings"
)

// Nginx returns the format of an nginx log_format: the format string alone, or
// the whole directive, log_format name [escape=default|json|none] 'string' ...;
// in which the string can be in parts.
func Nginx(template string) (*Format, error) {
	f, err := nginx(template)
	if err != nil {
		return nil, fmt.Errorf("nginx log format: %w", err)
	}
	return f, nil
}

func nginx(template string) (*Format, error) {
	e, template, err := nginxDirective(strings.TrimSpace(template))
	if err != nil {
		return nil, err
	}
	return compileNginx("nginx", template, e, nginxVariable)
}

// nginxDirective takes the directive away from around the format string.
func nginxDirective(s string) (e escape, template string, err error) {
	if len(s) > maxTemplate {
		return 0, "", fmt.Errorf("it is longer than %d bytes", maxTemplate)
	}
	if rest, ok := strings.CutPrefix(s, "log_format"); ok && strings.TrimLeft(rest, " \t\n") != rest {
		_, rest, _ = strings.Cut(strings.TrimLeft(rest, " \t\n"), " ")
		s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), ";"))
	}
	if rest, ok := strings.CutPrefix(s, "escape="); ok {
		word, rest, _ := strings.Cut(rest, " ")
		switch word {
		case "default":
		case "json":
			e = jsonEscapes
		case "none":
			e = noEscapes
		default:
			return 0, "", fmt.Errorf("escape=%s: want default, json or none", word)
		}
		s = strings.TrimSpace(rest)
	}
	if s == "" {
		return 0, "", fmt.Errorf("it is empty")
	}
	if s[0] != '\'' && (s[0] != '"' || s[len(s)-1] != '"' || e == jsonEscapes) {
		return e, s, nil
	}
	for s != "" {
		if s[0] != '\'' && s[0] != '"' {
			return 0, "", fmt.Errorf("want a string in quotes at %.20q", s)
		}
		part, rest, err := unquoted(s)
		if err != nil {
			return 0, "", err
		}
		template, s = template+part, strings.TrimSpace(rest)
	}
	return e, template, nil
}

// compileNginx compiles a string with variables such as $status or ${status}.
func compileNginx(name, template string, e escape, variable func(name string) value) (*Format, error) {
	c := newCompiler(name, e)
	for template != "" {
		at := strings.IndexByte(template, '$')
		if at < 0 || at == len(template)-1 {
			c.literal(template)
			break
		}
		if at > 0 {
			c.literal(template[:at])
		}
		template = template[at+1:]
		var word string
		if template[0] == '{' {
			inner, rest, ok := strings.Cut(template[1:], "}")
			if !ok {
				return nil, fmt.Errorf("${%.20s has no closing brace", template[1:])
			}
			word, template = inner, rest
		} else {
			end := 0
			for end < len(template) && isWord(template[end]) {
				end++
			}
			word, template = template[:end], template[end:]
		}
		if word == "" {
			c.literal("$")
			continue
		}
		c.value("$"+word, variable(word))
	}
	return c.finish()
}

func isWord(c byte) bool {
	return isDigit(c) || c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// nginxVariable says what a variable of nginx stands for; those that say nothing
// of what a Line holds are passed over.
func nginxVariable(name string) value {
	switch name {
	case "remote_addr":
		return value{field: clientField, rank: 2}
	case "realip_remote_addr", "proxy_protocol_addr":
		return value{field: clientField, rank: 1}
	case "remote_user":
		return value{field: userField}
	case "time_local":
		return value{field: clfTimeField, rank: 1}
	case "time_iso8601":
		return value{field: isoTimeField, rank: 2}
	case "msec":
		return value{field: unixTimeField, rank: 3, unit: second}
	case "request":
		return value{field: requestField}
	case "request_method":
		return value{field: methodField}
	case "request_uri":
		return value{field: targetField}
	case "uri", "document_uri":
		return value{field: pathField}
	case "args", "query_string", "is_args":
		return value{field: queryField}
	case "server_protocol":
		return value{field: protocolField}
	case "status":
		return value{field: statusField}
	case "body_bytes_sent":
		return value{field: sentField, rank: 2}
	case "bytes_sent":
		return value{field: sentField, rank: 1}
	case "request_time":
		return value{field: durationField, unit: second}
	case "http_referer":
		return value{field: referrerField}
	case "http_user_agent":
		return value{field: agentField}
	case "http_x_forwarded_for":
		return value{field: forwardedField, rank: 2, list: true}
	case "proxy_add_x_forwarded_for":
		return value{field: forwardedField, rank: 1, list: true}
	case "host":
		return value{field: vhostField, rank: 3}
	case "http_host":
		return value{field: vhostField, rank: 2}
	case "server_name":
		return value{field: vhostField, rank: 1}
	case "ssl_protocol":
		return value{field: tlsField}
	case "upstream_cache_status":
		return value{field: cacheField}
	case "scheme":
		return value{field: schemeField}
	case "request_id", "req_id":
		return value{field: requestIDField, rank: 2}
	case "http_x_request_id":
		return value{field: requestIDField, rank: 1}
	case "otel_trace_id", "opentelemetry_trace_id":
		return value{field: traceIDField, rank: 2}
	case "http_traceparent", "opentelemetry_context_traceparent":
		return value{field: traceparentField, rank: 1}
	}
	return value{list: strings.HasPrefix(name, "upstream_") || strings.HasPrefix(name, "http_")}
}
