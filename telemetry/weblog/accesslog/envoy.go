package accesslog

import (
	"fmt"
	"strings"
)

// Envoy returns the format of a text_format of Envoy's access loggers, which
// Istio calls accessLogFormat.
func Envoy(template string) (*Format, error) {
	f, err := envoy(template)
	if err != nil {
		return nil, fmt.Errorf("envoy log format: %w", err)
	}
	return f, nil
}

func envoy(template string) (*Format, error) {
	if len(template) > maxTemplate {
		return nil, fmt.Errorf("it is longer than %d bytes", maxTemplate)
	}
	c := newCompiler("envoy", noEscapes)
	// A format can end with a line break as it is written in YAML.
	template = strings.TrimSuffix(strings.TrimRight(template, "\r\n"), `\n`)
	if template == "" {
		return nil, fmt.Errorf("it is empty")
	}
	for template != "" {
		before, rest, ok := strings.Cut(template, "%")
		if before != "" {
			c.literal(before)
		}
		if !ok {
			break
		}
		if strings.HasPrefix(rest, "%") {
			c.literal("%")
			template = rest[1:]
			continue
		}
		operator, after, err := envoyOperator(rest)
		if err != nil {
			return nil, err
		}
		template = after
		v, err := envoyVariable(operator)
		if err != nil {
			return nil, err
		}
		c.value("%"+operator+"%", v)
	}
	return c.finish()
}

// envoyOperator takes an operator from behind its percent sign: its argument
// may hold others.
func envoyOperator(s string) (operator, rest string, err error) {
	end := 0
	for end < len(s) && (isWord(s[end]) || s[end] == '.') {
		end++
	}
	if end < len(s) && s[end] == '(' {
		length := strings.IndexByte(s[end:], ')')
		if length < 0 {
			return "", "", fmt.Errorf("%%%.20s has no closing bracket", s)
		}
		end += length + 1
	}
	length := strings.IndexByte(s[end:], '%')
	if length < 0 {
		return "", "", fmt.Errorf("%%%.20s has no closing percent sign", s)
	}
	// What is between is a maximal length such as :256.
	return s[:end], s[end+length+1:], nil
}

// envoyVariable says what an operator stands for; those that say nothing of
// what a Line holds are passed over.
func envoyVariable(operator string) (value, error) {
	name, argument, _ := strings.Cut(strings.TrimSuffix(operator, ")"), "(")
	switch name {
	case "START_TIME":
		switch {
		case argument == "" || strings.HasPrefix(argument, "%Y-%m-%dT%H:%M:%S") || strings.HasPrefix(argument, "%FT%T"):
			return value{field: isoTimeField}, nil
		case argument == "%s" || strings.HasPrefix(argument, "%s."):
			return value{field: unixTimeField, unit: second}, nil
		}
		return value{}, fmt.Errorf("%%%s%%: times are read as %%START_TIME%% and %%START_TIME(%%s.%%3f)%%", operator)
	case "REQ", "REQUEST_HEADER":
		header, _, _ := strings.Cut(argument, "?")
		switch strings.ToUpper(header) {
		case ":METHOD":
			return value{field: methodField}, nil
		case ":PATH", "X-ENVOY-ORIGINAL-PATH":
			return value{field: targetField}, nil
		}
		return requestHeader(header), nil
	case "PROTOCOL":
		return value{field: protocolField}, nil
	case "RESPONSE_CODE":
		return value{field: statusField}, nil
	case "BYTES_RECEIVED":
		return value{field: numberField}, nil
	case "BYTES_SENT":
		return value{field: sentField}, nil
	case "DURATION":
		return value{field: durationField, unit: millisecond}, nil
	case "DOWNSTREAM_REMOTE_ADDRESS", "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT":
		return value{field: clientField, rank: 2}, nil
	case "DOWNSTREAM_DIRECT_REMOTE_ADDRESS", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT":
		return value{field: clientField, rank: 1}, nil
	case "DOWNSTREAM_TLS_VERSION":
		return value{field: tlsField}, nil
	case "TRACE_ID":
		return value{field: traceIDField, rank: 1}, nil
	}
	return value{list: name == "RESP" || name == "RESPONSE_CODE_DETAILS"}, nil
}

// The text formats that Envoy and Istio have where nobody sets another.
const (
	envoyTemplate = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ` +
		`%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ` +
		`"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"`
	istioTemplate = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ` +
		`%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% ` +
		`%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" ` +
		`"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% ` +
		`%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%`
)
