//go:build race

package gateway

// inParallel is how many bombs are sent at once. The race detector makes every
// one of them several times as expensive.
const inParallel = 25
