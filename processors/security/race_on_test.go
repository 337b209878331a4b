//go:build race

package security_test

// raceDetector says whether the test runs with the race detector, which costs ten
// times as much.
const raceDetector = true
