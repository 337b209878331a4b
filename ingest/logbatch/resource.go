package logbatch

import "github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"

// Resource returns an encoded Resource. Attributes without a value are left out;
// of others with the same key the last one counts.
func Resource(attributes ...logwriter.Attribute) []byte {
	var b []byte
	for i, a := range attributes {
		if a.Value != "" && !again(attributes[i+1:], a.Key) {
			b = logwriter.AppendResource(b, a)
		}
	}
	return b
}

func again(attributes []logwriter.Attribute, key string) bool {
	for _, a := range attributes {
		if a.Key == key && a.Value != "" {
			return true
		}
	}
	return false
}
