// Package timerslack lets the kernel wake a process somewhat later than it asked for.
//
// While a Go program works, a thread of its runtime looks every 20 us whether another
// one hangs in a system call, and each look is a timer, an interrupt and a switch of
// threads: on a virtual machine a tenth of the CPU time of a process that answers
// small requests. With a millisecond of slack it looks a thousand times a second.
package timerslack
