package replay

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
)

// Hit is one line of an access log in the common or combined format, as Apache
// and nginx write it, with or without the virtual host in front. What follows
// the user agent is left alone.
type Hit struct {
	Host     string // virtual host, "" if the line has none
	Client   string
	User     string // "" if nobody was authenticated
	Time     time.Time
	Method   string // "", as Path and Protocol, where the request line is no HTTP
	Path     string
	Query    string
	Protocol string // 1.1
	Status   int
	Size     int64 // -1 where the line has none
	Referrer string
	Agent    string
}

const clfTime = "02/Jan/2006:15:04:05 -0700"

// ParseHit reads one line. The strings of the result are views of the line,
// except where escapes had to be resolved.
func ParseHit(line string) (Hit, error) {
	h := Hit{Size: -1}
	who, rest, found := strings.Cut(line, " [")
	if !found {
		return Hit{}, errors.New("no time in brackets")
	}
	if err := h.parseWho(who); err != nil {
		return Hit{}, err
	}
	when, rest, found := strings.Cut(rest, "] ")
	if !found {
		return Hit{}, errors.New("no end of the time in brackets")
	}
	at, err := time.Parse(clfTime, when)
	if err != nil {
		return Hit{}, fmt.Errorf("time %.40q: want one like %s", when, clfTime)
	}
	if at.Year() < 1970 || at.Year() > 2261 {
		return Hit{}, fmt.Errorf("time %.40q: want a year between 1970 and 2261", when)
	}
	h.Time = at
	request, rest, err := quoted(rest)
	if err != nil {
		return Hit{}, fmt.Errorf("request line: %w", err)
	}
	h.parseRequest(request)

	status, rest, _ := strings.Cut(rest, " ")
	if h.Status, err = strconv.Atoi(status); err != nil || h.Status < 0 || h.Status > 999 || len(status) != 3 {
		return Hit{}, fmt.Errorf("status %.20q: want three digits", status)
	}
	size, rest, _ := strings.Cut(rest, " ")
	if size != "-" {
		if h.Size, err = strconv.ParseInt(size, 10, 64); err != nil || h.Size < 0 {
			return Hit{}, fmt.Errorf("size %.20q: want a number or -", size)
		}
	}
	if !strings.HasPrefix(rest, `"`) {
		return h, nil // common
	}
	if h.Referrer, rest, err = quoted(rest); err != nil {
		return Hit{}, fmt.Errorf("referrer: %w", err)
	}
	if !strings.HasPrefix(rest, `"`) {
		return h, nil
	}
	if h.Agent, _, err = quoted(rest); err != nil {
		return Hit{}, fmt.Errorf("user agent: %w", err)
	}
	h.Referrer, h.Agent = unlessDash(h.Referrer), unlessDash(h.Agent)
	return h, nil
}

func unlessDash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// parseWho reads "client ident user" or "host client ident user"; a user's name
// may have spaces.
func (h *Hit) parseWho(who string) error {
	first, rest, ok := strings.Cut(who, " ")
	if !ok || first == "" {
		return errors.New("want client, identity and user before the time")
	}
	second, tail, more := strings.Cut(rest, " ")
	if more {
		if _, err := netip.ParseAddr(second); err == nil {
			h.Host, first = first, second
			if host, port, found := strings.Cut(h.Host, ":"); found && port != "" && strings.Trim(port, "0123456789") == "" {
				h.Host = host
			}
			_, tail, more = strings.Cut(tail, " ")
		}
	}
	if !more || tail == "" {
		return errors.New("want client, identity and user before the time")
	}
	h.Client, h.User = first, unlessDash(tail)
	return nil
}

// parseRequest reads "GET /path?query HTTP/1.1". Anything can stand here, since
// anything can be sent to a port; what is no HTTP leaves the fields empty.
func (h *Hit) parseRequest(request string) {
	method, rest, ok := strings.Cut(request, " ")
	if !ok || method == "" || len(method) > 32 || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
		return
	}
	target := rest
	if i := strings.LastIndexByte(rest, ' '); i >= 0 && strings.HasPrefix(rest[i+1:], "HTTP/") {
		target, h.Protocol = rest[:i], rest[i+len(" HTTP/"):]
	}
	h.Method = method
	h.Path, h.Query, _ = strings.Cut(target, "?")
}

// quoted reads a string in double quotes and what follows it, less one space.
// A backslash escapes as Apache and nginx do: \" \\ \n \t and \xhh.
func quoted(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		return "", "", errors.New("want a double quote")
	}
	escaped := false
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			value = text[1:i]
			if escaped {
				value = unescape(value)
			}
			return value, strings.TrimPrefix(text[i+1:], " "), nil
		}
	}
	return "", "", errors.New("no closing quote")
}

func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case 'r':
			b = append(b, '\r')
		case 'x':
			if i+2 < len(s) {
				if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
					b = append(b, byte(v))
					i += 2
					continue
				}
			}
			b = append(b, '\\', 'x')
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

// appendHit encodes a hit as field 2 of ScopeLogs, with the line as its body.
func appendHit(b []byte, h *Hit, line string, at, observed int64) []byte {
	const severityInfo = 9
	b, mark := encode.Open(b, 2)
	b = encode.Fixed64(b, 1, uint64(at))
	b = encode.Uint(b, 2, severityInfo)
	b = encode.Bytes(b, 3, "INFO")
	b = encode.Fixed64(b, 11, uint64(observed))
	b = encode.Body(b, 5, strings.ToValidUTF8(line, "\uFFFD"))
	for _, a := range []struct{ key, value string }{
		{"server.address", h.Host},
		{"client.address", h.Client},
		{"user.name", h.User},
		{"http.request.method", h.Method},
		{"url.path", h.Path},
		{"url.query", h.Query},
		{"network.protocol.version", h.Protocol},
		{"http.request.header.referer", h.Referrer},
		{"user_agent.original", h.Agent},
	} {
		if a.value != "" {
			b = encode.StringAttr(b, 6, a.key, strings.ToValidUTF8(a.value, "\uFFFD"))
		}
	}
	b = encode.IntAttr(b, 6, "http.response.status_code", int64(h.Status))
	if h.Size >= 0 {
		b = encode.IntAttr(b, 6, "http.response.body.size", h.Size)
	}
	return encode.Close(b, mark)
}
