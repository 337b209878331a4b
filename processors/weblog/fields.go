package weblog

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

// fields are what attributes of a log record say of a request, in the terms of the
// semantic conventions of OpenTelemetry or those that they had before.
type fields struct {
	file                                      string // log.file.path
	method, path, query, url, protocol, route string
	client, peer, forwarded, server, user     string
	referrer, agent, tls                      string
	status, sent, duration                    int64 // -1 if unknown
}

// read takes what attributes say.
func (f *fields) read(attrs []telemetry.Attr) {
	*f = fields{status: -1, sent: -1, duration: -1}
	for i := range attrs {
		v := &attrs[i].Value
		switch attrs[i].Key {
		case "log.file.path":
			f.file = text(v)
		case "http.request.method", "http.method":
			f.method = text(v)
		case "url.path":
			f.path = text(v)
		case "url.query":
			f.query = text(v)
		case "url.full", "http.target", "http.url":
			f.url = text(v)
		case "network.protocol.version", "http.flavor":
			f.protocol = text(v)
		case "http.route":
			f.route = text(v)
		case "http.response.status_code", "http.status_code":
			f.status = number(v)
		case "http.response.body.size", "http.response.size", "http.response_content_length":
			f.sent = number(v)
		case "http.server.request.duration":
			f.duration = seconds(v)
		case "client.address", "http.client_ip":
			f.client = text(v)
		case "network.peer.address", "net.peer.ip", "net.sock.peer.addr":
			f.peer = text(v)
		case "http.request.header.x-forwarded-for":
			f.forwarded = text(v)
		case "server.address", "http.host", "net.host.name":
			f.server = text(v)
		case "user.name", "enduser.id":
			f.user = text(v)
		case "http.request.header.referer":
			f.referrer = text(v)
		case "user_agent.original", "http.user_agent":
			f.agent = text(v)
		case "tls.protocol.version":
			f.tls = text(v)
		}
	}
}

// line makes a line of the fields where they say who asked for what and how it
// was answered: then the record is one of an access log.
func (f *fields) line(l *accesslog.Line) bool {
	if f.method == "" || f.status < 0 || f.status > math.MaxUint16 || f.path == "" && f.url == "" || f.client == "" && f.peer == "" {
		return false
	}
	*l = accesslog.Line{Method: f.method, Target: f.path, Status: uint16(f.status), Sent: -1, Duration: -1}
	if l.Target == "" {
		l.Target = pathOf(f.url)
	}
	return true
}

// fill sets what a line does not say.
func (f *fields) fill(l *accesslog.Line) {
	if l.Client == "" {
		if l.Client = f.peer; l.Client == "" || f.client != "" {
			l.Client = f.client
		}
	}
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&l.ForwardedFor, f.forwarded)
	set(&l.VHost, f.server)
	set(&l.User, f.user)
	set(&l.Referrer, f.referrer)
	set(&l.UserAgent, f.agent)
	set(&l.TLSVersion, f.tls)
	if l.Protocol == "" && l.Method != "" {
		l.Protocol = protocolOf(f.protocol)
	}
	if l.Sent < 0 {
		l.Sent = max(f.sent, -1)
	}
	if l.Duration < 0 {
		l.Duration = f.duration
	}
}

// text returns a text, or the first of a list, as headers are.
func text(v *telemetry.Value) string {
	switch v.Kind {
	case telemetry.KindString:
		return v.Str
	case telemetry.KindArray:
		return firstText(v.Str)
	}
	return ""
}

// firstText returns the first element of an encoded ArrayValue if that is a text.
func firstText(list string) string {
	const lengthOfFirstField = 1<<3 | 2
	for range 2 { // AnyValue, string_value
		if list == "" || list[0] != lengthOfFirstField {
			return ""
		}
		length, shift, i := 0, 0, 1
		for {
			if i == len(list) || shift > 28 {
				return ""
			}
			c := list[i]
			i++
			length |= int(c&0x7F) << shift
			if shift += 7; c < 0x80 {
				break
			}
		}
		if length > len(list)-i {
			return ""
		}
		list = list[i : i+length]
	}
	return list
}

// number returns a number that is not negative, -1 for anything else.
func number(v *telemetry.Value) int64 {
	switch v.Kind {
	case telemetry.KindInt:
		return max(v.Int(), -1)
	case telemetry.KindString:
		if n, err := strconv.ParseUint(v.Str, 10, 63); err == nil {
			return int64(n)
		}
	}
	return -1
}

// seconds returns a duration in nanoseconds, -1 for anything else.
func seconds(v *telemetry.Value) int64 {
	f := math.NaN()
	switch v.Kind {
	case telemetry.KindDouble:
		f = v.Double()
	case telemetry.KindInt:
		f = float64(v.Int())
	}
	if f *= float64(time.Second); f >= 0 && f < math.MaxInt64 {
		return int64(f)
	}
	return -1
}

// pathOf returns what follows the host of an address, which can be left out.
func pathOf(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	if at := strings.IndexAny(rest, "/?#"); at >= 0 && rest[at] == '/' {
		return rest[at:]
	}
	return "/"
}

// protocolOf returns the protocol of a version.
func protocolOf(version string) string {
	switch version {
	case "1.0":
		return "HTTP/1.0"
	case "1.1":
		return "HTTP/1.1"
	case "2", "2.0":
		return "HTTP/2.0"
	case "3", "3.0":
		return "HTTP/3.0"
	}
	return version
}
