package accesslog

import (
	"fmt"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/logtime"
)

// W3C returns the format that a #Fields directive of the W3C extended format
// names, with or without the word #Fields in front. Lines of IIS have blanks
// between their columns, those of CloudFront tabs.
func W3C(directive string) (*Format, error) {
	directive = trimEnd(directive)
	names := directive
	if rest, ok := cutFold(names, "#Fields:"); ok {
		names = rest
	} else {
		directive = "#Fields: " + strings.TrimSpace(names)
	}
	f, err := w3c(names)
	if err != nil {
		return nil, fmt.Errorf("w3c fields: %w", err)
	}
	// The directive outlives the line that it came in.
	f.fields = strings.Clone(directive)
	return f, nil
}

func w3c(names string) (*Format, error) {
	if len(names) > maxTemplate {
		return nil, fmt.Errorf("they are longer than %d bytes", maxTemplate)
	}
	f := &Format{name: "w3c", shape: columnsShape, separator: ' '}
	// CloudFront is the one that names its edges.
	if strings.Contains(names, "x-edge-") {
		f.name, f.separator = "cloudfront", '\t'
	}
	c := compiler{f: f}
	for _, name := range strings.Fields(names) {
		if len(f.steps) == maxSteps {
			return nil, fmt.Errorf("more than %d", maxSteps)
		}
		v := w3cField(strings.ToLower(name), f.separator == '\t')
		f.steps = append(f.steps, step{field: v.field, unit: v.unit})
		c.ranks = append(c.ranks, v.rank)
	}
	return c.finish()
}

// cutFold is strings.CutPrefix for text whose case does not matter.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// isDirective reports whether a line is one of the directives of the W3C
// extended format.
func isDirective(line string) bool {
	if line == "" || line[0] != '#' {
		return false
	}
	for _, name := range [...]string{"#Fields:", "#Version:", "#Software:", "#Date:", "#Start-Date:", "#End-Date:", "#Remark:"} {
		if _, ok := cutFold(line, name); ok {
			return true
		}
	}
	return false
}

// w3cField says what a field of the W3C extended format stands for, cloudfront
// whether CloudFront wrote it.
func w3cField(name string, cloudfront bool) value {
	switch name {
	case "date":
		return value{field: dateField}
	case "time":
		return value{field: clockField}
	case "c-ip":
		return value{field: clientField, rank: 1}
	case "cs-username":
		return value{field: userField}
	case "cs-method":
		return value{field: methodField}
	case "cs-uri":
		return value{field: targetField}
	case "cs-uri-stem":
		return value{field: pathField}
	case "cs-uri-query":
		return value{field: queryField}
	case "cs-version", "cs-protocol-version":
		return value{field: protocolField}
	case "sc-status":
		return value{field: statusField}
	case "sc-bytes":
		return value{field: sentField}
	case "time-taken":
		if cloudfront {
			return value{field: durationField, unit: second}
		}
		// IIS counts milliseconds; a fraction is of seconds.
		return value{field: durationField, unit: millisecond}
	case "cs-protocol":
		return value{field: schemeField}
	case "x-forwarded-for":
		return value{field: forwardedField, rank: 2}
	case "x-host-header":
		return value{field: vhostField, rank: 4}
	case "cs-host":
		return value{field: vhostField, rank: 2}
	case "ssl-protocol":
		return value{field: tlsField}
	case "x-edge-result-type":
		return value{field: cacheField}
	case "x-edge-request-id":
		return value{field: requestIDField, rank: 3}
	}
	if header, ok := strings.CutPrefix(name, "cs("); ok {
		return requestHeader(strings.TrimSuffix(header, ")"))
	}
	return value{}
}

func (f *Format) parseColumns(line string, l *Line, scratch *Scratch) *Error {
	if line != "" && line[0] == '#' {
		if isDirective(line) {
			return ErrDirective
		}
		return ErrSyntax
	}
	var p parts
	var failed *Error
	days, seconds := int64(-1), int64(-1)
	pos := 0
	for i := range f.steps {
		if pos > len(line) {
			if f.atLeast > 0 && i >= f.atLeast {
				break
			}
			return ErrSyntax
		}
		end := len(line)
		if n := strings.IndexByte(line[pos:], f.separator); n >= 0 {
			end = pos + n
		}
		text := line[pos:end]
		pos = end + 1
		st := &f.steps[i]
		var err *Error
		switch st.field {
		case skipped:
		case dateField:
			days, err = timeColumn(text, '-', 4, logtime.Date)
		case clockField:
			seconds, err = timeColumn(text, ':', 2, logtime.TimeOfDay)
		default:
			err = f.setColumn(st, text, l, &p, scratch)
		}
		if err == ErrSyntax {
			return err
		}
		if err != nil && failed == nil {
			failed = err
		}
	}
	if pos <= len(line) && f.atLeast == 0 {
		return ErrSyntax
	}
	if failed != nil {
		return failed
	}
	if days >= 0 && seconds >= 0 {
		l.Time = (days*86400 + seconds) * 1e9
	}
	if p.path != "" {
		l.setPath(p.path, p.query, scratch)
	}
	return nil
}

// timeColumn reads one of the columns of a time. One without the mark that
// stands at a place of every such column is of another format.
func timeColumn(text string, mark byte, at int, parse func(string) (int64, bool)) (int64, *Error) {
	if len(text) <= at || text[at] != mark {
		return 0, ErrSyntax
	}
	n, ok := parse(text)
	if !ok {
		return 0, ErrTime
	}
	return n, nil
}

// setColumn gives a column to its field.
func (f *Format) setColumn(st *step, text string, l *Line, p *parts, scratch *Scratch) *Error {
	if text == "" || text == "-" {
		return nil
	}
	switch st.field {
	case durationField:
		if st.unit == millisecond && strings.IndexByte(text, '.') >= 0 {
			return l.setDuration(text, second)
		}
	case agentField, referrerField, forwardedField:
		text = f.header(st.field, text, scratch)
	}
	return f.set(st, text, l, p, scratch)
}

// header is the text of a request's header, in which servers replace what would
// look like the end of a column.
func (f *Format) header(is field, text string, scratch *Scratch) string {
	if f.separator != '\t' {
		if is == referrerField {
			return text // a plus sign of a URL is one
		}
		return unplus(text, scratch)
	}
	text = unpercent(text, scratch)
	if is == agentField && strings.Contains(text, "%20") {
		// The blanks of agents used to be escaped twice.
		text = unpercent(text, scratch)
	}
	return text
}

// The fields that IIS and CloudFront have where nobody chose others, for sources
// whose directives were not seen. CloudFront has added some to its end.
const (
	iisFields = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) " +
		"sc-status sc-substatus sc-win32-status time-taken"
	cloudfrontFields = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) " +
		"cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes " +
		"time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status " +
		"fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len " +
		"sc-range-start sc-range-end"
	// cloudfrontLeast is the number of columns that every line has had for years.
	cloudfrontLeast = 24
)
