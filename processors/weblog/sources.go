package weblog

import (
	"encoding/binary"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

// sources are those that lines come from: what their detectors know.
type sources struct {
	// detectors can be forgotten: what they need to know is in directives.
	detectors map[uint64]*accesslog.Detector
	// directives are the state, those that came last at the end.
	directives []directive
	hash       xxh3.Hasher
}

// directive names the columns of the lines of a source.
type directive struct {
	source uint64
	fields string
}

const (
	mostDetectors = 4096
	// mostDirectives bounds the sources with columns; that whose directive is the
	// oldest is forgotten first.
	mostDirectives = 1024
	// longestDirective is more than accesslog takes.
	longestDirective = 64 << 10
)

// id is the source of a resource's file.
func (s *sources) id(b *telemetry.Batch, resource uint32, file string) uint64 {
	h := &s.hash
	h.Reset()
	put := func(text string) {
		var length [8]byte
		binary.LittleEndian.PutUint64(length[:], uint64(len(text)))
		_, _ = h.Write(length[:])
		_, _ = h.WriteString(text)
	}
	put(b.TenantOf(resource))
	put(file)
	attrs := b.AttrsOf(b.Resources[resource].Attrs)
	for i := range attrs {
		put(attrs[i].Key)
		put(attrs[i].Value.Str)
		var number [8]byte
		binary.LittleEndian.PutUint64(number[:], attrs[i].Value.Num)
		_, _ = h.Write(number[:])
	}
	return h.Sum64()
}

// detector returns the detector of a source.
func (s *sources) detector(source uint64) *accesslog.Detector {
	if d := s.detectors[source]; d != nil {
		return d
	}
	if s.detectors == nil || len(s.detectors) >= mostDetectors {
		s.detectors = make(map[uint64]*accesslog.Detector)
	}
	d := new(accesslog.Detector)
	if i := s.index(source); i >= 0 {
		var line accesslog.Line
		var scratch accesslog.Scratch
		_ = d.Parse(s.directives[i].fields, &line, &scratch) // says that it is a directive
	}
	s.detectors[source] = d
	return d
}

func (s *sources) index(source uint64) int {
	return slices.IndexFunc(s.directives, func(d directive) bool { return d.source == source })
}

// note takes over what a source's detector knows of columns.
func (s *sources) note(source uint64, d *accesslog.Detector) {
	i := s.index(source)
	if i >= 0 {
		if s.directives[i].fields == d.Fields() {
			return
		}
		s.directives = slices.Delete(s.directives, i, i+1)
	}
	if d.Fields() == "" {
		return
	}
	if len(s.directives) >= mostDirectives {
		delete(s.detectors, s.directives[0].source)
		s.directives = slices.Delete(s.directives, 0, 1)
	}
	s.directives = append(s.directives, directive{source, d.Fields()})
}

// bytes is about how much memory the directives take.
func (s *sources) bytes() int64 {
	const each = 64
	total := int64(0)
	for i := range s.directives {
		total += each + int64(len(s.directives[i].fields))
	}
	return total
}

// append appends the state.
func (s *sources) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s.directives)))
	for i := range s.directives {
		d := &s.directives[i]
		dst = binary.LittleEndian.AppendUint64(dst, d.source)
		dst = binary.AppendUvarint(dst, uint64(len(d.fields)))
		dst = append(dst, d.fields...)
	}
	return dst
}

// restore replaces the state by one that append wrote; it is empty where that is
// damaged.
func (s *sources) restore(src []byte) bool {
	s.detectors, s.directives = nil, nil
	if len(src) == 0 {
		return true
	}
	r := pipeline.StateReader{Src: src}
	for range r.Count(9) {
		var d directive
		if source := r.Take(8); !r.Bad {
			d.source = binary.LittleEndian.Uint64(source)
		}
		d.fields = r.Text(longestDirective)
		s.directives = append(s.directives, d)
	}
	if r.Bad || len(r.Src) > 0 || len(s.directives) > mostDirectives {
		s.directives = nil
		return false
	}
	return true
}
