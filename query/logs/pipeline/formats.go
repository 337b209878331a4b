package pipeline

import (
	"github.com/goshawk-observability/goshawk/query/logs/linetemplate"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
)

// texts runs templates on entries.
type texts struct {
	template *linetemplate.Template
	labels   map[string]string
	scratch  Labels
}

func newTexts(text string) (*texts, error) {
	t, err := linetemplate.New(text)
	if err != nil {
		return nil, err
	}
	return &texts{template: t, labels: map[string]string{}}, nil
}

func (t *texts) of(e *Entry) (string, error) {
	clear(t.labels)
	t.scratch = e.All(t.scratch[:0])
	for _, l := range t.scratch {
		t.labels[l.Name] = l.Value
	}
	return t.template.Execute(e.Line, e.Time, t.labels)
}

func lineFormat(s *logql.LineFormat) (stage, error) {
	t, err := newTexts(s.Template)
	if err != nil {
		return nil, err
	}
	return func(e *Entry) bool {
		line, err := t.of(e)
		if err != nil {
			e.fail(errFormat, err)
			return true
		}
		e.Line = line
		return true
	}, nil
}

func labelFormat(s *logql.LabelFormat) (stage, error) {
	templates := make([]*texts, len(s.Formats))
	for i, f := range s.Formats {
		if f.Source != "" {
			continue
		}
		var err error
		if templates[i], err = newTexts(f.Template); err != nil {
			return nil, err
		}
	}
	return func(e *Entry) bool {
		for i, f := range s.Formats {
			if f.Source != "" {
				if v, ok := e.Find(f.Source); ok {
					e.Set(f.Label, v)
					if f.Label != f.Source {
						e.Delete(f.Source)
					}
				}
				continue
			}
			v, err := templates[i].of(e)
			if err != nil {
				e.fail(errFormat, err)
				continue
			}
			e.Set(f.Label, v)
		}
		return true
	}, nil
}
