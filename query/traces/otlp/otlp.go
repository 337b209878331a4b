// Package otlp writes traces as OTLP, in protobuf and in JSON.
//
// It must not know which API the answer is for.
package otlp

import (
	"slices"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// A group is spans of one resource, with a list for each of its scopes.
type group struct {
	resource *traces.Resource
	scopes   []scopeGroup
}

type scopeGroup struct {
	scope *traces.Scope
	spans []*traces.Span
}

// groups sorts the spans of a trace by resource and scope, in the order of the
// first span of each. Size bounds the spans of a group; 0 does not.
func groups(t *traces.Trace, size int) []group {
	type key struct {
		resource *traces.Resource
		scope    *traces.Scope
	}
	type place struct{ group, scope int }
	var all []group
	at := map[key]place{}
	open := map[*traces.Resource]int{}
	count := map[int]int{}
	for i := range t.Spans {
		s := &t.Spans[i]
		k := key{s.Resource, s.Scope}
		p, ok := at[k]
		if !ok || size > 0 && count[p.group] >= size {
			g, ok := open[s.Resource]
			if !ok || size > 0 && count[g] >= size {
				g = len(all)
				all = append(all, group{resource: s.Resource})
				open[s.Resource] = g
			}
			p = place{g, slices.IndexFunc(all[g].scopes, func(other scopeGroup) bool { return other.scope == s.Scope })}
			if p.scope < 0 {
				p.scope = len(all[g].scopes)
				all[g].scopes = append(all[g].scopes, scopeGroup{scope: s.Scope})
			}
			at[k] = p
		}
		list := &all[p.group].scopes[p.scope]
		list.spans = append(list.spans, s)
		count[p.group]++
	}
	return all
}
