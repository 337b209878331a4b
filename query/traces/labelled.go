package traces

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Labelled is a service whose resource has an attribute.
type Labelled struct{ Service, Value string }

// ServicesWith returns services and the values that an attribute of their
// resources has, sorted, from the newest spans of a range.
func (r *Reader) ServicesWith(ctx context.Context, attribute string, in Range) ([]Labelled, error) {
	found, err := r.recent(ctx, in, func(w Range) (string, Condition) {
		var c Condition
		value, ok := c.ResourceAttribute(attribute)
		if !ok {
			value = "''" // no document has it
		}
		bounded := c.of(r.tenant, w)
		return "SELECT toJSONString([toString(service), toString(" + value + ")]) AS c0\nFROM (SELECT service, resource FROM " +
			r.store.dialect.Table(tables.Spans) + " WHERE " + bounded.Where() + " GROUP BY service, resource)\nWHERE service != '' AND " + value + " != ''" +
			"\nGROUP BY c0\nORDER BY c0\nLIMIT " + strconv.Itoa(r.store.cfg.MaxNames), bounded
	})
	all := make([]Labelled, 0, len(found))
	for _, text := range found {
		var pair [2]string
		if json.Unmarshal([]byte(text), &pair) == nil { // the statement wrote it
			all = append(all, Labelled{pair[0], pair[1]})
		}
	}
	slices.SortFunc(all, func(a, b Labelled) int {
		return cmp.Or(strings.Compare(a.Value, b.Value), strings.Compare(a.Service, b.Service))
	})
	return all, err
}
