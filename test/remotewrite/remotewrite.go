// Package remotewrite tests Prometheus remote-write from the outside: the real
// binary with its embedded broker against the receiver suite of the Prometheus
// compliance project.
package remotewrite
