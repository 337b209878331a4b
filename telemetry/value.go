package telemetry

import "math"

// Kind says which of the types of an OTLP AnyValue a [Value] holds.
type Kind uint8

// The kinds, in the order of the fields of AnyValue.
const (
	KindEmpty Kind = iota
	KindString
	KindBool
	KindInt
	KindDouble
	KindArray
	KindMap
	KindBytes
)

// Value is an OTLP AnyValue.
//
// Scalars are decoded. An array or a map keeps the protobuf encoding of its
// ArrayValue or KeyValueList in Str: few consumers look inside, and those that
// do render it with otlp.AppendJSON.
type Value struct {
	// Str holds the text of a string, the bytes of a byte value, or the
	// protobuf encoding of an array or map. It is a view of the record.
	Str string
	// Num holds a bool (0 or 1), an integer (as uint64(int64)) or the bits of a double.
	Num  uint64
	Kind Kind
}

// Bool returns the value of a bool.
func (v *Value) Bool() bool { return v.Num != 0 }

// Int returns the value of an integer.
func (v *Value) Int() int64 { return int64(v.Num) }

// Double returns the value of a double.
func (v *Value) Double() float64 { return math.Float64frombits(v.Num) }

// StringValue returns a string value that views s.
func StringValue(s string) Value { return Value{Kind: KindString, Str: s} }

// IntValue returns an integer value.
func IntValue(i int64) Value { return Value{Kind: KindInt, Num: uint64(i)} }

// DoubleValue returns a double value.
func DoubleValue(f float64) Value { return Value{Kind: KindDouble, Num: math.Float64bits(f)} }

// BoolValue returns a bool value.
func BoolValue(b bool) Value {
	v := Value{Kind: KindBool}
	if b {
		v.Num = 1
	}
	return v
}

// Attr is one attribute: a key and its value.
type Attr struct {
	Key   string
	Value Value
}

// TextOf returns the text of the first attribute with the key that is a string,
// empty where there is none.
func TextOf(attrs []Attr, key string) string {
	for i := range attrs {
		if attrs[i].Key == key && attrs[i].Value.Kind == KindString {
			return attrs[i].Value.Str
		}
	}
	return ""
}
