package shop

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
)

// field is something that is known of a visit or a span and that attributes and
// log lines mention.
type field uint8

const (
	fieldProduct field = iota
	fieldCategory
	fieldUser
	fieldSession
	fieldOrder
	fieldAmount
	fieldCurrency
	fieldItems
	fieldSearch
	fieldCard
	fieldCountry
	fieldTracking
	fieldMilliseconds
	fieldClient
	fieldAgent
	fieldPath
	fieldQuery
	fieldMessage
	fieldPartition
	fieldOffset
	fieldRows
	fieldHit
	fieldStock
	fieldThread
	fieldPeer
	fieldStatus
)

var fieldKeys = [...]string{
	fieldProduct:      "app.product.id",
	fieldCategory:     "app.product.category",
	fieldUser:         "user.id",
	fieldSession:      "session.id",
	fieldOrder:        "app.order.id",
	fieldAmount:       "app.order.amount",
	fieldCurrency:     "app.currency",
	fieldItems:        "app.cart.items",
	fieldSearch:       "app.search.text",
	fieldCard:         "app.payment.card_type",
	fieldCountry:      "app.shipping.country",
	fieldTracking:     "app.shipping.tracking_id",
	fieldMilliseconds: "app.duration_ms",
	fieldClient:       "client.address",
	fieldAgent:        "user_agent.original",
	fieldPath:         "url.path",
	fieldQuery:        "url.query",
	fieldMessage:      "messaging.message.id",
	fieldPartition:    "messaging.destination.partition.id",
	fieldOffset:       "messaging.kafka.offset",
	fieldRows:         "db.response.returned_rows",
	fieldHit:          "app.cache.hit",
	fieldStock:        "app.stock.level",
	fieldThread:       "thread.id",
	fieldPeer:         "network.peer.address",
	fieldStatus:       "http.response.status_code",
}

// names of fields in templates.
var fieldNames = map[string]field{
	"product": fieldProduct, "category": fieldCategory, "user": fieldUser, "session": fieldSession,
	"order": fieldOrder, "amount": fieldAmount, "currency": fieldCurrency, "items": fieldItems,
	"search": fieldSearch, "card": fieldCard, "country": fieldCountry, "tracking": fieldTracking,
	"ms": fieldMilliseconds, "client": fieldClient, "path": fieldPath, "message": fieldMessage,
	"partition": fieldPartition, "offset": fieldOffset, "rows": fieldRows, "hit": fieldHit,
	"stock": fieldStock, "thread": fieldThread, "peer": fieldPeer, "status": fieldStatus,
}

// number returns the value of a field that is an integer.
func (v *visit) number(f field, sp *span) (int64, bool) {
	switch f {
	case fieldItems:
		return int64(v.items), true
	case fieldMilliseconds:
		return (sp.end - sp.start) / 1e6, true
	case fieldOffset:
		return v.offset, true
	case fieldRows:
		return int64(1 + sp.id%24), true
	case fieldStock:
		return int64(sp.id >> 3 % 400), true
	case fieldThread:
		return int64(17 + sp.id>>5%48), true
	case fieldStatus:
		return int64(sp.code), true
	}
	return 0, false
}

// appendText appends the value of a field as text.
func (v *visit) appendText(b []byte, f field, sp *span) []byte {
	if n, ok := v.number(f, sp); ok {
		return strconv.AppendInt(b, n, 10)
	}
	switch f {
	case fieldProduct:
		return append(b, v.product.id...)
	case fieldCategory:
		return append(b, v.product.category...)
	case fieldUser:
		return append(b, v.client.user...)
	case fieldSession:
		return appendHex(b, v.session, 16)
	case fieldOrder:
		return append(appendHex(append(b, "ord-"...), v.order>>32, 6), "-"+string(hexDigits[v.order&15])...)
	case fieldAmount:
		return appendCents(b, v.cents)
	case fieldCurrency:
		return append(b, v.client.currency...)
	case fieldSearch:
		return append(b, v.search...)
	case fieldCard:
		return append(b, cards[v.order%uint64(len(cards))]...)
	case fieldCountry:
		return append(b, v.client.country...)
	case fieldTracking:
		return appendHex(append(b, "1Z"...), v.order^0x9e3779b97f4a7c15, 16)
	case fieldClient:
		return append(b, v.client.address...)
	case fieldAgent:
		return append(b, v.client.agent...)
	case fieldPath:
		return append(b, v.path...)
	case fieldQuery:
		return append(b, v.query...)
	case fieldMessage:
		return appendHex(b, v.order^0x517cc1b727220a95, 16)
	case fieldPartition:
		return append(b, '0'+byte(v.order%6))
	case fieldHit:
		return strconv.AppendBool(b, v.cacheHit(sp))
	case fieldPeer:
		if sp.peer != nil {
			return append(b, sp.peer.ip...)
		}
		return append(b, v.client.address...)
	}
	return b
}

func (v *visit) cacheHit(sp *span) bool { return sp.id%16 != 0 }

func appendCents(b []byte, cents int64) []byte {
	b = strconv.AppendInt(b, cents/100, 10)
	return append(b, '.', '0'+byte(cents/10%10), '0'+byte(cents%10))
}

// appendAttr appends a field as an attribute.
func (s *Shop) appendAttr(b []byte, number uint32, f field, v *visit, sp *span) []byte {
	key := fieldKeys[f]
	if n, ok := v.number(f, sp); ok {
		return encode.IntAttr(b, number, key, n)
	}
	switch f {
	case fieldAmount:
		return encode.DoubleAttr(b, number, key, float64(v.cents)/100)
	case fieldHit:
		return encode.BoolAttr(b, number, key, v.cacheHit(sp))
	}
	s.text = v.appendText(s.text[:0], f, sp)
	if len(s.text) == 0 {
		return b
	}
	return encode.StringAttr(b, number, key, s.text)
}

// template is a text with fields in it.
type template []part

type part struct {
	literal string
	field   field
	isField bool
}

// parseTemplate reads "text {field} text"; a literal brace is doubled.
func parseTemplate(text string) template {
	var t template
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			return append(t, part{literal: text})
		}
		if strings.HasPrefix(text[open:], "{{") {
			t = append(t, part{literal: text[:open+1]})
			text = text[open+2:]
			continue
		}
		if open > 0 {
			t = append(t, part{literal: text[:open]})
		}
		name, rest, _ := strings.Cut(text[open+1:], "}")
		f, ok := fieldNames[name]
		if !ok {
			panic(fmt.Sprintf("template mentions unknown field %q", name)) // templates are constants of this package
		}
		t = append(t, part{field: f, isField: true})
		text = rest
	}
	return t
}

func (t template) append(b []byte, v *visit, sp *span) []byte {
	for i := range t {
		if t[i].isField {
			b = v.appendText(b, t[i].field, sp)
		} else {
			b = append(b, t[i].literal...)
		}
	}
	return b
}
