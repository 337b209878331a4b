package logs

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// Names of labels that do not come from attributes.
const (
	labelService       = "service_name"
	labelLevel         = "level"
	labelDetectedLevel = "detected_level"
	labelTrace         = "trace_id"
	labelSpan          = "span_id"
	labelEvent         = "event_name"
)

// ofRecord are the labels of a record that come from columns of their own.
// Attributes do not have their names.
var ofRecord = []string{labelDetectedLevel, labelTrace, labelSpan, labelEvent}

// unknownService is the service of lines that have none.
const unknownService = "unknown_service"

// maxLabel is how long a value of a label of a stream may be, in bytes. An
// attribute of a resource that is longer is a label of the record.
const maxLabel = 1024

// levels are the words for severity_class. A line of unspecified severity is of
// unknown level.
var levels = [...]string{"unknown", "trace", "debug", "info", "warn", "error", "fatal"}

// stream is what a service and a resource are as labels.
type stream struct {
	service, resource string
	// labels have everything but the level, unless the resource has one.
	labels pipeline.Labels
	// long are attributes that are too long for labels of a stream.
	long pipeline.Labels
	// byLevel are the labels with each of the levels, made when they are needed.
	byLevel [len(levels)]pipeline.Labels
}

// newStream reads the document of a resource.
func newStream(service, resource string) *stream {
	s := &stream{service: service, resource: resource}
	name := service
	if name == "" {
		name = unknownService
	}
	s.labels = append(s.labels, pipeline.Label{Name: labelService, Value: name})
	for _, a := range attributesOf(resource) {
		name := pipeline.Sanitize(a.Name)
		if name == "" || name == labelService || a.Value == "" {
			continue
		}
		if len(a.Value) > maxLabel {
			s.long = append(s.long, pipeline.Label{Name: name, Value: a.Value})
			continue
		}
		if _, taken := s.labels.Find(name); !taken {
			s.labels = append(s.labels, pipeline.Label{Name: name, Value: a.Value})
		}
	}
	s.labels.Sort()
	return s
}

// ownLevel reports whether the resource says the level.
func (s *stream) ownLevel() bool {
	_, ok := s.labels.Find(labelLevel)
	return ok
}

// of returns the labels of the stream of a severity class. They are shared.
func (s *stream) of(class uint8) pipeline.Labels {
	class = min(class, uint8(len(levels)-1))
	if s.byLevel[class] == nil {
		labels := slices.Clone(s.labels)
		if !s.ownLevel() {
			labels = append(labels, pipeline.Label{Name: labelLevel, Value: levels[class]})
			labels.Sort()
		}
		s.byLevel[class] = labels
	}
	return s.byLevel[class]
}

// attributesOf returns the attributes in the document of a resource, in its order.
// What is no text is its JSON.
func attributesOf(resource string) []pipeline.Label {
	var document struct {
		Attributes json.RawMessage `json:"attributes"`
	}
	if json.Unmarshal([]byte(resource), &document) != nil {
		return nil // goshawk did not write it, and it says nothing
	}
	d := json.NewDecoder(bytes.NewReader(document.Attributes))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var all []pipeline.Label
	for d.More() {
		t, err := d.Token()
		var raw json.RawMessage
		if err != nil || d.Decode(&raw) != nil {
			return all
		}
		key, _ := t.(string) // keys of objects are nothing else
		value := string(raw)
		switch raw[0] {
		case '"':
			if json.Unmarshal(raw, &value) != nil {
				continue
			}
		case 'n':
			continue
		}
		all = append(all, pipeline.Label{Name: key, Value: value})
	}
	return all
}

// streams holds each stream once.
type streams map[streamKey]*stream

type streamKey struct{ service, resource string }

// get returns the stream of a service and a document, which may be views of a
// block.
func (s streams) get(service, resource string) *stream {
	known, ok := s[streamKey{service, resource}]
	if !ok {
		service, resource = strings.Clone(service), strings.Clone(resource)
		known = newStream(service, resource)
		s[streamKey{service, resource}] = known
	}
	return known
}

// record appends the labels of a record: columns first, then attributes in their
// order, then what was too long for the stream. The names that the stream or the
// record has already get _extracted. They are sorted.
func record(to pipeline.Labels, stream pipeline.Labels, attributes []pipeline.Label, long pipeline.Labels) pipeline.Labels {
	add := func(name, value string) {
		if value == "" || name == "" {
			return
		}
		if _, taken := to.Find(name); !taken {
			to = append(to, pipeline.Label{Name: name, Value: value})
		}
	}
	for i := range attributes {
		name := pipeline.Sanitize(attributes[i].Name)
		// The first of attributes whose names become the same counts, also where it
		// is empty.
		if repeated(attributes[:i], name) {
			continue
		}
		if _, taken := stream.Find(name); taken || slices.Contains(ofRecord, name) {
			name += "_extracted"
		}
		add(name, attributes[i].Value)
	}
	for _, l := range long {
		add(l.Name, l.Value)
	}
	to.Sort()
	return to
}

func repeated(before []pipeline.Label, name string) bool {
	for i := range before {
		if pipeline.Sanitize(before[i].Name) == name {
			return true
		}
	}
	return false
}
