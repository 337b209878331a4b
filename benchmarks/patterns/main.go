// Command patterns scores how well the patterns of log lines are found, on data
// in the format of loghub: a folder for each system, with a file
// NAME_structured_corrected.csv that has the columns Content and EventTemplate.
//
//	go run ./benchmarks/patterns -data DIR
//
// Lines go through both layers of telemetry/logpattern with one configuration for
// all systems. It prints grouping accuracy, F1 of grouping, parsing accuracy and F1
// of templates for each system, and what a line costs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

func main() {
	data := flag.String("data", "", "folder with a folder for each system")
	wrong := flag.Int("wrong", 0, "how many groups that are wrong are printed of each system")
	flag.Parse()
	if err := run(*data, *wrong, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "patterns:", err)
		os.Exit(1)
	}
}

// run scores every system below a folder and prints the table.
func run(data string, wrong int, out io.Writer) error {
	if data == "" {
		return errors.New("-data: want the folder of the systems")
	}
	files, err := filepath.Glob(filepath.Join(data, "*", "*_structured_corrected.csv"))
	if err != nil {
		return fmt.Errorf("looking for systems: %w", err)
	}
	if len(files) == 0 {
		return fmt.Errorf("%s: no file */*_structured_corrected.csv", data)
	}
	slices.Sort(files)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "system\tlines\ttemplates\tshapes\tpatterns\tGA\tFGA\tPA\tFTA\tns/line\tmerge ms\t")
	row := func(name string, s *score) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.0f\t%.2f\t\n", name, s.lines, s.templates, s.shapes, s.patterns,
			s.ga, s.fga, s.pa, s.fta, s.nanoseconds, s.merge.Seconds()*1000)
	}
	var mean score
	for _, file := range files {
		lines, err := read(file)
		if err != nil {
			return err
		}
		found := find(lines)
		s := rate(lines, found)
		name := filepath.Base(filepath.Dir(file))
		row(name, &s)
		mean.add(&s, len(files))
		if wrong > 0 {
			fmt.Fprintf(out, "\n== %s\n", name)
			explain(out, lines, found, wrong)
		}
	}
	row("mean", &mean)
	return table.Flush()
}
