package otlpjson

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"

	"github.com/goshawk-observability/goshawk/internal/jsontext"
)

// bytes takes a string and appends the bytes that it stands for.
func (t *transcoder) bytes(k kind) error {
	raw, escaped, err := t.RawString()
	if err != nil {
		return err
	}
	// Neither unescaping nor decoding makes a string longer.
	if err := t.room(len(raw)); err != nil {
		return err
	}
	start := len(t.dst)
	if !escaped {
		t.dst = append(t.dst, raw...)
	} else {
		var ok bool
		if t.dst, ok = jsontext.AppendUnescaped(t.dst, raw); !ok {
			return t.Errorf("a string holds an unknown escape")
		}
	}
	if k == text {
		return nil
	}
	var n int
	decoded := t.dst[start:]
	if k == hexID {
		if n, err = hex.Decode(decoded, decoded); err != nil {
			return t.Errorf("%.40q is not hexadecimal", decoded)
		}
	} else if n, err = decodeBase64(decoded); err != nil {
		return t.Errorf("bytes are not in base64: %v", err)
	}
	t.dst = t.dst[:start+n]
	return nil
}

// decodeBase64 decodes in place, the standard and the URL alphabet, with and
// without padding.
func decodeBase64(b []byte) (int, error) {
	encoding := base64.RawStdEncoding
	if bytes.ContainsAny(b, "-_") {
		encoding = base64.RawURLEncoding
	}
	return encoding.Decode(b, bytes.TrimRight(b, "="))
}
