// Package logpattern finds the patterns of log lines: the text that a program
// writes every time, with [Wild] in place of what changes.
//
// It has two layers. A [Masker] makes the shape of a line: what looks like a
// value (a number, an address, a path, an identifier, a time) becomes [Wild]. A
// shape is a function of the line alone, so it is the same in every process, in
// any order, and after any restart. [Merge] then finds shapes that differ in words
// that vary, such as names of users, and makes one pattern of them; it is a
// function of the set of shapes alone.
//
// It must not know where lines come from or where patterns go.
package logpattern

import "github.com/zeebo/xxh3"

// Wild stands in shapes and patterns for text that changes.
const Wild = "<*>"

// What of a body counts: longer lines have the shape of their beginning.
const (
	maxBytes  = 4 << 10
	maxTokens = 128
)

// ID returns the id of a shape, which is never zero.
func ID(shape []byte) uint64 { return max(xxh3.Hash(shape), 1) }
