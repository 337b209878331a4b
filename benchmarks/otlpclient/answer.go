package otlpclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// maxMessage bounds what is kept of a gateway's message.
const maxMessage = 512

// parseAnswer reads an Export*ServiceResponse. The three have the same shape:
// field 1 is the partial success, in it 1 the count and 2 the message.
func parseAnswer(contentType string, body []byte, signal telemetry.Signal) (answer, error) {
	if media, _, _ := mime.ParseMediaType(contentType); media == "application/json" {
		return parseJSONAnswer(body, signal)
	}
	var a answer
	err := eachField(body, func(field protowire.Number, kind protowire.Type, value []byte, _ uint64) error {
		if field != 1 || kind != protowire.BytesType {
			return nil
		}
		return eachField(value, func(field protowire.Number, kind protowire.Type, value []byte, number uint64) error {
			switch {
			case field == 1 && kind == protowire.VarintType:
				a.rejected = int64(number)
			case field == 2 && kind == protowire.BytesType:
				a.message = shorten(string(value))
			}
			return nil
		})
	})
	if err != nil {
		return answer{}, err
	}
	if a.rejected < 0 {
		return answer{}, fmt.Errorf("partial success with %d rejected events", a.rejected)
	}
	return a, nil
}

func parseJSONAnswer(body []byte, signal telemetry.Signal) (answer, error) {
	if len(body) == 0 {
		return answer{}, nil
	}
	var message struct {
		PartialSuccess struct {
			Logs    json.Number `json:"rejectedLogRecords"`
			Spans   json.Number `json:"rejectedSpans"`
			Points  json.Number `json:"rejectedDataPoints"`
			Message string      `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return answer{}, fmt.Errorf("reading JSON: %w", err)
	}
	p := message.PartialSuccess
	a := answer{message: shorten(p.Message)}
	number := [...]json.Number{telemetry.Logs: p.Logs, telemetry.Spans: p.Spans, telemetry.Metrics: p.Points}[signal]
	if number != "" {
		n, err := number.Int64()
		if err != nil || n < 0 {
			return answer{}, fmt.Errorf("partial success with %s rejected events", number)
		}
		a.rejected = n
	}
	return a, nil
}

// eachField visits the top-level fields of a protobuf message.
func eachField(b []byte, visit func(protowire.Number, protowire.Type, []byte, uint64) error) error {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("reading a tag: %w", protowire.ParseError(n))
		}
		b = b[n:]
		var value []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			return fmt.Errorf("reading field %d: %w", field, protowire.ParseError(n))
		}
		if err := visit(field, kind, value, number); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// statusMessage returns the message of a google.rpc.Status, or the text itself
// where the body is something else.
func statusMessage(contentType string, body []byte) string {
	media, _, _ := mime.ParseMediaType(contentType)
	switch media {
	case "application/x-protobuf":
		var message string
		err := eachField(body, func(field protowire.Number, kind protowire.Type, value []byte, _ uint64) error {
			if field == 2 && kind == protowire.BytesType {
				message = string(value)
			}
			return nil
		})
		if err != nil {
			return ""
		}
		return shorten(message)
	case "application/json":
		var status struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(body, &status) == nil && status.Message != "" {
			return shorten(status.Message)
		}
	}
	return shorten(strings.TrimSpace(string(body)))
}

func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "..."
	}
	return s
}

// retryAfter reads a Retry-After header, seconds or a date; 0 if there is none.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		// Zero means at once; the shortest wait keeps it different from "none".
		return max(time.Duration(seconds)*time.Second, time.Millisecond)
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(date.Sub(now), time.Millisecond)
	}
	return 0
}

// parseRetryInfo returns the delay in a google.rpc.Status message that holds a
// google.rpc.RetryInfo, and whether it holds one.
func parseRetryInfo(status []byte) (time.Duration, bool) {
	var delay time.Duration
	found := false
	err := eachField(status, func(field protowire.Number, kind protowire.Type, detail []byte, _ uint64) error {
		if field != 3 || kind != protowire.BytesType {
			return nil
		}
		var url string
		var value []byte
		if err := eachField(detail, func(field protowire.Number, _ protowire.Type, text []byte, _ uint64) error {
			switch field {
			case 1:
				url = string(text)
			case 2:
				value = text
			}
			return nil
		}); err != nil {
			return err
		}
		if !strings.HasSuffix(url, "/google.rpc.RetryInfo") {
			return nil
		}
		found = true
		return eachField(value, func(field protowire.Number, kind protowire.Type, duration []byte, _ uint64) error {
			if field != 1 || kind != protowire.BytesType {
				return nil
			}
			return eachField(duration, func(field protowire.Number, kind protowire.Type, _ []byte, number uint64) error {
				if kind != protowire.VarintType {
					return errors.New("a duration that is no number")
				}
				switch field {
				case 1:
					delay += time.Duration(min(number, 1<<30)) * time.Second
				case 2:
					delay += time.Duration(min(number, 1e9))
				}
				return nil
			})
		})
	})
	if err != nil {
		return 0, false
	}
	return delay, found
}
