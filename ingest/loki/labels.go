package loki

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parseLabels appends the labels of a text such as {app="shop", level="info"}.
func parseLabels(dst []label, text string) ([]label, error) {
	rest := strings.TrimSpace(text)
	if !strings.HasPrefix(rest, "{") || !strings.HasSuffix(rest, "}") {
		return dst, errors.New("want labels in braces")
	}
	rest = strings.TrimSpace(rest[1 : len(rest)-1])
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return dst, fmt.Errorf("want NAME=\"VALUE\" at %.40q", rest)
		}
		after = strings.TrimSpace(after)
		quoted, err := strconv.QuotedPrefix(after)
		if err != nil {
			return dst, fmt.Errorf("the value of %.40q is not in quotes", name)
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return dst, fmt.Errorf("the value of %.40q is not in quotes", name)
		}
		dst = append(dst, label{[]byte(name), []byte(value)})
		rest = strings.TrimSpace(after[len(quoted):])
		switch {
		case rest == "":
		case rest[0] == ',':
			rest = strings.TrimSpace(rest[1:])
		default:
			return dst, fmt.Errorf("want a comma at %.40q", rest)
		}
	}
	return dst, nil
}
