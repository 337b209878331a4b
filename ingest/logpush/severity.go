package logpush

import "strings"

// severities are OTLP's severity numbers by the names that loggers have for levels,
// in lower case.
var severities = map[string]uint8{
	"trace": 1, "verbose": 1, "finest": 1, "debug": 5, "dbg": 5, "fine": 5, "d": 5, "info": 9, "information": 9, "informational": 9, "i": 9,
	"notice": 10, "warn": 13, "warning": 13, "w": 13, "error": 17, "err": 17, "severe": 17, "e": 17, "critical": 18, "crit": 18,
	"alert": 19, "fatal": 21, "emergency": 21, "emerg": 21, "panic": 21, "f": 21,
}

// longestLevel bounds the names of levels that are looked up.
const longestLevel = 16

// Severity returns OTLP's severity number of a level by its name, 0 if it is none.
func Severity(level []byte) uint8 {
	if len(level) > longestLevel {
		return 0
	}
	if n, ok := severities[string(level)]; ok {
		return n
	}
	return severities[strings.ToLower(string(level))]
}
