package traces

import (
	"encoding/json"
	"strings"
)

// document is the JSON of the columns resource and scope.
type document struct {
	Name         string     `json:"name"`
	Version      string     `json:"version"`
	SchemaURL    string     `json:"schema_url"`
	DroppedAttrs uint32     `json:"dropped_attributes_count"`
	Attributes   attributes `json:"attributes"`
}

// attributes are those of an object, in its order.
type attributes []Attr

// UnmarshalJSON reads an object.
func (a *attributes) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return err
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return err
		}
		name, _ := key.(string) // keys of objects are nothing else
		*a = append(*a, Attr{name, valueOf(raw)})
	}
	return nil
}

// valueOf reads a value of a document. An integer that a double does not hold is
// a text, as in the columns of attributes.
func valueOf(raw json.RawMessage) Value {
	switch raw[0] {
	case '"':
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return Text(text)
		}
	case 't', 'f':
		return Bool(raw[0] == 't')
	case 'n':
		return Text("")
	case '{', '[':
	default:
		var f float64
		if json.Unmarshal(raw, &f) == nil {
			v := Number(f)
			if _, exact := v.Int(); exact || strings.ContainsAny(string(raw), ".eE") {
				return v
			}
		}
	}
	return Text(string(raw))
}

// documents reads documents once for all the spans that share one.
type documents struct {
	resources map[string]*Resource
	scopes    map[string]*Scope
}

func newDocuments() *documents {
	return &documents{resources: map[string]*Resource{}, scopes: map[string]*Scope{}}
}

func (d *documents) resource(text string) *Resource {
	known, ok := d.resources[text]
	if !ok {
		var doc document
		_ = json.Unmarshal([]byte(text), &doc) // what cannot be read was not written by goshawk, and says nothing
		known = &Resource{Attrs: doc.Attributes, SchemaURL: doc.SchemaURL, DroppedAttrs: doc.DroppedAttrs}
		d.resources[strings.Clone(text)] = known
	}
	return known
}

func (d *documents) scope(text string) *Scope {
	known, ok := d.scopes[text]
	if !ok {
		var doc document
		if text != "" {
			_ = json.Unmarshal([]byte(text), &doc) // as above
		}
		known = &Scope{Name: doc.Name, Version: doc.Version, SchemaURL: doc.SchemaURL, Attrs: doc.Attributes, DroppedAttrs: doc.DroppedAttrs}
		d.scopes[strings.Clone(text)] = known
	}
	return known
}
