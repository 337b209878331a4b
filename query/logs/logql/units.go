package logql

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/common/model"
)

var errUnit = errors.New("not a number with a unit")

// ParseDuration reads a duration in Go's notation, or in that of Prometheus,
// which has days, weeks and years.
func ParseDuration(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	minus := strings.HasPrefix(s, "-")
	d, err := model.ParseDuration(strings.TrimPrefix(s, "-"))
	if err != nil {
		return 0, errUnit
	}
	if minus {
		return -time.Duration(d), nil
	}
	return time.Duration(d), nil
}

// ParseBytes reads a number of bytes such as 20KB or 1.5MiB.
func ParseBytes(s string) (float64, error) {
	// What overflows would be an arbitrary number.
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	if f, err := strconv.ParseFloat(digits, 64); err != nil || f < 0 || f > 1e15 {
		return 0, errUnit
	}
	n, err := humanize.ParseBytes(s)
	if err != nil {
		return 0, errUnit
	}
	return float64(n), nil
}

// quantity reads a number of a query: plain, a duration in seconds, or bytes.
func quantity(s string) (float64, Unit, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) {
		return f, Plain, nil
	}
	if d, err := ParseDuration(s); err == nil {
		return d.Seconds(), Duration, nil
	}
	if n, err := ParseBytes(s); err == nil {
		return n, Bytes, nil
	}
	return 0, Plain, errUnit
}
