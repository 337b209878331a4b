package pipeline

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
)

// lineMatches reports whether a line meets a filter.
func lineMatches(f *logql.LineFilter, line string) bool {
	for i := range f.Values {
		if lineHas(&f.Values[i], line) {
			return !f.Op.Negative()
		}
	}
	return f.Op.Negative()
}

func lineHas(v *logql.LineValue, line string) bool {
	switch {
	case v.IP != nil:
		return v.IP.In(line)
	case v.Pattern != nil:
		return v.Pattern.MatchString(line)
	}
	return strings.Contains(line, v.Text)
}

// The values of __error__.
const (
	errFilter  = "LabelFilterErr"
	errJSON    = "JSONParserErr"
	errLogfmt  = "LogfmtParserErr"
	errFormat  = "TemplateFormatErr"
	errExtract = "SampleExtractionErr"
)

// Keeps reports whether an entry meets a condition. A value that is not of the
// kind that it is compared with is an error of the entry, which is kept.
func Keeps(f logql.LabelFilter, e *Entry) bool {
	switch f := f.(type) {
	case *logql.TextFilter:
		return f.Matches(e.Get(f.Name))
	case *logql.LogicFilter:
		if f.Or {
			return Keeps(f.Left, e) || Keeps(f.Right, e)
		}
		return Keeps(f.Left, e) && Keeps(f.Right, e)
	case *logql.IPFilter:
		if e.Err != "" {
			return true
		}
		v, ok := e.Find(f.Name)
		if !ok {
			return false
		}
		a, err := netip.ParseAddr(v)
		if err != nil {
			return f.Not
		}
		return f.Range.Contains(a) != f.Not
	case *logql.NumberFilter:
		return keepsNumber(f, e)
	}
	return false
}

func keepsNumber(f *logql.NumberFilter, e *Entry) bool {
	if e.Err != "" {
		return true // only a comparison of texts can tell what is wrong
	}
	v, ok := e.Find(f.Name)
	if !ok || v == "" {
		return false
	}
	n, err := valueOf(v, f.Unit)
	if err != nil {
		e.fail(errFilter, err)
		return true
	}
	return logql.Compare(f.Op, n, f.Value)
}

// valueOf reads the value of a label.
func valueOf(v string, unit logql.Unit) (float64, error) {
	var n float64
	var err error
	switch unit {
	case logql.Duration:
		d, failed := logql.ParseDuration(v)
		n, err = d.Seconds(), failed
		if err != nil {
			err = errors.New("the label's value " + quote(short(v)) + " is no duration")
		}
	case logql.Bytes:
		if n, err = logql.ParseBytes(v); err != nil {
			err = errors.New("the label's value " + quote(short(v)) + " is no number of bytes")
		}
	case logql.Plain:
		if n, err = strconv.ParseFloat(v, 64); err != nil && !math.IsInf(n, 0) {
			err = errors.New("the label's value " + quote(short(v)) + " is no number")
		} else {
			err = nil
		}
	}
	return n, err
}

// Unwrapper makes values of lines.
type Unwrapper struct {
	unwrap *logql.Unwrap
	unit   logql.Unit
}

// NewUnwrapper makes values as an unwrap says.
func NewUnwrapper(u *logql.Unwrap) *Unwrapper {
	w := &Unwrapper{unwrap: u}
	switch u.Conversion {
	case "duration", "duration_seconds":
		w.unit = logql.Duration
	case "bytes":
		w.unit = logql.Bytes
	}
	return w
}

// Value returns the value of a line, which is no label of it any more. False
// leaves the line out.
func (w *Unwrapper) Value(e *Entry) (float64, bool) {
	v, ok := e.Find(w.unwrap.Label)
	if !ok || v == "" {
		return 0, false
	}
	n, err := valueOf(v, w.unit)
	if err != nil {
		e.fail(errExtract, err)
	} else {
		e.Delete(w.unwrap.Label)
	}
	for _, f := range w.unwrap.Filters {
		if !Keeps(f, e) {
			return 0, false
		}
	}
	return n, true
}
