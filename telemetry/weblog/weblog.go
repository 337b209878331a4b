// Package weblog carries requests to web servers from the logs in which they were
// found to where those of a client meet. On the way they are OTLP log records
// like everything else, events named web.hit, with attributes of the semantic
// conventions; docs/formats/web-hits.md lists them.
//
// It must not know how requests are read out of lines, or what is made of them.
package weblog

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// EventName is the name of the events.
const EventName = "web.hit"

// Groups is the number of groups of clients. Each has records of its own, so
// that a block makes few, and the partition of a group does not depend on how many
// there are.
const Groups = 32

// Group returns the group of a client: the same for all addresses of a network,
// which is 256 addresses of IPv4 or a /48 of IPv6.
func Group(client string) int {
	return int(xxh3.HashString(Network(client)) % Groups)
}

// Network returns the network of a client, such as 192.0.2.0/24, or the client
// itself where it is no address.
func Network(client string) string {
	address, err := netip.ParseAddr(client)
	if err != nil {
		return client
	}
	address = address.Unmap().WithZone("")
	length := 24
	if address.Is6() {
		length = 48
	}
	prefix, err := address.Prefix(length)
	if err != nil {
		return client
	}
	return prefix.String()
}

// maxField bounds a text of an event; Kafka would refuse what is larger. maxValue is
// how many bytes of events a record has, unless one alone is larger: enough of them
// to compress well.
const (
	maxField = 16 << 10
	maxValue = telemetry.PageBytes - headBytes
)

// headBytes is room for what comes before the events of a record: the tags and lengths
// of resource_logs and scope_logs.
const headBytes = 2 * (1 + binary.MaxVarintLen32)

// Writer makes derived records of the hits of a batch. It is used by one goroutine.
type Writer struct {
	groups  map[string]int // by client; kept for one batch
	event   []byte
	pending [Groups]pending
}

// pending is the record of a group that is being made: room for its head, and the
// events.
type pending struct {
	tenant string
	record []byte
	count  int64
}

// Write appends the batch's WebHits to its derived records, grouped by client.
// Time is what their receive time is, Unix nanoseconds. The records are valid until
// the batch is reset.
func (w *Writer) Write(b *telemetry.Batch, time int64) {
	if w.groups == nil {
		w.groups = make(map[string]int)
	}
	for i := range b.WebHits {
		h := &b.WebHits[i]
		group, ok := w.groups[h.Client]
		if !ok {
			group = Group(h.Client)
			w.groups[h.Client] = group
		}
		w.event = appendEvent(w.event[:0], h)
		p := &w.pending[group]
		tenant, size := b.TenantOf(h.Resource), messageLen(len(w.event))
		if p.count > 0 && (p.tenant != tenant || len(p.record)-headBytes+size > maxValue) {
			w.flush(b, p, group, time)
		}
		if p.count == 0 {
			p.tenant, p.record = tenant, b.Page()[:headBytes]
		}
		p.record = appendMessage(p.record, 2, w.event)
		p.count++
	}
	for group := range w.pending {
		if p := &w.pending[group]; p.count > 0 {
			w.flush(b, p, group, time)
		}
	}
	clear(w.groups)
}

// flush makes a record of the events: the head is put right before them.
func (w *Writer) flush(b *telemetry.Batch, p *pending, group int, time int64) {
	events := len(p.record) - headBytes
	var space [headBytes]byte
	head := binary.AppendUvarint(append(space[:0], 1<<3|wire.LengthType), uint64(messageLen(events))) // resource_logs
	head = binary.AppendUvarint(append(head, 2<<3|wire.LengthType), uint64(events))                   // ResourceLogs.scope_logs
	value := p.record[headBytes-len(head):]
	copy(value, head)
	b.Derived = append(b.Derived, telemetry.Derived{
		Signal: telemetry.Logs, Feed: telemetry.FeedWebHits, Tenant: p.tenant, Key: groupKeys[group],
		Value: value, Events: p.count, Time: time,
	})
	*p = pending{}
}

// groupKeys are the keys of the groups.
var groupKeys = func() (keys [Groups]string) {
	for group := range keys {
		keys[group] = "web-" + strconv.Itoa(group)
	}
	return keys
}()

// The names of attributes.
const (
	attrSite      = "server.address"
	attrClient    = "client.address"
	attrVisitor   = "goshawk.visitor"
	attrCountry   = "geo.country.iso_code"
	attrUser      = "user.name"
	attrMethod    = "http.request.method"
	attrPath      = "url.path"
	attrQuery     = "url.query"
	attrRoute     = "http.route"
	attrProtocol  = "network.protocol.version"
	attrStatus    = "http.response.status_code"
	attrSent      = "http.response.body.size"
	attrDuration  = "goshawk.duration_ns"
	attrAsset     = "goshawk.asset"
	attrReferrer  = "http.request.header.referer"
	attrHost      = "goshawk.referrer_host"
	attrUserAgent = "user_agent.original"
	attrBrowser   = "user_agent.name"
	attrSystem    = "user_agent.os.name"
	attrBot       = "goshawk.bot"
)

// appendEvent appends an encoded LogRecord.
func appendEvent(b []byte, h *telemetry.WebHit) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, 1<<3|wire.Fixed64Type), uint64(h.Time)) //nolint:gosec // as OTLP has times
	b = appendText(b, attrSite, h.Site)
	b = appendText(b, attrClient, h.Client)
	b = appendInt(b, attrVisitor, int64(h.Visitor)) //nolint:gosec // the same bits
	b = appendText(b, attrCountry, h.Country)
	b = appendText(b, attrUser, h.User)
	b = appendText(b, attrMethod, h.Method)
	b = appendText(b, attrPath, h.Path)
	b = appendText(b, attrQuery, h.Query)
	b = appendText(b, attrRoute, h.Route)
	b = appendText(b, attrProtocol, h.Protocol)
	b = appendInt(b, attrStatus, int64(h.Status))
	b = appendInt(b, attrSent, h.Sent)
	if h.Duration >= 0 {
		b = appendInt(b, attrDuration, h.Duration)
	}
	if h.Asset {
		b = appendInt(b, attrAsset, 1)
	}
	b = appendText(b, attrReferrer, h.Referrer)
	b = appendText(b, attrHost, h.ReferrerHost)
	b = appendText(b, attrUserAgent, h.UserAgent)
	b = appendText(b, attrBrowser, h.Browser)
	b = appendText(b, attrSystem, h.System)
	b = appendText(b, attrBot, h.Bot)
	if h.TraceID != (telemetry.TraceID{}) {
		b = appendMessage(b, 9, h.TraceID[:])
	}
	return appendString(b, 12, EventName)
}

// appendText appends an attribute that is a text; an empty one is left out.
func appendText(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	value = value[:min(len(value), maxField)]
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, "\uFFFD")
	}
	inner := 1 + wire.UvarintLen(uint64(len(value))) + len(value)
	b = appendKey(b, key, inner)
	return appendString(b, 1, value)
}

// appendInt appends an attribute that is a number.
func appendInt(b []byte, key string, value int64) []byte {
	n := uint64(value) //nolint:gosec // as protobuf has int64
	var buf [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(buf[:], n)
	b = appendKey(b, key, 1+size)
	return append(append(b, 3<<3|wire.VarintType), buf[:size]...)
}

// appendKey appends a KeyValue up to the inside of its value, which has so many bytes.
func appendKey(b []byte, key string, inner int) []byte {
	pair := 1 + wire.UvarintLen(uint64(len(key))) + len(key) + 1 + wire.UvarintLen(uint64(inner)) + inner
	b = binary.AppendUvarint(append(b, 6<<3|wire.LengthType), uint64(pair))
	b = appendString(b, 1, key)
	return binary.AppendUvarint(append(b, 2<<3|wire.LengthType), uint64(inner))
}

func appendMessage(b []byte, field byte, content []byte) []byte {
	return append(binary.AppendUvarint(append(b, field<<3|wire.LengthType), uint64(len(content))), content...)
}

// messageLen is how much appendMessage appends for a content of so many bytes.
func messageLen(size int) int { return 1 + wire.UvarintLen(uint64(size)) + size }

func appendString(b []byte, field byte, s string) []byte {
	return append(binary.AppendUvarint(append(b, field<<3|wire.LengthType), uint64(len(s))), s...)
}

// ReadVisits makes Visits of a batch's logs. The logs leave the batch: they are
// stored where they come from.
func ReadVisits(b *telemetry.Batch) {
	for i := range b.Logs {
		l := &b.Logs[i]
		b.Records[b.Resources[l.Resource].Record].Dropped++
		if l.EventName != EventName {
			continue
		}
		b.Visits = append(b.Visits, telemetry.WebHit{Time: l.Time, TraceID: l.TraceID, Resource: l.Resource, Sent: -1, Duration: -1})
		h := &b.Visits[len(b.Visits)-1]
		attrs := b.AttrsOf(l.Attrs)
		for j := range attrs {
			read(h, attrs[j].Key, &attrs[j].Value)
		}
	}
	b.Logs = b.Logs[:0]
}

// read takes an attribute.
func read(h *telemetry.WebHit, key string, v *telemetry.Value) {
	if v.Kind == telemetry.KindInt {
		switch key {
		case attrVisitor:
			h.Visitor = v.Num
		case attrStatus:
			h.Status = uint16(min(v.Num, math.MaxUint16))
		case attrSent:
			h.Sent = v.Int()
		case attrDuration:
			h.Duration = v.Int()
		case attrAsset:
			h.Asset = v.Num != 0
		}
		return
	}
	if v.Kind != telemetry.KindString {
		return
	}
	switch key {
	case attrSite:
		h.Site = v.Str
	case attrClient:
		h.Client = v.Str
	case attrCountry:
		h.Country = v.Str
	case attrUser:
		h.User = v.Str
	case attrMethod:
		h.Method = v.Str
	case attrPath:
		h.Path = v.Str
	case attrQuery:
		h.Query = v.Str
	case attrRoute:
		h.Route = v.Str
	case attrProtocol:
		h.Protocol = v.Str
	case attrReferrer:
		h.Referrer = v.Str
	case attrHost:
		h.ReferrerHost = v.Str
	case attrUserAgent:
		h.UserAgent = v.Str
	case attrBrowser:
		h.Browser = v.Str
	case attrSystem:
		h.System = v.Str
	case attrBot:
		h.Bot = v.Str
	}
}
