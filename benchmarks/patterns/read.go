package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strings"
)

// line is a line with its template.
type line struct {
	content, template string
}

// read reads the lines of a system.
func read(name string) ([]line, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading a system: %w", err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("reading %s: there are no lines", name)
	}
	content, template := slices.Index(rows[0], "Content"), slices.Index(rows[0], "EventTemplate")
	if content < 0 || template < 0 {
		return nil, fmt.Errorf("reading %s: want the columns Content and EventTemplate", name)
	}
	lines := make([]line, 0, len(rows)-1)
	for _, row := range rows[1:] {
		lines = append(lines, line{content: row[content], template: row[template]})
	}
	return lines, nil
}

// normal brings a template into the form in which texts are compared: spaces of
// one kind, and one variable for those that follow each other with nothing or a
// dot between, as the guidelines for these templates have it.
func normal(template string) string {
	text := strings.Join(strings.Fields(template), " ")
	for {
		next := strings.ReplaceAll(strings.ReplaceAll(text, "<*><*>", "<*>"), "<*>.<*>", "<*>")
		if next == text {
			return text
		}
		text = next
	}
}
