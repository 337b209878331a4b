package sentry

import (
	"bytes"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// event is an event, or the root of a transaction, as it is read.
type event struct {
	id, level, message, formatted, transaction []byte
	time, start                                uint64
	trace                                      spanFields
	spans                                      []byte // as they are written
}

// exception is one of a chain.
type exception struct {
	kind, value, module, mechanism []byte
	handled                        tristate
	from, to                       int // of the frames
}

// severities are the numbers of OpenTelemetry by the level.
var severities = map[string]byte{"trace": 1, "debug": 5, "log": 9, "info": 9, "warning": 13, "warn": 13, "error": 17, "fatal": 21, "critical": 21}

// decodeEvent makes a log record of an event. The first of an envelope without an id
// gives it its own.
func (d *decoder) decodeEvent(payload []byte) error {
	d.begin(payload)
	e := &d.event
	*e = event{}
	if err := d.readEvent(&d.record); err != nil {
		return err
	}
	if len(d.eventID) == 0 {
		d.eventID = bytes.Clone(shortened(e.id, maxKey))
	}
	r := logwriter.Record{Time: int64(e.time), SeverityText: view(shortened(e.level, maxKey)), Severity: severities[string(e.level)]}
	if r.Severity == 0 {
		r.Severity = severities["error"]
	}
	idIn(r.TraceID[:], e.trace.traceID)
	idIn(r.SpanID[:], e.trace.spanID)
	message := e.formatted
	if len(message) == 0 {
		message = e.message
	}
	if n := len(d.exceptions); n == 1 && len(d.exceptions[0].kind) == 0 && (len(message) == 0 || bytes.Equal(message, d.exceptions[0].value)) {
		// Clients for JavaScript have a message look like this, to tell where it is from.
		message, d.exceptions = d.exceptions[0].value, d.exceptions[:0]
	}
	if len(d.exceptions) > 0 {
		r.EventName = "exception"
		message = d.addException(message)
	} else if len(d.frames) > 0 {
		d.renderFrames(0, len(d.frames))
		d.record.String([]byte("code.stacktrace"), shortened(d.stack.b, maxStack))
	}
	r.Body = shortened(message, maxBody)
	if id, ok := hexOf(e.id, 32); ok {
		d.record.String([]byte("sentry.event_id"), id)
	}
	if len(e.transaction) > 0 {
		d.record.String([]byte("sentry.transaction"), shortened(e.transaction, maxKey))
	}
	r.Attributes = d.record.Encoded()
	d.logs.add(d.encodedResource(), &r)
	return nil
}

// addException adds the attributes of the last exception, which is what failed, and
// the stack with those that caused it. It returns the body of the log record.
func (d *decoder) addException(message []byte) []byte {
	x := &d.exceptions[len(d.exceptions)-1]
	kind := d.kindOf(x)
	d.record.String([]byte("exception.type"), shortened(kind, maxKey))
	if len(x.value) > 0 {
		d.record.String([]byte("exception.message"), shortened(x.value, maxValue))
	}
	if len(d.frames) > 0 {
		if !d.ownStack() { // that of a thread
			x.from, x.to = 0, len(d.frames)
		}
		d.render()
		d.record.String([]byte("exception.stacktrace"), shortened(d.stack.b, maxStack))
	}
	if x.handled != unknown {
		d.record.Bool([]byte("sentry.handled"), x.handled == yes)
	}
	if len(x.mechanism) > 0 {
		d.record.String([]byte("sentry.mechanism"), shortened(x.mechanism, maxKey))
	}
	if len(message) > 0 {
		return message
	}
	d.stack.clear()
	d.stack.append(kind)
	if len(x.value) > 0 {
		d.stack.string(": ")
		d.stack.append(shortened(x.value, maxValue))
	}
	return d.stack.b
}

// readEvent reads the fields that events and transactions have in common. Attributes
// go to a list of the record or of the root span.
func (d *decoder) readEvent(to *spanwriter.List) error {
	e, c := &d.event, &d.client
	err := d.Object(func(key []byte) error {
		switch string(key) {
		case "event_id":
			return d.textIn(&e.id)
		case "timestamp":
			return d.timeIn(&e.time)
		case "start_timestamp":
			return d.timeIn(&e.start)
		case "level":
			return d.textIn(&e.level)
		case "platform":
			return d.textIn(&c.platform)
		case "release":
			return d.textIn(&c.release)
		case "environment":
			return d.textIn(&c.environment)
		case "dist":
			return d.textIn(&c.dist)
		case "server_name":
			return d.textIn(&c.server)
		case "transaction":
			return d.textIn(&e.transaction)
		case "logger":
			return d.attribute(to, "sentry.", key)
		case "message", "logentry", "sentry.interfaces.Message":
			return d.readMessage()
		case "sdk":
			return d.readSDK()
		case "exception", "sentry.interfaces.Exception":
			return d.values(d.readException)
		case "threads":
			return d.values(d.readThread)
		case "stacktrace":
			return d.readStack()
		case "contexts", "sentry.interfaces.Contexts":
			return d.object(func(key []byte) error { return d.readContext(to, key) })
		case "user", "sentry.interfaces.User":
			return d.readUser(to)
		case "request", "sentry.interfaces.Http":
			return d.readRequest(to)
		case "tags":
			return d.readTags(to)
		case "extra":
			return d.readJSON(to, "sentry.extra")
		case "fingerprint":
			return d.readJSON(to, "sentry.fingerprint")
		case "breadcrumbs", "sentry.interfaces.Breadcrumbs":
			return d.readBreadcrumbs(to)
		case "measurements":
			return d.readMeasurements(to)
		case "transaction_info":
			return d.object(func(key []byte) error {
				if string(key) == "source" {
					return d.attribute(to, "sentry.transaction.", key)
				}
				return d.Skip()
			})
		case "spans":
			raw, err := d.raw()
			e.spans = raw
			return err
		}
		return d.Skip()
	})
	if err == nil {
		err = d.End()
	}
	if err == nil && d.out.Full() {
		err = errFull
	}
	return err
}

// readMessage reads a message: a text, or an object with one and its parameters put
// in.
func (d *decoder) readMessage() error {
	e := &d.event
	if d.Peek() != '{' {
		return d.textIn(&e.message)
	}
	return d.Object(func(key []byte) error {
		switch string(key) {
		case "formatted":
			return d.textIn(&e.formatted)
		case "message":
			return d.textIn(&e.message)
		}
		return d.Skip()
	})
}

func (d *decoder) readSDK() error {
	return d.object(func(key []byte) error {
		switch string(key) {
		case "name":
			return d.textIn(&d.client.sdkName)
		case "version":
			return d.textIn(&d.client.sdkVersion)
		}
		return d.Skip()
	})
}

// readContext reads one context by its name. Those that no convention has are JSON.
func (d *decoder) readContext(to *spanwriter.List, name []byte) error {
	c := &d.client
	var kept [maxKey]byte
	name = append(kept[:0], shortened(name, maxKey)...)
	pair := func(first, second *[]byte, secondKey string) error {
		return d.object(func(key []byte) error {
			switch string(key) {
			case "name":
				return d.textIn(first)
			case secondKey:
				return d.textIn(second)
			}
			return d.Skip()
		})
	}
	switch string(name) {
	case "trace":
		return d.readSpan(&d.event.trace, to)
	case "runtime":
		return pair(&c.runtimeName, &c.runtimeVersion, "version")
	case "os", "client_os":
		return pair(&c.osName, &c.osVersion, "version")
	case "browser":
		var browser, number []byte
		err := pair(&browser, &number, "version")
		if len(browser) > 0 {
			to.String([]byte("user_agent.name"), shortened(browser, maxKey))
		}
		if len(number) > 0 {
			to.String([]byte("user_agent.version"), shortened(number, maxKey))
		}
		return err
	case "device":
		return d.object(func(key []byte) error {
			switch string(key) {
			case "model":
				return d.textIn(&c.device)
			case "arch":
				return d.textIn(&c.architecture)
			}
			return d.Skip()
		})
	}
	if d.Peek() != '{' {
		return d.Skip()
	}
	return d.attribute(to, "sentry.contexts.", name)
}

// readUser reads who was affected. An address is not kept, only its hash.
func (d *decoder) readUser(to *spanwriter.List) error {
	return d.object(func(key []byte) error {
		var text []byte
		switch string(key) {
		case "id":
			if err := d.textIn(&text); err != nil || len(text) == 0 {
				return err
			}
			to.String([]byte("user.id"), shortened(text, maxKey))
		case "username":
			if err := d.textIn(&text); err != nil || len(text) == 0 {
				return err
			}
			to.String([]byte("user.name"), shortened(text, maxKey))
		case "email":
			if err := d.textIn(&text); err != nil || len(text) == 0 {
				return err
			}
			to.String([]byte("user.hash"), []byte(telemetry.HashUser(string(text))))
		default:
			return d.Skip()
		}
		return nil
	})
}

// readRequest reads what was asked for. Bodies, cookies and headers are left out, apart
// from the one that names the browser.
func (d *decoder) readRequest(to *spanwriter.List) error {
	text := func(key string) error {
		var value []byte
		if err := d.textIn(&value); err != nil || len(value) == 0 {
			return err
		}
		to.String([]byte(key), shortened(value, maxValue))
		return nil
	}
	return d.object(func(key []byte) error {
		switch string(key) {
		case "url":
			return text("url.full")
		case "method":
			return text("http.request.method")
		case "query_string":
			if d.Peek() == '"' {
				return text("url.query")
			}
		case "headers":
			return d.object(func(key []byte) error {
				if bytes.EqualFold(key, userAgent) {
					return text("user_agent.original")
				}
				return d.Skip()
			})
		}
		return d.Skip()
	})
}

var userAgent = []byte("User-Agent")

// maxTags bounds the tags of an event that are kept.
const maxTags = 200

// readTags reads tags: an object, or a list of pairs.
func (d *decoder) readTags(to *spanwriter.List) error {
	n := 0
	tag := func(key []byte) error {
		if string(key) == "service" {
			return d.textIn(&d.client.service)
		}
		if n++; n > maxTags {
			return d.Skip()
		}
		return d.attribute(to, "sentry.tags.", key)
	}
	if d.Peek() == '{' {
		return d.Object(tag)
	}
	return d.array(func() error {
		var key []byte
		place := 0
		return d.array(func() error {
			place++
			switch {
			case place == 1:
				return d.textIn(&key)
			case place == 2 && len(key) > 0:
				return tag(key)
			}
			return d.Skip()
		})
	})
}

// readJSON keeps a value as it is written, unless it is long.
func (d *decoder) readJSON(to *spanwriter.List, key string) error {
	if d.Peek() == '"' {
		return d.attribute(to, "", []byte(key))
	}
	raw, err := d.raw()
	if err == nil && len(raw) > len("{}") && raw[0] != 'n' && len(raw) <= maxList {
		to.String([]byte(key), raw)
	}
	return err
}

// readBreadcrumbs keeps the last breadcrumbs as JSON, as many as there is room for.
func (d *decoder) readBreadcrumbs(to *spanwriter.List) error {
	d.text.clear()
	size, from := 0, 0
	var ends []int
	err := d.values(func() error {
		raw, err := d.raw()
		if err != nil || len(raw) > maxList/2 {
			return err
		}
		d.text.append(raw)
		ends = append(ends, len(d.text.b))
		for size = len(d.text.b) - from + len(ends); size > maxList; size = len(d.text.b) - from + len(ends) {
			from, ends = ends[0], ends[1:]
		}
		return nil
	})
	if err != nil || len(ends) == 0 {
		return err
	}
	all := make([]byte, 0, size+2)
	for i, end := range ends {
		all = append(all, "[,"[min(i, 1)])
		all = append(all, d.text.b[from:end]...)
		from = end
	}
	to.String([]byte("sentry.breadcrumbs"), append(all, ']'))
	return nil
}

// readMeasurements reads values that were measured in a transaction.
func (d *decoder) readMeasurements(to *spanwriter.List) error {
	return d.object(func(key []byte) error {
		var kept [maxKey]byte
		name := append(kept[:0], shortened(key, maxKey)...)
		return d.object(func(key []byte) error {
			if string(key) == "value" {
				return d.attribute(to, "sentry.measurements.", name)
			}
			return d.Skip()
		})
	})
}

// readException reads one of a chain, of which the last is what failed.
func (d *decoder) readException() error {
	x := exception{from: len(d.frames)}
	err := d.object(func(key []byte) error {
		switch string(key) {
		case "type":
			return d.textIn(&x.kind)
		case "value":
			return d.textIn(&x.value)
		case "module":
			return d.textIn(&x.module)
		case "stacktrace":
			return d.readStack()
		case "mechanism":
			return d.object(func(key []byte) error {
				switch string(key) {
				case "type":
					return d.textIn(&x.mechanism)
				case "handled":
					return d.boolIn(&x.handled)
				}
				return d.Skip()
			})
		}
		return d.Skip()
	})
	x.to = len(d.frames)
	if len(x.kind) == 0 && len(x.value) == 0 && x.from == x.to {
		return err
	}
	d.exceptions = spanwriter.Append(&d.out.Writer, d.exceptions, x, exceptionSize)
	return err
}

// Sizes of what lists grow by, in bytes.
const (
	exceptionSize = 128
	frameSize     = 152
)

// ownStack reports whether an exception has a stack.
func (d *decoder) ownStack() bool {
	for i := range d.exceptions {
		if d.exceptions[i].to > d.exceptions[i].from {
			return true
		}
	}
	return false
}

// readThread reads the stack of a thread, if it is the one that matters and no
// exception has one.
func (d *decoder) readThread() error {
	from := len(d.frames)
	var current, crashed tristate
	err := d.object(func(key []byte) error {
		switch string(key) {
		case "current":
			return d.boolIn(&current)
		case "crashed":
			return d.boolIn(&crashed)
		case "stacktrace":
			return d.readStack()
		}
		return d.Skip()
	})
	matters := current == yes || crashed == yes || from == 0
	switch {
	case d.ownStack() || !matters:
		d.frames = d.frames[:from]
	case from > 0: // instead of that of another thread
		d.frames = d.frames[:copy(d.frames, d.frames[from:])]
	}
	return err
}
