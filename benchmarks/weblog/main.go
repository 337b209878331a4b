// Command weblog generates access logs, and compares the report of goshawk on
// them with that of GoAccess.
//
//	go run ./benchmarks/weblog -lines 1000000 -seed 42 > access.log
//	go run ./benchmarks/weblog compare access.log
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "weblog: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && args[0] == "compare" {
		return compareFiles(args[1:])
	}
	flags := flag.NewFlagSet("weblog", flag.ContinueOnError)
	lines := flags.Int("lines", 1_000_000, "how many lines to write")
	seed := flags.Uint64("seed", 42, "seed of everything that is random")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return newGenerator(*seed).write(os.Stdout, *lines)
}
