package traces

import (
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// largeTrace is what is kept of a trace that has too many spans: counts, whose
// size does not grow with the spans.
type largeTrace struct {
	start, end    int64
	spans, errors uint32
	// root is the earliest span without a parent, failed the earliest that failed.
	root, failed leader
	// services are held, sorted by their texts and the first maxServices of all.
	services []uint32
	// operations are hashes of service and name, sorted.
	operations []uint64
}

// leader is a span that comes before the others of its kind. Its names are held.
type leader struct {
	known         bool
	id            telemetry.SpanID
	start         int64
	service, name uint32
	kind          uint8
}

const (
	// maxLargeWeight is the number of open spans that take about as much as the
	// counters of an oversized trace.
	maxLargeWeight = 256
	// maxServices bounds the services of a row, the first by the alphabet.
	maxServices = 256
	// maxOperations is where the count of an oversized trace's operations ends.
	maxOperations = 4096
)

// add counts a span. Its names need not be held.
func (l *largeTrace) add(n *names, s *span) {
	end := max(s.start, s.end)
	if l.spans == 0 {
		l.start, l.end = s.start, end
	}
	l.start, l.end = min(l.start, s.start), max(l.end, end)
	l.spans++
	if s.parent.IsZero() {
		l.root.take(n, s)
	}
	if s.status == telemetry.SpanFailed {
		l.errors++
		l.failed.take(n, s)
	}
	l.addService(n, s.service)
	if len(l.operations) < maxOperations {
		h := operationHash(n, s)
		if i, found := slices.BinarySearch(l.operations, h); !found {
			l.operations = slices.Insert(l.operations, i, h)
		}
	}
}

func operationHash(n *names, s *span) uint64 {
	return xxh3.HashString(n.text(s.name)) ^ xxh3.HashStringSeed(n.text(s.service), 1)
}

func (l *largeTrace) addService(n *names, service uint32) {
	text := n.text(service)
	i, found := slices.BinarySearchFunc(l.services, text, func(have uint32, want string) int {
		return strings.Compare(n.text(have), want)
	})
	if found || i == maxServices {
		return
	}
	n.hold(service)
	l.services = slices.Insert(l.services, i, service)
	if len(l.services) > maxServices {
		n.release(l.services[maxServices])
		l.services = l.services[:maxServices]
	}
}

// take makes a span the leader where it comes before the one that is.
func (l *leader) take(n *names, s *span) {
	candidate := leader{true, s.id, s.start, s.service, s.name, s.kind}
	if l.known && !candidate.before(l, n) {
		return
	}
	n.hold(s.service)
	n.hold(s.name)
	l.release(n)
	*l = candidate
}

// before puts leaders in an order that does not depend on which came first.
func (l *leader) before(other *leader, n *names) bool {
	switch {
	case l.start != other.start:
		return l.start < other.start
	case l.id != other.id:
		return string(l.id[:]) < string(other.id[:])
	case l.kind != other.kind:
		return l.kind < other.kind
	case l.service != other.service:
		return n.text(l.service) < n.text(other.service)
	}
	return n.text(l.name) < n.text(other.name)
}

func (l *leader) release(n *names) {
	if l.known {
		n.release(l.service)
		n.release(l.name)
	}
}

// release lets go of the names.
func (l *largeTrace) release(n *names) {
	l.root.release(n)
	l.failed.release(n)
	for _, s := range l.services {
		n.release(s)
	}
}
