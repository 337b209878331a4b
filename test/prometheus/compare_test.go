package prometheus

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// comparison says how alike two answers must be.
type comparison struct {
	// tolerance is the relative difference that two numbers may have.
	tolerance float64
	// wording compares the texts of errors, warnings and notes too.
	wording bool
	// order compares the order of the series of an instant vector too.
	order bool
}

// pair are the two series that an error of matching names, of those that are
// too much: which ones it names is by chance.
var pair = regexp.MustCompile(`(?s): \[.*\]`)

// differ says how an answer differs from the expected one; empty for not at all.
func (c comparison) differ(got, want *answer) string {
	switch {
	case got.code != want.code:
		return fmt.Sprintf("status %d, want %d", got.code, want.code)
	case got.Status != want.Status:
		return fmt.Sprintf("status %q, want %q", got.Status, want.Status)
	case got.ErrorType != want.ErrorType:
		return fmt.Sprintf("errorType %q, want %q", got.ErrorType, want.ErrorType)
	}
	if c.wording {
		slices.Sort(got.Warnings)
		slices.Sort(want.Warnings)
		slices.Sort(got.Infos)
		slices.Sort(want.Infos)
		switch {
		case pair.ReplaceAllString(got.Error, "") != pair.ReplaceAllString(want.Error, ""):
			return fmt.Sprintf("error %q, want %q", got.Error, want.Error)
		case !slices.Equal(got.Warnings, want.Warnings):
			return fmt.Sprintf("warnings %q, want %q", got.Warnings, want.Warnings)
		case !slices.Equal(got.Infos, want.Infos):
			return fmt.Sprintf("infos %q, want %q", got.Infos, want.Infos)
		}
	}
	if len(got.Data) == 0 || len(want.Data) == 0 {
		if len(got.Data) != len(want.Data) {
			return "only one has data"
		}
		return ""
	}
	var a, b any
	for _, one := range []struct {
		text json.RawMessage
		into *any
	}{{got.Data, &a}, {want.Data, &b}} {
		if err := json.Unmarshal(one.text, one.into); err != nil {
			return err.Error()
		}
	}
	return c.values("data", c.canonical(a), c.canonical(b))
}

// canonical brings the series of a result into one order, as an object whose
// keys are their labels.
func (c comparison) canonical(data any) any {
	object, ok := data.(map[string]any)
	if !ok {
		return data
	}
	list, ok := object["result"].([]any)
	if !ok || object["resultType"] == "scalar" || object["resultType"] == "string" {
		return data
	}
	if c.order && object["resultType"] == "vector" {
		return data
	}
	series := map[string]any{}
	for _, one := range list {
		s, ok := one.(map[string]any)
		if !ok {
			return data
		}
		key, err := json.Marshal(s["metric"])
		if err != nil {
			return data
		}
		name := string(key)
		for series[name] != nil {
			name += " again"
		}
		series[name] = s
	}
	return map[string]any{"resultType": object["resultType"], "result": series}
}

// values compares two decoded values, numbers in strings as numbers.
func (c comparison) values(path string, got, want any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, key := range slices.Sorted(maps.Keys(w)) {
			if _, ok := g[key]; !ok {
				return fmt.Sprintf("%s: %s is missing (%d are there, want %d)", path, key, len(g), len(w))
			}
			if text := c.values(path+"."+key, g[key], w[key]); text != "" {
				return text
			}
		}
		for _, key := range slices.Sorted(maps.Keys(g)) {
			if _, ok := w[key]; !ok {
				return fmt.Sprintf("%s: %s is too much (%d are there, want %d)", path, key, len(g), len(w))
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok {
			break
		}
		for i := range min(len(g), len(w)) {
			if text := c.values(fmt.Sprintf("%s[%d]", path, i), g[i], w[i]); text != "" {
				return text
			}
		}
		if len(g) != len(w) {
			return fmt.Sprintf("%s: has %d elements, want %d", path, len(g), len(w))
		}
		return ""
	case string:
		g, ok := got.(string)
		if ok && (g == w || !strings.Contains(path, ".metric.") && c.close(g, w)) {
			return ""
		}
	default:
		if got == want {
			return ""
		}
	}
	return fmt.Sprintf("%s: %v, want %v", path, got, want)
}

func (c comparison) close(got, want string) bool {
	g, err := strconv.ParseFloat(got, 64)
	if err != nil {
		return false
	}
	w, err := strconv.ParseFloat(want, 64)
	if err != nil {
		return false
	}
	return math.Abs(g-w) <= c.tolerance*math.Max(math.Abs(g), math.Abs(w))
}
