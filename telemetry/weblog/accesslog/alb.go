package accesslog

import (
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/logtime"
)

// The columns of a line of an AWS application load balancer, in their order.
const (
	albType = iota
	albTime
	albName
	albClient
	albTarget
	albRequestTime
	albTargetTime
	albResponseTime
	albStatus
	albTargetStatus
	albReceived
	albSent
	albRequest
	albAgent
	albCipher
	albTLS
	albGroup
	albTrace
	// albLeast is how many columns there are at least; later ones were added over
	// the years, of which the first is the host name of TLS.
	albLeast
	albDomain = albLeast
)

func parseALB(line string, l *Line, scratch *Scratch) *Error {
	switch line[:max(strings.IndexByte(line, ' '), 0)] {
	case "http", "https", "h2", "grpcs", "ws", "wss":
	default:
		return ErrSyntax
	}
	var duration int64
	domain, kind := "", ""
	escaped := strings.IndexByte(line, '\\') >= 0
	var failed *Error
	column := 0
	for pos := 0; pos < len(line); column++ {
		text, next := albColumn(line, pos, escaped)
		if next < 0 || next < len(line) && line[next] != ' ' {
			return ErrSyntax
		}
		pos = next + 1
		var err *Error
		switch column {
		case albType:
			kind = text
		case albTime:
			var ok bool
			if l.Time, ok = logtime.ISO(text); !ok {
				err = ErrTime
			}
		case albClient:
			l.Client = host(text)
		case albRequestTime, albTargetTime, albResponseTime:
			// Each is -1 where the request did not come that far.
			if part, ok := logtime.Decimal(text, second); ok {
				duration += part
			} else if duration = -1 << 62; text != "-1" {
				err = ErrNumber
			}
		case albStatus:
			err = l.setStatus(text)
		case albSent:
			err = l.setSent(text)
		case albRequest:
			if !l.setRequest(backslashes.unescape(text, scratch), scratch) {
				l.Target = text
			}
		case albAgent:
			l.UserAgent = backslashes.unescape(orEmpty(text), scratch)
		case albTLS:
			l.TLSVersion = orEmpty(text)
		case albTrace:
			l.RequestID = orEmpty(text)
			l.TraceID = xrayTrace(text, scratch)
		case albDomain:
			domain = orEmpty(text)
		}
		if err != nil && failed == nil {
			failed = err
		}
	}
	if column < albLeast {
		return ErrSyntax
	}
	if duration >= 0 {
		l.Duration = duration
	}
	if l.VHost == "" {
		l.VHost = domain
	}
	if l.Scheme == "" {
		if l.Scheme = "https"; kind == "http" || kind == "ws" {
			l.Scheme = "http"
		}
	}
	return failed
}

// albColumn returns the column that begins at pos without its quotes, and where
// the blank after it is.
func albColumn(line string, pos int, escaped bool) (text string, next int) {
	if line[pos] == '"' {
		end := quoteEnd(line, pos+1, escaped)
		if end < 0 {
			return "", -1
		}
		return line[pos+1 : end], end + 1
	}
	end := len(line)
	if n := strings.IndexByte(line[pos:], ' '); n >= 0 {
		end = pos + n
	}
	return line[pos:end], end
}

// xrayTrace returns the trace id of a header such as
// "Root=1-58337262-36d228ad5d99923122bbe354;Parent=..." in 32 digits.
func xrayTrace(s string, scratch *Scratch) string {
	_, rest, ok := strings.Cut(s, "Root=1-")
	if !ok || len(rest) < 33 || rest[8] != '-' || len(rest) > 33 && rest[33] != ';' {
		return ""
	}
	id := append(append(scratch.room(32), rest[:8]...), rest[9:33]...)
	if traceID(view(id)) == "" {
		return ""
	}
	return scratch.keep(id)
}
