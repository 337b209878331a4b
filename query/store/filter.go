package store

import (
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Filter is a WHERE and the values that are bound to it.
type Filter struct {
	Args  []any
	terms []string
}

// Bounded makes a filter of a tenant and a time, in Unix nanoseconds, for a table
// that has a bucket or none.
func Bounded(tenant string, from, to int64, bucket bool) *Filter {
	f := &Filter{}
	f.Add("tenant = ?", tenant)
	if bucket {
		width := int64(tables.BucketSeconds)
		f.Add("bucket >= fromUnixTimestamp(?) AND bucket <= fromUnixTimestamp(?)", from/1e9/width*width, to/1e9/width*width)
	}
	f.Add("time >= fromUnixTimestamp64Nano(?) AND time < fromUnixTimestamp64Nano(?)", from, to)
	return f
}

// Add adds a term that must hold as well, and the values of its "?".
func (f *Filter) Add(term string, args ...any) {
	f.terms = append(f.terms, term)
	f.Args = append(f.Args, args...)
}

// Where is what stands after WHERE.
func (f *Filter) Where() string { return strings.Join(f.terms, " AND ") }
