package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
)

// maxParsed bounds the labels that one line can have.
const maxParsed = 1000

// maxNesting bounds how deep JSON may nest.
const maxNesting = 100

func parserOf(s *logql.Parser) stage {
	switch s.Kind {
	case logql.JSON:
		if len(s.Fields) > 0 {
			return func(e *Entry) bool { jsonFields(s.Fields, e); return true }
		}
		return func(e *Entry) bool { jsonAll(e); return true }
	case logql.Logfmt:
		return func(e *Entry) bool { logfmt(s, e); return true }
	case logql.Pattern:
		return func(e *Entry) bool { pattern(s.Parts, e); return true }
	case logql.RegexpParser:
		names := s.Regexp.SubexpNames()
		return func(e *Entry) bool {
			found := s.Regexp.FindStringSubmatchIndex(e.Line)
			for i, name := range names {
				if name != "" && found != nil && found[2*i] >= 0 {
					e.extract(name, e.Line[found[2*i]:found[2*i+1]])
				}
			}
			return true
		}
	case logql.Unpack:
	}
	return func(e *Entry) bool { unpack(e); return true }
}

// extract sets a label that a parser found. One that the stream has keeps its
// name, and the first of several with the same name counts.
func (e *Entry) extract(name, value string) {
	if e.inStream(name) {
		name += "_extracted"
	}
	if name == "" || e.read >= maxParsed {
		return
	}
	e.read++
	e.Set(name, value)
}

// Sanitize makes the name of a label of a key: what a name cannot have becomes an
// underscore.
func Sanitize(key string) string {
	plain := key != "" && !(key[0] >= '0' && key[0] <= '9')
	for i := 0; plain && i < len(key); i++ {
		plain = nameByte(key[i])
	}
	if plain {
		return key
	}
	var b strings.Builder
	if key != "" && key[0] >= '0' && key[0] <= '9' {
		b.WriteByte('_')
	}
	for _, r := range key {
		if r < 0x80 && nameByte(byte(r)) {
			b.WriteByte(byte(r))
		} else {
			b.WriteByte('_')
		}
	}
	return b.String()
}

func nameByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_'
}

// jsonAll makes labels of all values of an object; the keys of objects in it are
// joined with underscores, lists are left out.
func jsonAll(e *Entry) {
	d := json.NewDecoder(strings.NewReader(e.Line))
	d.UseNumber()
	t, err := d.Token()
	if err == nil && t != json.Delim('{') {
		err = errors.New("the line is no object")
	}
	if err == nil {
		err = e.object(d, "", 1)
	}
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return
		}
		err = errors.New("there is more behind the object")
	}
	e.fail(errJSON, err)
}

// object reads an object whose beginning was read.
func (e *Entry) object(d *json.Decoder, prefix string, depth int) error {
	if depth > maxNesting {
		return errors.New("the object nests too deep")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string) // keys of objects are nothing else
		if name = Sanitize(name); prefix != "" {
			name = prefix + "_" + name
		}
		value, err := d.Token()
		if err != nil {
			return err
		}
		switch v := value.(type) {
		case json.Delim:
			if v == '{' {
				err = e.object(d, name, depth+1)
			} else {
				err = skip(d)
			}
			if err != nil {
				return err
			}
		case nil:
		default:
			e.extract(name, scalar(v))
		}
	}
	_, err := d.Token()
	return err
}

// skip reads to the end of a list whose beginning was read.
func skip(d *json.Decoder) error {
	for depth := 1; depth > 0; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('['), json.Delim('{'):
			if depth++; depth > maxNesting {
				return errors.New("the list nests too deep")
			}
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
	return nil
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// jsonFields sets the labels that are wanted. What is not there is empty.
func jsonFields(fields []logql.Field, e *Entry) {
	if !json.Valid([]byte(e.Line)) {
		e.fail(errJSON, errors.New("the line is no JSON"))
		return
	}
	for i := range fields {
		f := &fields[i]
		if v, ok := at(json.RawMessage(e.Line), f.Path); ok {
			e.extract(f.Label, v)
		}
	}
}

// at returns the value at a path: a scalar as text, others as JSON.
func at(raw json.RawMessage, path []logql.PathPart) (string, bool) {
	for _, part := range path {
		if part.Key != "" {
			var object map[string]json.RawMessage
			if json.Unmarshal(raw, &object) != nil {
				return "", false
			}
			inner, ok := object[part.Key]
			if !ok {
				return "", false
			}
			raw = inner
			continue
		}
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil || part.Index >= len(list) {
			return "", false
		}
		raw = list[part.Index]
	}
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || raw[0] == 'n':
		return "", false
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	}
	return string(raw), true
}

// unpack makes labels of the texts of an object, and the line of its _entry.
func unpack(e *Entry) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(e.Line), &object); err != nil || object == nil {
		e.fail(errJSON, errors.New("the line is no object"))
		return
	}
	_, packed := object["_entry"]
	line := e.Line
	// The keys come in the order of the line.
	d := json.NewDecoder(strings.NewReader(line))
	_, _ = d.Token() // it is an object
	for d.More() {
		t, _ := d.Token()
		key, _ := t.(string)
		var v any
		if d.Decode(&v) != nil {
			return
		}
		s, ok := v.(string)
		switch {
		case !ok:
		case key == "_entry":
			e.Line = s
		case packed || s != "":
			e.extract(Sanitize(key), s)
		}
	}
}

// pattern sets the captures of a pattern. Where the line ends before the pattern,
// the ones that were found are set.
func pattern(parts []logql.PatternPart, e *Entry) {
	rest := e.Line
	for i := 0; i < len(parts); i++ {
		if literal := parts[i].Literal; literal != "" {
			n := strings.Index(rest, literal)
			if n < 0 || i > 0 && parts[i-1].Name == "" {
				return
			}
			rest = rest[n+len(literal):]
			continue
		}
		value := rest
		if i+1 < len(parts) {
			n := strings.Index(rest, parts[i+1].Literal)
			if n < 0 {
				return
			}
			value = rest[:n]
			rest = rest[n+len(parts[i+1].Literal):]
		}
		if parts[i].Name != "_" {
			e.extract(parts[i].Name, value)
		}
		i++ // the text behind it was read
	}
}
