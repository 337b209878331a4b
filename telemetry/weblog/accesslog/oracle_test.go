package accesslog_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

// The oracle of the common and combined formats: slow, and written from their
// definition alone.
var (
	// What stands before the time and after it.
	clfHead    = regexp.MustCompile(`(?s)^([^ ]+) ([^ ]+) (.*)$`)
	clfTail    = regexp.MustCompile(`(?s)^((?:[^"\\]|\\.)*)" ([^ ]*) ([^ ]*)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?$`)
	clfRequest = regexp.MustCompile(`(?s)^([A-Za-z_-]{1,32}) (.+?)(?: (HTTP/\d(?:\.\d)?))?$`)
	clfEscape  = regexp.MustCompile(`(?s)\\(x[0-9a-fA-F]{2}|["\\/nrtbfv])`)
	clfPort    = regexp.MustCompile(`^([^:]*):\d+$`)
	clfBracket = regexp.MustCompile(`(?s)^\[([^\]%]*)(%[^\]]*)?\]`)
)

// oracle parses a line of one of the two formats.
func oracle(line string) (l accesslog.Line, ok bool) {
	m := splitAtTime(strings.TrimRight(line, "\r\n"))
	if m == nil || m[2] != "-" && strings.Contains(m[3], " ") {
		return l, false
	}
	at, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[4])
	// The package time takes what servers do not write.
	if err != nil || len(m[4]) != 26 || at.Year() < 1969 || m[4][7:11] < "1970" || m[4][7:11] > "2261" || m[4][22:24] > "23" || m[4][24:] > "59" {
		return l, false
	}
	if at.Format("2/Jan/2006") != strings.TrimPrefix(m[4][:11], "0") {
		return l, false
	}
	l.Time, l.Duration = at.UnixNano(), -1
	l.Client = oracleHost(m[1])
	l.User = dash(unescape(m[3]))
	oracleRequest(&l, m[5])
	switch {
	case m[6] == "0" || m[6] == "-":
	case len(m[6]) == 3 && allDigits(m[6]):
		n, _ := strconv.Atoi(m[6])
		l.Status = uint16(n)
	default:
		return l, false
	}
	if m[7] != "-" {
		if !allDigits(m[7]) || len(m[7]) > 18 {
			return l, false
		}
		l.Sent, _ = strconv.ParseInt(m[7], 10, 64)
	}
	l.Referrer, l.UserAgent = unescape(dash(m[8])), unescape(dash(m[9]))
	return l, true
}

// splitAtTime returns the values of a line, in the places from 1 on. The time is
// what first looks like one to its brackets.
func splitAtTime(line string) []string {
	first := strings.IndexByte(line, ' ')
	second := strings.IndexByte(line[first+1:], ' ')
	if first < 0 || second < 0 {
		return nil
	}
	for at := first + 1 + second + 1; at+31 <= len(line); at++ {
		if line[at:at+2] != " [" || line[at+28:at+31] != `] "` {
			continue
		}
		head, tail := clfHead.FindStringSubmatch(line[:at]), clfTail.FindStringSubmatch(line[at+31:])
		if head == nil || tail == nil {
			return nil
		}
		return append(append(head, line[at+2:at+28]), tail[1:]...)
	}
	return nil
}

func oracleHost(s string) string {
	if m := clfBracket.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	if strings.HasPrefix(s, "[") {
		return s
	}
	if m := clfPort.FindStringSubmatch(s); m != nil {
		return dash(m[1])
	}
	if strings.Count(s, ":") > 1 {
		if name, _, ok := strings.Cut(s, "%"); ok && name != "" {
			return name
		}
	}
	return dash(s)
}

func oracleRequest(l *accesslog.Line, raw string) {
	m := clfRequest.FindStringSubmatch(unescape(raw))
	if m == nil || m[3] == "" && m[2][0] != '/' {
		l.Target = raw
		return
	}
	l.Method, l.Target, l.Protocol = m[1], m[2], m[3]
	scheme, rest, ok := strings.Cut(m[2], "://")
	if !ok || strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || scheme == "" {
		return
	}
	l.Scheme, l.VHost, l.Target = scheme, rest, "/"
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		l.VHost, l.Target = rest[:at], rest[at:]
		if l.Target[0] == '?' && len(l.Target) > 1 {
			l.Target = "/" + l.Target
		} else if l.Target == "?" {
			l.Target = "/"
		}
	}
	l.VHost = oracleHost(l.VHost)
}

func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

func allDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func unescape(s string) string {
	return clfEscape.ReplaceAllStringFunc(s, func(e string) string {
		switch e[1] {
		case 'x':
			n, _ := strconv.ParseUint(e[2:], 16, 8)
			return string([]byte{byte(n)})
		case 'n':
			return "\n"
		case 'r':
			return "\r"
		case 't':
			return "\t"
		case 'b':
			return "\b"
		case 'f':
			return "\f"
		case 'v':
			return "\v"
		}
		return e[1:]
	})
}

func FuzzCommon(f *testing.F) {
	for _, line := range goldenLines(f) {
		f.Add(line)
	}
	f.Add(combinedLine)
	common, err := accesslog.New("common")
	if err != nil {
		f.Fatal(err)
	}
	combined, err := accesslog.New("combined")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line string) {
		want, ok := oracle(line)
		var got accesslog.Line
		var scratch accesslog.Scratch
		err := common.Parse(line, &got, &scratch)
		if err != nil {
			err = combined.Parse(line, &got, &scratch)
		}
		if ok != (err == nil) || ok && got != want {
			t.Fatalf("%q is\n%+v, %v\nand should be\n%+v, %v", line, got, err, want, ok)
		}
	})
}
