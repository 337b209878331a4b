package remotewrite

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// label is a name and a value in the body of the request.
type label struct{ name, value text }

// The names of labels that have a meaning of their own.
const (
	nameLabel     = "__name__"
	jobLabel      = "job"
	instanceLabel = "instance"
)

// checkLabels checks the labels of the current series, whose text is valid
// UTF-8, sorts them, and sets what the series takes from them. As Prometheus
// does, it takes labels in any order, and a label without a value is no label.
func (s *splitter) checkLabels() reason {
	se, body := &s.series, s.body
	if len(s.labels) > s.maxLabels {
		return tooManyLabels
	}
	sorted, named := true, false
	total := 0
	var last []byte
	for i := range s.labels {
		l := &s.labels[i]
		name := l.name.of(body)
		n, v := len(name), l.value.size()
		switch {
		case n == 0:
			return emptyLabelName
		case n > s.maxName || v > s.maxValue:
			return labelTooLong
		}
		if i > 0 && last[0] >= name[0] {
			switch c := bytes.Compare(last, name); {
			case c == 0:
				return duplicateLabel
			case c > 0:
				sorted = false
			}
		}
		last = name
		if n == len(nameLabel) && string(name) == nameLabel {
			se.name, se.nameAt, named = l.value, i, v > 0
			continue
		}
		if v > 0 {
			total += attributeLen(n, v)
		}
	}
	if total > s.maxRecord {
		return tooLarge
	}
	if !sorted {
		if !s.need(total) { // for the work, which no output may come of
			return tooLarge
		}
		slices.SortFunc(s.labels, func(a, b label) int { return bytes.Compare(a.name.of(body), b.name.of(body)) })
		for i := 1; i < len(s.labels); i++ {
			if bytes.Equal(s.labels[i-1].name.of(body), s.labels[i].name.of(body)) {
				return duplicateLabel
			}
		}
		se.nameAt = slices.IndexFunc(s.labels, func(l label) bool { return string(l.name.of(body)) == nameLabel })
	}
	if !named {
		return noName
	}
	se.attributes = total
	return fine
}

// attributeLen returns the length of a field with a KeyValue of two strings.
func attributeLen(key, value int) int {
	if key+value <= shortLabel {
		return key + value + 8
	}
	return fieldLen(fieldLen(key) + fieldLen(fieldLen(value)))
}

// shortLabel is how long name and value together may be so that all lengths
// around them take one byte.
const shortLabel = 0x7f - 6

// putAttribute writes a field with a KeyValue of two strings and returns the
// position after it.
func putAttribute[T string | []byte](b []byte, pos int, tag byte, key T, value []byte) int {
	inner := fieldLen(len(value))
	pos = putHead(b, pos, tag, fieldLen(len(key))+fieldLen(inner))
	pos = putText(b, pos, 1<<3|wire.LengthType, key)
	pos = putHead(b, pos, 2<<3|wire.LengthType, inner)
	return putText(b, pos, 1<<3|wire.LengthType, value)
}

// step is how many bytes a short string is copied in, whatever its length: a
// copy of a fixed length takes no call.
const step = 32

// putAttributes writes the labels of the current series, but its name, as fields
// with the given tag, and returns the position after them. There is slack behind
// what is written.
func (s *splitter) putAttributes(b []byte, pos int, tag byte) int {
	body := s.body
	for i := range s.labels {
		l := s.labels[i]
		n, v := l.name.size(), l.value.size()
		if v == 0 || i == s.series.nameAt {
			continue
		}
		if n > step || v > step || int(max(l.name.start, l.value.start))+step > len(body) {
			pos = putAttribute(b, pos, tag, l.name.of(body), l.value.of(body))
			continue
		}
		binary.LittleEndian.PutUint32(b[pos:], uint32(tag)|uint32(n+v+6)<<8|(1<<3|wire.LengthType)<<16|uint32(n)<<24)
		*(*[step]byte)(b[pos+4:]) = *(*[step]byte)(body[l.name.start:])
		pos += 4 + n
		binary.LittleEndian.PutUint32(b[pos:], 2<<3|wire.LengthType|uint32(v+2)<<8|(1<<3|wire.LengthType)<<16|uint32(v)<<24)
		*(*[step]byte)(b[pos+4:]) = *(*[step]byte)(body[l.value.start:])
		pos += 4 + v
	}
	return pos
}

// ascii reports whether no byte has its high bit set.
func ascii(p []byte) bool {
	const high = 0x8080808080808080
	var bits uint64
	for len(p) >= 16 {
		bits |= binary.LittleEndian.Uint64(p) | binary.LittleEndian.Uint64(p[8:])
		p = p[16:]
	}
	for _, c := range p {
		bits |= uint64(c)
	}
	return bits&high == 0
}

func valid(p []byte) bool { return ascii(p) || utf8.Valid(p) }

// group is a job and an instance, which become a resource.
type group struct {
	job, instance text
	hash          uint64
	resource      text // in splitter.resources
	partition     uint32
	rank          uint32 // its place in the output
}

// chooseGroup finds or makes the group of the current series.
func (s *splitter) chooseGroup() bool {
	var job, instance text
	for i := range s.labels {
		l := &s.labels[i]
		switch l.name.size() {
		case len(jobLabel):
			if string(l.name.of(s.body)) == jobLabel {
				job = l.value
			}
		case len(instanceLabel):
			if string(l.name.of(s.body)) == instanceLabel {
				instance = l.value
			}
		}
	}
	return s.groupOf(job, instance)
}

func (s *splitter) groupOf(job, instance text) bool {
	if len(s.groups) > 0 && s.same(&s.groups[s.lastGroup], job, instance) {
		s.series.group = s.lastGroup
		return true
	}
	hash := maphash.Bytes(s.seed, job.of(s.body)) ^ 31*maphash.Bytes(s.seed, instance.of(s.body))
	if 2*len(s.groups) >= len(s.table) {
		s.growTable()
	}
	mask := uint64(len(s.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if s.table[i] == 0 {
			s.table[i] = uint32(len(s.groups) + 1)
			break
		}
		if g := &s.groups[s.table[i]-1]; g.hash == hash && s.same(g, job, instance) {
			s.series.group = s.table[i] - 1
			s.lastGroup = s.series.group
			return true
		}
	}
	return s.addGroup(group{job: job, instance: instance, hash: hash})
}

func (s *splitter) same(g *group, job, instance text) bool {
	return (g.job == job || bytes.Equal(g.job.of(s.body), job.of(s.body))) &&
		(g.instance == instance || bytes.Equal(g.instance.of(s.body), instance.of(s.body)))
}

func (s *splitter) growTable() {
	s.table = make([]uint32, max(64, 2*len(s.table)))
	mask := uint64(len(s.table) - 1)
	for n := range s.groups {
		i := s.groups[n].hash & mask
		for s.table[i] != 0 {
			i = (i + 1) & mask
		}
		s.table[i] = uint32(n + 1)
	}
}

// groupBytes is what a group takes beside its resource.
const groupBytes = 64

func (s *splitter) addGroup(g group) bool {
	job, instance := g.job.of(s.body), g.instance.of(s.body)
	n := attributeLen(len("service.name"), len(job)) + attributeLen(len("service.instance.id"), len(instance))
	if !s.need(groupBytes + n) {
		return false
	}
	from := len(s.resources)
	s.resources = slices.Grow(s.resources, n)
	b, pos := s.resources[:from+n], from
	const attribute = 1<<3 | wire.LengthType
	if len(job) > 0 {
		pos = putAttribute(b, pos, attribute, "service.name", job)
	}
	if len(instance) > 0 {
		pos = putAttribute(b, pos, attribute, "service.instance.id", instance)
	}
	s.resources = b[:pos]
	g.resource = text{uint32(from), uint32(pos)}
	g.partition = uint32(otlp.PartitionOfResource(b[from:pos], s.partitions))
	s.lastGroup = uint32(len(s.groups))
	s.series.group = s.lastGroup
	s.groups = append(s.groups, g)
	return true
}

// stamp is a time in milliseconds for people.
func stamp(ms int64) string {
	if ms < -maxMillis || ms > maxMillis {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}
