package pipelinetest

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
	"unsafe"
)

// view copies a string into the parser's memory and returns a view of it, as
// the strings of a decoded batch are views of a record.
func (p *parser) view(v string) string {
	if v == "" {
		return ""
	}
	if len(p.memory)+len(v) > cap(p.memory) {
		panic("pipelinetest: a line takes more memory than its text")
	}
	start := len(p.memory)
	p.memory = append(p.memory, v...)
	return unsafe.String(&p.memory[start], len(v))
}

func (p *parser) stringField(target *string) func(string) error {
	return func(v string) error { *target = p.view(v); return nil }
}

func intField(target *int64) func(string) error {
	return func(v string) (err error) { *target, err = strconv.ParseInt(v, 10, 64); return err }
}

// timeField reads a time in nanoseconds, or as a duration since 1970 such as 1.5s.
func timeField(target *int64) func(string) error {
	return func(v string) error {
		if d, err := time.ParseDuration(v); err == nil {
			*target = int64(d)
			return nil
		}
		return intField(target)(v)
	}
}

func byteField(target *uint8) func(string) error {
	return func(v string) error {
		n, err := strconv.ParseUint(v, 10, 8)
		*target = uint8(n)
		return err
	}
}

func floatField(target *float64) func(string) error {
	return func(v string) (err error) { *target, err = strconv.ParseFloat(v, 64); return err }
}

// hexField reads an id; short ones fill its end.
func hexField(target []byte) func(string) error {
	return func(v string) error {
		b, err := hex.DecodeString(v)
		if err != nil || len(b) > len(target) {
			return fmt.Errorf("%q is not an id of %d bytes", v, len(target))
		}
		copy(target[len(target)-len(b):], b)
		return nil
	}
}

// id writes an id without leading zero bytes; nothing for none.
func id(b []byte) string {
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	return hex.EncodeToString(b)
}
