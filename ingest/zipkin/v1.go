package zipkin

import (
	"bytes"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// v1 is a span of the first version, as it is read. Its annotations and tags name
// the service that they are of, so it can hold both sides of an RPC: every one of
// them becomes a span. The rules are those of Zipkin's own conversion to the
// second version, V1SpanConverter.
type v1 struct {
	annotations []annotation
	binaries    []binaryAnnotation
	endpoints   []endpoint
	sides       []side
	core        [cores]*annotation
	// What is being read.
	annotation annotation
	binary     binaryAnnotation
	endpoint   endpoint
}

// annotation is an event at a service.
type annotation struct {
	micros uint64
	value  []byte
	at     int32 // the index of the endpoint + 1, 0 for none
	side   int32
	core   bool
}

// binaryAnnotation is a tag of a service.
type binaryAnnotation struct {
	key, value []byte
	number     uint64 // the value of a boolean, an integer or a double, by its bits
	kind       valueKind
	at         int32 // the index of the endpoint + 1, 0 for none
	side       int32
}

// valueKind is the type of a tag's value.
type valueKind uint8

const (
	isText valueKind = iota
	isBool
	isInt
	isDouble
	isBytes
	isNothing
)

// side is what one service did in a span.
type side struct {
	at                  int32 // the index of the endpoint + 1, 0 for none yet
	kind                byte
	timestamp, duration uint64
	remote              endpoint
	shared              bool
}

// core is an annotation that says what a span is: sides are marked by them, and
// their times are those of the sides.
type core uint8

const (
	clientSend core = iota
	clientReceive
	serverReceive
	serverSend
	messageSend
	messageReceive
	wireSend
	wireReceive
	cores // the number of core annotations
)

var coreNames = [cores]string{
	clientSend: "cs", clientReceive: "cr", serverReceive: "sr", serverSend: "ss",
	messageSend: "ms", messageReceive: "mr", wireSend: "ws", wireReceive: "wr",
}

// coreKinds are the kinds that sides are of by their annotations.
var coreKinds = [cores]byte{
	clientSend: spanwriter.KindClient, clientReceive: spanwriter.KindClient,
	serverReceive: spanwriter.KindServer, serverSend: spanwriter.KindServer,
	messageSend: spanwriter.KindProducer, messageReceive: spanwriter.KindConsumer,
}

func coreNamed(value []byte) (core, bool) {
	if len(value) != 2 {
		return 0, false
	}
	for c, name := range coreNames {
		if string(value) == name {
			return core(c), true
		}
	}
	return 0, false
}

// Sizes of the lists' elements, at least.
const (
	annotationBytes = 48
	binaryBytes     = 72
	endpointBytes   = 64
)

// kept is how many elements of a list are kept from one request to the next.
const kept = 1024

func (v *v1) reset() {
	// The lists hold views of the body.
	*v = v1{annotations: emptied(v.annotations), binaries: emptied(v.binaries), endpoints: emptied(v.endpoints), sides: emptied(v.sides)}
}

// emptied returns an empty list with the memory of another, unless that is large.
func emptied[T any](list []T) []T {
	if cap(list) > kept {
		return nil
	}
	clear(list[:cap(list)])
	return list[:0]
}

// begin forgets the last span.
func (v *v1) begin() {
	v.annotations, v.binaries = v.annotations[:0], v.binaries[:0]
	v.endpoints, v.sides = v.endpoints[:0], v.sides[:0]
	v.core = [cores]*annotation{}
}

// addEndpoint returns the reference to an endpoint; one that says nothing is none.
func (v *v1) addEndpoint(s *spanwriter.Splitter, e endpoint) int32 {
	if len(e.service) == 0 && !e.address.IsValid() && e.port == 0 {
		return 0
	}
	if n := len(v.endpoints); n > 0 && same(&v.endpoints[n-1], &e) {
		return int32(n) // annotations next to each other are mostly of one service
	}
	v.endpoints = spanwriter.Append(&s.Writer, v.endpoints, e, endpointBytes)
	return int32(len(v.endpoints))
}

func same(a, b *endpoint) bool {
	return a.port == b.port && a.address == b.address && bytes.Equal(a.service, b.service)
}

func (v *v1) endpointAt(at int32) endpoint {
	if at == 0 {
		return endpoint{}
	}
	return v.endpoints[at-1]
}

// maxSides is how many services may take part in one span.
const maxSides = 32

// tooManySides is the side that there is no room for.
const tooManySides = maxSides

// sideOf returns the side of a service, which an endpoint is of by its name. What
// names none is of the first.
func (v *v1) sideOf(at int32) int32 {
	if at == 0 {
		return 0
	}
	if v.sides[0].at == 0 {
		v.sides[0].at = at
		return 0
	}
	for i := range v.sides {
		if v.sameService(v.sides[i].at, at) {
			return int32(i)
		}
	}
	return v.addSide(at)
}

func (v *v1) addSide(at int32) int32 {
	if len(v.sides) == maxSides {
		return tooManySides
	}
	v.sides = append(v.sides, side{at: at})
	return int32(len(v.sides) - 1)
}

func (v *v1) sameService(a, b int32) bool {
	return bytes.Equal(v.endpointAt(a).service, v.endpointAt(b).service)
}
