//go:build !race

package main

// raceDetector says whether the test runs with the race detector, which costs ten
// times as much.
const raceDetector = false
