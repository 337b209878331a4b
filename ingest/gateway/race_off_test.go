//go:build !race

package gateway

// inParallel is how many bombs are sent at once.
const inParallel = 100
