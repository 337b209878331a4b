package security

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/goshawk-observability/goshawk/telemetry"
)

const (
	// maxLine bounds a line of evidence, and the rest parts of it, so that the
	// status is in it whatever the request was.
	maxLine   = 512
	maxTarget = 280
	maxField  = 80
	// maxEvidence bounds the lines of a finding; firstLines of them are the first.
	maxEvidence = 5
	firstLines  = 3
)

// line is a request as evidence.
type line struct {
	text string
	// weight says how telling it is.
	weight uint8
}

// combined returns a request as a line of the combined log format. What could be
// mistaken for something else, on a terminal or in the line, is escaped.
func combined(h *telemetry.WebHit) string {
	b := make([]byte, 0, maxLine)
	b = appendField(b, h.Client, maxField)
	b = append(b, " - "...)
	b = appendField(b, h.User, maxField)
	b = append(b, " ["...)
	b = time.Unix(0, h.Time).UTC().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	if h.Method != "" {
		b = append(appendField(b, h.Method, 20), ' ')
	}
	target := h.Path
	if h.Query != "" {
		target += "?" + h.Query
	}
	b = appendField(b, target, maxTarget)
	if h.Protocol != "" {
		b = appendField(append(b, ' '), h.Protocol, 12)
	}
	b = strconv.AppendUint(append(b, `" `...), uint64(h.Status), 10)
	if b = append(b, ' '); h.Sent >= 0 {
		b = strconv.AppendInt(b, h.Sent, 10)
	} else {
		b = append(b, '-')
	}
	b = appendField(append(b, ` "`...), h.Referrer, maxField)
	b = appendField(append(b, `" "`...), h.UserAgent, maxLine-len(b)-4)
	return string(append(b, '"'))
}

// appendField appends up to a number of bytes of a text, - for none.
func appendField(b []byte, s string, most int) []byte {
	if s == "" {
		return append(b, '-')
	}
	end := len(b) + most
	for len(s) > 0 {
		c, size := utf8.DecodeRuneInString(s)
		before := len(b)
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < ' ' || c == 0x7f || c == utf8.RuneError && size == 1 || c >= 0x80 && !strconv.IsPrint(c):
			for _, x := range []byte(s[:size]) {
				b = append(b, '\\', 'x', "0123456789abcdef"[x>>4], "0123456789abcdef"[x&15])
			}
		default:
			b = append(b, s[:size]...)
		}
		if len(b) > end {
			return b[:before]
		}
		s = s[size:]
	}
	return b
}
