package changes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// ownChange is a change in goshawk's own JSON.
type ownChange struct {
	Kind        string            `json:"kind"`
	Status      string            `json:"status"`
	Service     string            `json:"service"`
	Version     string            `json:"version"`
	Host        string            `json:"host"`
	Environment string            `json:"environment"`
	Author      string            `json:"author"`
	Source      string            `json:"source"`
	Link        string            `json:"link"`
	Title       string            `json:"title"`
	Time        moment            `json:"time"`
	ID          string            `json:"id"`
	Attributes  map[string]string `json:"attributes"`
}

// moment is a time: RFC 3339, or seconds since 1970.
type moment struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (m *moment) UnmarshalJSON(b []byte) error {
	var seconds float64
	if json.Unmarshal(b, &seconds) == nil {
		if string(b) == "null" {
			return nil
		}
		if seconds <= 0 || seconds > 1<<33 {
			return fmt.Errorf("time: %s is no time in seconds since 1970", b)
		}
		m.Time = time.UnixMicro(int64(seconds * 1e6))
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return errors.New("time: want a text as in RFC 3339, or seconds since 1970")
	}
	if text == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return errors.New("time: want a text as in RFC 3339, such as 2026-01-31T12:00:00Z")
	}
	m.Time = t
	return nil
}

// readOwn reads an object or a list of objects. A field that is not known is an error:
// who writes by hand is told of a slip.
func readOwn(r *report) ([]change, error) {
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	var list []ownChange
	var err error
	if trimmed := bytes.TrimLeft(r.body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		err = d.Decode(&list)
	} else {
		list = make([]ownChange, 1)
		err = d.Decode(&list[0])
	}
	if err != nil {
		return nil, badJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more text after the end of the JSON")
	}
	all := make([]change, 0, len(list))
	for i := range list {
		o := &list[i]
		if o.Kind == "" {
			return nil, fmt.Errorf("change %d has no kind, such as deployment", i)
		}
		switch o.Status {
		case "", started, succeeded, failed:
		default:
			return nil, fmt.Errorf("change %d: the status is %.40q; want %s, %s or %s", i, o.Status, started, succeeded, failed)
		}
		c := change{
			Time: o.Time.Time, ID: o.ID, Kind: o.Kind, Status: o.Status, Service: o.Service, Version: o.Version, Host: o.Host,
			Environment: o.Environment, Author: o.Author, Source: o.Source, Link: o.Link, Title: o.Title,
		}
		if c.Status == "" {
			c.Status = succeeded
		}
		for key, value := range o.Attributes {
			c.more = append(c.more, logwriter.Attribute{Key: key, Value: value})
		}
		slices.SortFunc(c.more, func(a, b logwriter.Attribute) int { return strings.Compare(a.Key, b.Key) })
		all = append(all, c)
	}
	return all, nil
}

// badJSON words an error of a decoder.
func badJSON(err error) error { return fmt.Errorf("the JSON cannot be read: %w", err) }
