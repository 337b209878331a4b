package accesslog

import (
	"fmt"
	"strings"
)

// Apache returns the format of an Apache LogFormat: the format string alone, or
// the whole directive, LogFormat "string" name.
func Apache(template string) (*Format, error) {
	f, err := apache(strings.TrimSpace(template))
	if err != nil {
		return nil, fmt.Errorf("apache log format: %w", err)
	}
	return f, nil
}

func apache(s string) (*Format, error) {
	if len(s) > maxTemplate {
		return nil, fmt.Errorf("it is longer than %d bytes", maxTemplate)
	}
	if rest, ok := strings.CutPrefix(s, "LogFormat "); ok {
		if s = strings.TrimSpace(rest); s == "" || s[0] != '"' {
			return nil, fmt.Errorf("want a string in quotes after LogFormat")
		}
		var err error
		if s, _, err = unquoted(s); err != nil {
			return nil, err
		}
	}
	if s == "" {
		return nil, fmt.Errorf("it is empty")
	}
	c := newCompiler("apache", backslashes)
	for s != "" {
		at := strings.IndexAny(s, `%\`)
		if at < 0 || at == len(s)-1 {
			c.literal(s)
			break
		}
		if at > 0 {
			c.literal(s[:at])
		}
		if s[at] == '\\' {
			c.literal(apacheEscape(s[at+1]))
			s = s[at+2:]
			continue
		}
		rest, err := apacheDirective(c, s[at:])
		if err != nil {
			return nil, err
		}
		s = rest
	}
	return c.finish()
}

func apacheEscape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case '"', '\\':
		return string(c)
	}
	return `\` + string(c)
}

// apacheDirective takes one directive such as %>s or %{Referer}i from the
// beginning of s, and returns what follows it.
func apacheDirective(c *compiler, s string) (rest string, err error) {
	argument := ""
	i := 1
	for i < len(s) && (isDigit(s[i]) || strings.IndexByte("<>!,", s[i]) >= 0) {
		i++
	}
	original := strings.IndexByte(s[:i], '<') > 0
	if i < len(s) && s[i] == '{' {
		inner, _, ok := strings.Cut(s[i+1:], "}")
		if !ok {
			return "", fmt.Errorf("%.20s has no closing brace", s)
		}
		argument, i = inner, i+len(inner)+2
	}
	if i < len(s) && s[i] == '^' {
		i += 2 // %^FB and the two trailers
	}
	if i >= len(s) {
		return "", fmt.Errorf("%.20s ends early", s)
	}
	letter := s[i]
	name := s[:i+1]
	switch letter {
	case '%':
		c.literal("%")
	case 't':
		return s[i+1:], apacheTime(c, name, argument)
	default:
		v := apacheVariable(letter, argument)
		if letter == 's' && original {
			v.rank--
		}
		c.value(name, v)
	}
	return s[i+1:], nil
}

// apacheTime adds the time in the given format of strftime.
func apacheTime(c *compiler, name, layout string) error {
	layout = strings.TrimPrefix(strings.TrimPrefix(layout, "begin:"), "end:")
	switch layout {
	case "":
		c.literal("[")
		c.value(name, value{field: clfTimeField, rank: 1})
		c.literal("]")
	case "%d/%b/%Y:%H:%M:%S %z", "%d/%b/%Y:%T %z":
		c.value(name, value{field: clfTimeField, rank: 1})
	case "sec", "%s":
		c.value(name, value{field: unixTimeField, rank: 1, unit: second})
	case "msec":
		c.value(name, value{field: unixTimeField, rank: 2, unit: millisecond})
	case "usec":
		c.value(name, value{field: unixTimeField, rank: 3, unit: microsecond})
	default:
		day, clock, ok := strings.Cut(strings.ReplaceAll(layout, " ", "T"), "T")
		if layout == "%FT%T" || layout == "%F %T" {
			day, clock, ok = "%F", "%T", true
		}
		zone := strings.TrimPrefix(strings.TrimPrefix(clock, "%T"), "%H:%M:%S")
		if !ok || day != "%F" && day != "%Y-%m-%d" || zone == clock || zone != "" && zone != "%z" && zone != "Z" {
			return fmt.Errorf("%s: times are read as %%t, %%Y-%%m-%%dT%%H:%%M:%%S%%z, sec, msec or usec", name)
		}
		c.value(name, value{field: isoTimeField, rank: 1})
	}
	return nil
}

// apacheVariable says what a directive stands for; those that say nothing of
// what a Line holds are passed over.
func apacheVariable(letter byte, argument string) value {
	switch letter {
	case 'a':
		if argument == "c" {
			return value{field: clientField, rank: 1}
		}
		return value{field: clientField, rank: 3}
	case 'h':
		return value{field: clientField, rank: 2}
	case 'u':
		return value{field: userField}
	case 'r':
		return value{field: requestField}
	case 'm':
		return value{field: methodField}
	case 'U':
		return value{field: pathField}
	case 'q':
		return value{field: queryField}
	case 'H':
		return value{field: protocolField}
	case 's':
		return value{field: statusField, rank: 1}
	case 'b':
		return value{field: bodyField, rank: 3}
	case 'B':
		return value{field: sentField, rank: 2}
	case 'O':
		return value{field: sentField, rank: 1}
	case 'D':
		return value{field: durationField, rank: 2, unit: microsecond}
	case 'T':
		switch argument {
		case "us":
			return value{field: durationField, rank: 2, unit: microsecond}
		case "ms":
			return value{field: durationField, rank: 1, unit: millisecond}
		}
		return value{field: durationField, unit: second}
	case 'v':
		return value{field: vhostField, rank: 1}
	case 'V':
		return value{field: vhostField, rank: 2}
	case 'i':
		return requestHeader(argument)
	case 'x', 'e':
		switch strings.ToUpper(argument) {
		case "SSL_PROTOCOL":
			return value{field: tlsField}
		case "UNIQUE_ID":
			return value{field: requestIDField, rank: 1}
		case "REQUEST_SCHEME":
			return value{field: schemeField}
		}
	}
	return value{list: letter == 'o' || letter == 'e' || letter == 'n'}
}

// requestHeader says what a header of the request stands for.
func requestHeader(name string) value {
	var lower [len("x-forwarded-proto")]byte
	if len(name) > len(lower) {
		return value{list: true}
	}
	for i := range len(name) {
		if lower[i] = name[i]; name[i] >= 'A' && name[i] <= 'Z' {
			lower[i] |= 0x20
		}
	}
	switch string(lower[:len(name)]) {
	case "referer":
		return value{field: referrerField}
	case "user-agent":
		return value{field: agentField}
	case "x-forwarded-for":
		return value{field: forwardedField, list: true}
	case "x-forwarded-proto", ":scheme":
		return value{field: schemeField}
	case "host", ":authority":
		return value{field: vhostField, rank: 3}
	case "x-request-id":
		return value{field: requestIDField, rank: 2}
	case "traceparent":
		return value{field: traceparentField}
	}
	return value{list: true}
}
