package accesslog

import (
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/logtime"
)

// step is one value of a text format and the text that follows it.
type step struct {
	field field
	// quoted values are between quotes and may hold escaped ones.
	quoted bool
	// list values may hold blanks after their commas and around their colons.
	list bool
	// after is the text between the value and the next one, or the line's end.
	after string
	// unit of a number, in nanoseconds.
	unit int64
}

// field is what a value of a text format is.
type field uint8

const (
	skipped field = iota
	clientField
	identField
	userField
	vhostField
	// siteField is the host that was asked for in front of a line, portField its
	// port; both only in known formats.
	siteField
	portField
	clfTimeField
	isoTimeField
	unixTimeField
	requestField
	methodField
	targetField
	pathField
	queryField
	protocolField
	statusField
	sentField
	durationField
	numberField
	referrerField
	agentField
	forwardedField
	tlsField
	cacheField
	schemeField
	requestIDField
	traceparentField
	traceIDField
	// bodyField is a size of which '-' means that nothing was sent.
	bodyField
	// fractionField is a duration that always has a fraction.
	fractionField
	// numbersField is a list of numbers.
	numbersField
	// tlsNumberField is a version of TLS as Go numbers it.
	tlsNumberField
	// hostTargetField is a host name and, from the first slash, a target.
	hostTargetField
	// dateField and clockField are the time in two columns.
	dateField
	clockField

	fieldCount
)

// parts are values that mean something together with others of their line.
type parts struct {
	path, query string
	ident       string
	// site and port are set where the line begins with the host that was asked
	// for, and its port.
	site, port bool
	escaped    bool
}

func (f *Format) parseText(line string, l *Line, scratch *Scratch) *Error {
	if !strings.HasPrefix(line, f.prefix) {
		return ErrSyntax
	}
	pos := len(f.prefix)
	var p parts
	// What is wrong with a value counts only where the line has the right shape.
	var failed *Error
	// Few lines have an escape: one look at the whole line saves one at every value.
	p.escaped = f.escape != noEscapes && strings.IndexByte(line, '\\') >= 0
	for i := range f.steps {
		st := &f.steps[i]
		var end int
		switch {
		case st.after == "":
			if end = len(line); f.strict && !st.list && strings.IndexByte(line[pos:], ' ') >= 0 {
				return ErrSyntax
			}
		case st.field == clfTimeField:
			if end = pos + logtime.CLFWidth; !f.timeEnds(line, pos, i) {
				return ErrSyntax
			}
		case st.quoted && f.escape != noEscapes:
			end = quoteEnd(line, pos, p.escaped)
			if end < 0 || !strings.HasPrefix(line[end:], st.after) {
				if f.strict {
					return ErrSyntax
				}
				// Whoever writes this format does not escape quotes after all.
				end = f.valueEnd(line, pos, i)
			}
		default:
			end = f.valueEnd(line, pos, i)
		}
		if end < 0 {
			return ErrSyntax
		}
		value := line[pos:end]
		pos = end + len(st.after)
		if value == "" && f.escape != backslashes {
			// Only with backslashes a value that there is not is a dash.
			continue
		}
		if err := f.set(st, value, l, &p, scratch); err != nil {
			if err == ErrSyntax {
				return err
			}
			failed = err
		}
	}
	if pos != len(line) {
		return ErrSyntax
	}
	if p.path != "" {
		l.setPath(p.path, p.query, scratch)
	}
	return failed
}

// quoteEnd returns where the quote is that ends a value, -1 if there is none.
func quoteEnd(line string, pos int, escaped bool) int {
	for from := pos; ; {
		n := strings.IndexByte(line[from:], '"')
		if n < 0 {
			return -1
		}
		end := from + n
		if !escaped {
			return end
		}
		first := end
		for first > pos && line[first-1] == '\\' {
			first--
		}
		if (end-first)&1 == 0 {
			return end
		}
		from = end + 1
	}
}

// valueEnd returns where the value of step i ends that begins at pos, -1 if the
// text that should follow is not there.
func (f *Format) valueEnd(line string, pos, i int) int {
	st := &f.steps[i]
	if st.after == "" {
		return len(line)
	}
	if i == len(f.steps)-1 && !f.strict {
		if end := len(line) - len(st.after); end >= pos && line[end:] == st.after {
			return end
		}
		return -1
	}
	for from := pos; ; {
		var n int
		if len(st.after) == 1 {
			n = strings.IndexByte(line[from:], st.after[0])
		} else {
			n = strings.Index(line[from:], st.after)
		}
		if n < 0 {
			return -1
		}
		end := from + n
		switch {
		case st.list && line[end] == ' ' && listGoesOn(line, pos, end):
		case i+1 < len(f.steps) && f.steps[i+1].field == clfTimeField && !f.timeEnds(line, end+len(st.after), i+1):
		default:
			return end
		}
		from = end + 1
	}
}

// timeEnds reports whether what begins at pos is as long as a time is: clients
// choose the name of the user before it, which may have a bracket too.
func (f *Format) timeEnds(line string, pos, i int) bool {
	end := pos + logtime.CLFWidth
	return end <= len(line) && strings.HasPrefix(line[end:], f.steps[i].after)
}

// listGoesOn reports whether the blank at end is one within a list such as
// "a:1, b:2 : c:3".
func listGoesOn(line string, pos, end int) bool {
	return end > pos && (line[end-1] == ',' || line[end-1] == ':' && end-1 > pos && line[end-2] == ' ') ||
		strings.HasPrefix(line[end:], " : ")
}

// set gives the value of a step to its field.
func (f *Format) set(st *step, value string, l *Line, p *parts, scratch *Scratch) *Error {
	ok := true
	switch st.field {
	case skipped:
	case clientField:
		if value == "" || p.site && (value == "-" || !p.port && !isAddress(value)) {
			// Without a port only an address tells a host name and a client from a
			// client and its identity.
			return ErrSyntax
		}
		l.Client = host(value)
	case identField:
		if value == "" {
			return ErrSyntax
		}
		p.ident = value
	case userField:
		// A name with blanks is told from a missing or further column by the
		// identity before it, which hardly a server asks for.
		if f.strict && p.ident != "-" && !p.site && strings.IndexByte(value, ' ') >= 0 {
			return ErrSyntax
		}
		l.User = f.text(orEmpty(value), p, scratch)
	case vhostField:
		// A server without a name calls itself "_".
		if v := host(f.text(value, p, scratch)); v != "" && v != "_" {
			l.VHost = v
		}
	case siteField:
		if value == "" || value == "-" || strings.ContainsAny(value, `:"`) {
			return ErrSyntax
		}
		l.VHost, p.site = value, true
	case portField:
		if value == "" || len(value) > 5 || !allDigits(value) {
			return ErrSyntax
		}
		p.port = true
	case clfTimeField:
		if l.Time, ok = scratch.clock.CLF(value); !ok && f.strict && (len(value) != logtime.CLFWidth || value[2] != '/' || value[14] != ':') {
			return ErrSyntax
		}
	case isoTimeField:
		l.Time, ok = logtime.ISO(value)
	case unixTimeField:
		l.Time, ok = logtime.Unix(value, st.unit)
	case requestField:
		r := f.text(value, p, scratch)
		if !l.setRequest(r, scratch) {
			l.Target = value
		}
		return nil
	case methodField:
		if isMethod(value) {
			l.Method = value
		}
	case targetField:
		if l.Target = f.text(value, p, scratch); l.Target != "" && l.Target[0] != '/' {
			l.reduceTarget(scratch)
		}
	case hostTargetField:
		name, target := f.text(value, p, scratch), ""
		if slash := strings.IndexByte(name, '/'); slash >= 0 {
			name, target = name[:slash], name[slash:]
		}
		l.VHost, l.Target = host(name), target
	case pathField:
		p.path = f.text(value, p, scratch)
	case queryField:
		p.query = f.text(orEmpty(value), p, scratch)
	case protocolField:
		l.Protocol = orEmpty(value)
	case statusField:
		return l.setStatus(value)
	case sentField:
		return l.setSent(value)
	case bodyField:
		l.Sent = 0
		return l.setSent(value)
	case durationField:
		return l.setDuration(value, st.unit)
	case fractionField:
		if strings.IndexByte(value, '.') < 0 {
			return ErrSyntax
		}
		return l.setDuration(value, st.unit)
	case numberField:
		if value == "" || !allDigits(value) {
			return ErrSyntax
		}
	case numbersField:
		if value == "" || strings.Trim(value, "0123456789.,:- ") != "" {
			return ErrSyntax
		}
	case referrerField:
		l.Referrer = f.text(orEmpty(value), p, scratch)
	case agentField:
		l.UserAgent = f.text(orEmpty(value), p, scratch)
	case forwardedField:
		l.ForwardedFor = f.text(orEmpty(value), p, scratch)
	case tlsField:
		l.TLSVersion = orEmpty(value)
	case tlsNumberField:
		l.TLSVersion = tlsVersion(value)
	case cacheField:
		l.Cache = orEmpty(value)
	case schemeField:
		l.Scheme = orEmpty(value)
	case requestIDField:
		l.RequestID = f.text(orEmpty(value), p, scratch)
	case traceparentField:
		l.TraceID = traceparent(value)
	case traceIDField:
		l.TraceID = traceID(value)
	}
	if !ok {
		return ErrTime
	}
	return nil
}

// text is a value without its escapes.
func (f *Format) text(value string, p *parts, scratch *Scratch) string {
	if !p.escaped {
		return value
	}
	return f.escape.unescape(value, scratch)
}

// setPath makes the target of a path and a query that were logged apart.
func (l *Line) setPath(path, query string, scratch *Scratch) {
	if query == "" || query == "?" {
		l.Target = path
		return
	}
	b := append(scratch.room(len(path)+1+len(query)), path...)
	if query[0] != '?' {
		b = append(b, '?')
	}
	l.Target = scratch.keep(append(b, query...))
}
