package pipelinetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// formatTrace writes the line of an assembled trace, and what belongs to it
// indented below: the critical path, and every span with its parent's place.
func formatTrace(s *strings.Builder, b *telemetry.Batch, t *telemetry.Trace) {
	line(s, b, "trace", telemetry.Range{}, "tenant", t.Tenant, "id", id(t.TraceID[:]),
		"closed", t.Closed.String(), "oversized", mark(t.Oversized), "cyclic", mark(t.Cyclic),
		"start", since1970(t.Start), "end", since1970(t.End),
		"root", id(t.RootID[:]), "service", t.RootService, "name", t.RootName, "kind", fmt.Sprint(t.RootKind),
		"spans", fmt.Sprint(t.Spans), "errors", fmt.Sprint(t.Errors), "orphans", fmt.Sprint(t.Orphans),
		"operations", fmt.Sprint(t.Operations), "depth", fmt.Sprint(t.Depth),
		"services", strings.Join(b.TraceServices[t.Services.Start:t.Services.End], ","),
		"error_service", t.ErrorService, "error_name", t.ErrorName)
	for _, on := range b.TracePath[t.Path.Start:t.Path.End] {
		line(s, b, "  path", telemetry.Range{}, "span", id(on.ID[:]), "service", on.Service, "name", on.Name, "share", since1970(on.Share))
	}
	for _, m := range b.MembersOf(t) {
		parent := ""
		if m.Parent >= 0 {
			parent = id(b.MembersOf(t)[m.Parent].ID[:])
		}
		peerKind := ""
		if b.Words[m.Peer] != "" {
			peerKind = m.PeerKind.String()
		}
		line(s, b, "  member", telemetry.Range{}, "span", id(m.ID[:]), "of", parent,
			"service", b.Words[m.Service], "name", b.Words[m.Name], "host", b.Words[m.Host],
			"peer", b.Words[m.Peer], "peer_kind", peerKind, "self", since1970(m.Self))
	}
}

func mark(set bool) string {
	if set {
		return "true"
	}
	return ""
}

// since1970 writes nanoseconds as a duration.
func since1970(ns int64) string { return time.Duration(ns).String() }
