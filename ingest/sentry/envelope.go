package sentry

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/pointwriter"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// decoder reads an envelope. Texts in it are views of the body, or of what the
// reader unescaped, until the item ends.
type decoder struct {
	reader
	cfg      Config
	maxDepth int
	single   bool // the body is an event, in no envelope

	project string // stays until the splitter lets go of the request
	eventID []byte // of the envelope
	items   []byte // what follows the header of the envelope
	header  header
	spans   int // of the request

	client           client
	event            event
	record, resource spanwriter.List
	text, stack      buffer
	frames           []frame
	exceptions       []exception
	logs             logs
	points           []byte
}

// errFull stops the walk where memory ran out; the splitter knows why.
var errFull = errors.New("out of memory")

// Decode implements [spanwriter.Decoder].
func (d *decoder) Decode(_ *spanwriter.Splitter, body []byte) error {
	d.items = body
	if d.single {
		return d.decodeEvent(body)
	}
	head, rest, _ := bytes.Cut(body, newline)
	if err := d.readHeader(head); err != nil {
		return fmt.Errorf("the header of the envelope: %w", err)
	}
	d.items = rest
	for n := 0; ; n++ {
		rest = bytes.TrimLeft(rest, "\r\n")
		if len(rest) == 0 {
			return nil
		}
		if n == d.cfg.MaxItems {
			return fmt.Errorf("the envelope has more than %d items (sentry.max_items)", d.cfg.MaxItems)
		}
		var err error
		if rest, err = d.decodeItem(rest); err != nil {
			return fmt.Errorf("item %d: %w", n, err)
		}
		if d.out.Full() {
			return errFull
		}
	}
}

var newline = []byte("\n")

// Reset implements [spanwriter.Decoder].
func (d *decoder) Reset() {
	d.load(nil, d.maxDepth)
	d.unescaped = nil
	d.eventID, d.items, d.header, d.client, d.event = nil, nil, header{}, client{}, event{}
	d.points, d.spans = nil, 0
	d.record.Release()
	d.resource.Release()
	d.text.clear()
	d.stack.clear()
	d.logs.clear()
	clear(d.frames)
	clear(d.exceptions)
	d.frames, d.exceptions = d.frames[:0], d.exceptions[:0]
	if cap(d.frames) > keptFrames {
		d.frames = nil
	}
	if cap(d.exceptions) > keptFrames {
		d.exceptions = nil
	}
}

const keptFrames = 512

// header is what the header of an envelope says of all of its items.
type header struct{ sdkName, sdkVersion, traceID, release, environment []byte }

func (d *decoder) readHeader(line []byte) error {
	d.load(line, d.maxDepth)
	h := &d.header
	err := d.Object(func(key []byte) error {
		switch string(key) {
		case "event_id":
			return d.textIn(&d.eventID)
		case "sdk":
			return d.object(func(key []byte) error {
				switch string(key) {
				case "name":
					return d.textIn(&h.sdkName)
				case "version":
					return d.textIn(&h.sdkVersion)
				}
				return d.Skip()
			})
		case "trace":
			return d.object(func(key []byte) error {
				switch string(key) {
				case "trace_id":
					return d.textIn(&h.traceID)
				case "release":
					return d.textIn(&h.release)
				case "environment":
					return d.textIn(&h.environment)
				}
				return d.Skip()
			})
		}
		return d.Skip()
	})
	if err == nil {
		err = d.End()
	}
	d.unescaped = nil // what the header has stays as long as the envelope
	return err
}

// itemHeader is the line before an item.
type itemHeader struct {
	kind   []byte
	length int64 // -1 where it is not said
}

// decodeItem reads an item and returns what follows it.
func (d *decoder) decodeItem(rest []byte) ([]byte, error) {
	line, rest, _ := bytes.Cut(rest, newline)
	d.load(line, d.maxDepth)
	h := itemHeader{length: -1}
	err := d.Object(func(key []byte) (err error) {
		switch string(key) {
		case "type":
			return d.textIn(&h.kind)
		case "length":
			if d.Peek() == 'n' {
				return d.Skip()
			}
			if h.length, err = d.Int(); err == nil && h.length < 0 {
				err = d.Errorf("the length is negative")
			}
			return err
		}
		return d.Skip()
	})
	if err == nil {
		err = d.End()
	}
	kind := string(shortened(h.kind, maxKey))
	var payload []byte
	switch {
	case err != nil:
		return nil, fmt.Errorf("its header: %w", err)
	case kind == "":
		return nil, errors.New("its header has no type")
	case h.length > int64(len(rest)):
		return nil, fmt.Errorf("the envelope ends %d bytes before the item does", h.length-int64(len(rest)))
	case h.length >= 0:
		payload, rest = rest[:h.length], rest[h.length:]
		if after := bytes.TrimPrefix(rest, []byte("\r")); len(after) > 0 && after[0] != '\n' {
			return nil, fmt.Errorf("the item is longer than its length, %d bytes", h.length)
		}
	default:
		payload, rest, _ = bytes.Cut(rest, newline)
	}
	if err := d.decodePayload(kind, payload); err != nil {
		return nil, fmt.Errorf("%.40s: %w", kind, err)
	}
	return rest, nil
}

// decodePayload reads the content of an item, unless it is of a type of which
// nothing is stored.
func (d *decoder) decodePayload(kind string, payload []byte) error {
	switch kind {
	case "event", "error", "default", "security":
		return d.decodeEvent(payload)
	case "transaction":
		return d.decodeTransaction(payload)
	case "span":
		return d.decodeSpans(payload)
	case "log", "otel_log":
		return d.decodeLogs(payload)
	case "session", "sessions":
		return d.decodeSessions(kind, payload)
	}
	return nil
}

// begin forgets the item before.
func (d *decoder) begin(payload []byte) {
	d.load(payload, d.maxDepth)
	d.client = client{}
	d.client.sdkName, d.client.sdkVersion = d.header.sdkName, d.header.sdkVersion
	d.record.Release()
	d.text.clear()
	d.stack.clear()
	d.frames, d.exceptions = d.frames[:0], d.exceptions[:0]
}

// client is what an item says of the program that it came from.
type client struct {
	release, environment, dist, server, service []byte
	platform, sdkName, sdkVersion               []byte
	runtimeName, runtimeVersion                 []byte
	osName, osVersion, device, architecture     []byte
}

// languages are the values of telemetry.sdk.language by the platform of Sentry. A
// client for JavaScript is one for browsers unless its name has another ending.
var languages = map[string]string{
	"python": "python", "go": "go", "java": "java", "ruby": "ruby", "php": "php", "csharp": "dotnet", "node": "nodejs", "javascript": "webjs",
	"native": "cpp", "c": "cpp", "rust": "rust", "cocoa": "swift", "elixir": "erlang",
}

// browserless are the ends of names of clients for JavaScript that run on servers.
var browserless = [][]byte{
	[]byte(".node"), []byte(".bun"), []byte(".deno"), []byte("-serverless"), []byte(".cloudflare"), []byte(".nestjs"), []byte(".vercel-edge"),
}

func (c *client) language() string {
	if string(c.platform) == "javascript" {
		for _, end := range browserless {
			if bytes.HasSuffix(c.sdkName, end) {
				return "nodejs"
			}
		}
	}
	return languages[string(c.platform)]
}

// eachResource yields the attributes of the resource, those that are known.
func (d *decoder) eachResource(yield func(key string, value []byte)) {
	c := &d.client
	service := c.service
	if len(service) == 0 {
		if service = []byte(d.cfg.Projects[d.project]); len(service) == 0 {
			service = []byte(d.project)
		}
	}
	if len(c.release) == 0 {
		c.release = d.header.release
	}
	if len(c.environment) == 0 {
		c.environment = d.header.environment
	}
	for _, one := range [...]struct {
		key   string
		value []byte
	}{
		{"service.name", service},
		{"service.version", c.release},
		{"deployment.environment.name", c.environment},
		{"host.name", c.server},
		{"telemetry.sdk.name", c.sdkName},
		{"telemetry.sdk.version", c.sdkVersion},
		{"telemetry.sdk.language", []byte(c.language())},
		{"process.runtime.name", c.runtimeName},
		{"process.runtime.version", c.runtimeVersion},
		{"os.name", c.osName},
		{"os.version", c.osVersion},
		{"host.arch", c.architecture},
		{"device.model.name", c.device},
		{"sentry.project", []byte(d.project)},
		{"sentry.dist", c.dist},
	} {
		if len(one.value) > 0 {
			yield(one.key, shortened(one.value, maxKey))
		}
	}
}

// encodedResource is the resource of log records.
func (d *decoder) encodedResource() []byte {
	d.resource.Clear()
	d.eachResource(func(key string, value []byte) { d.resource.String([]byte(key), value) })
	return d.resource.Encoded()
}

// resourceLabels is the resource of points.
func (d *decoder) resourceLabels() []pointwriter.Label {
	var labels []pointwriter.Label
	d.eachResource(func(key string, value []byte) {
		labels = append(labels, pointwriter.Label{Key: key, Value: string(value)})
	})
	return labels
}
