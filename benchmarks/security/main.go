// Command security scores how well injections are told from honest requests, on
// corpora that it finds on the machine: the tests of the OWASP Core Rule Set
// (Apache-2.0) and of libinjection-go (BSD-3) in the module cache, the sentences of
// the documentation of Go (BSD-3), and an access log in the combined format.
//
//	go run ./benchmarks/security [-weblog FILE] [-wrong N]
//
// For each corpus it prints how many of the attacks are found and how many of the
// others are accused, by what is strong and by anything at all, and what a request
// costs. The access log goes through the processor, too: what it finds there is
// printed. A corpus that is not there is left out, and said to be. This fetches the
// rules into the module cache:
//
//	go mod download github.com/corazawaf/coraza-coreruleset/v4@v4.25.0
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/goshawk-observability/goshawk/processors/security/injection"
)

func main() {
	weblog := flag.String("weblog", "", "access log of honest visitors in the combined format")
	wrong := flag.Int("wrong", 0, "how many texts that are judged wrong are printed of each corpus")
	flag.Parse()
	if err := run(*weblog, *wrong, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "security:", err)
		os.Exit(1)
	}
}

// sample is a request and the truth about it.
type sample struct {
	path, query, referrer string
	attack                bool
}

// corpus is a set of samples of one kind of attack. Kind is injection.Kinds where
// all kinds count: in what honest people ask for.
type corpus struct {
	name    string
	kind    injection.Kind
	samples []sample
}

// run scores every corpus and prints the table.
func run(weblog string, wrong int, out io.Writer) error {
	var all []corpus
	for _, load := range []func() ([]corpus, error){
		ruleSet, libinjectionTests, prose, func() ([]corpus, error) { return accessLog(weblog) },
	} {
		found, err := load()
		if err != nil {
			fmt.Fprintln(out, "left out:", err)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return fmt.Errorf("no corpus was found")
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "corpus\tattacks\tTPR\tTPR any\tothers\tFPR\tFPR any\tns/request\t")
	for i := range all {
		score(table, &all[i])
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the table: %w", err)
	}
	for i := range all {
		explain(out, &all[i], wrong)
	}
	if weblog != "" {
		return replay(weblog, out)
	}
	return nil
}

// judge returns how strong the finding of the corpus' kind is in a sample.
func judge(in *injection.Inspector, c *corpus, s *sample) injection.Strength {
	v := in.Request(s.path, s.query)
	strength := injection.None
	for kind, found := range v {
		if c.kind == injection.Kinds || c.kind == injection.Kind(kind) {
			strength = max(strength, found)
		}
	}
	if s.referrer != "" {
		for _, found := range in.Header(s.referrer) {
			strength = max(strength, found)
		}
	}
	return strength
}

func score(out io.Writer, c *corpus) {
	var in injection.Inspector
	var count [2]int // others, attacks
	var found [2][injection.Strong + 1]int
	for i := range c.samples {
		s := &c.samples[i]
		of := 0
		if s.attack {
			of = 1
		}
		count[of]++
		found[of][judge(&in, c, s)]++
	}
	share := func(of int, strengths ...injection.Strength) string {
		if count[of] == 0 {
			return "-"
		}
		n := 0
		for _, s := range strengths {
			n += found[of][s]
		}
		return fmt.Sprintf("%.4f", float64(n)/float64(count[of]))
	}
	fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%d\t%s\t%s\t%.0f\t\n", c.name, count[1], share(1, injection.Strong), share(1, injection.Strong, injection.Weak),
		count[0], share(0, injection.Strong), share(0, injection.Strong, injection.Weak), cost(&in, c))
}

// cost returns the processor time that a sample takes, in nanoseconds.
func cost(in *injection.Inspector, c *corpus) float64 {
	const long = 200 * time.Millisecond
	n := 0
	start := used()
	for used()-start < long && len(c.samples) > 0 {
		for i := range c.samples {
			judge(in, c, &c.samples[i])
		}
		n += len(c.samples)
	}
	return float64((used() - start).Nanoseconds()) / float64(max(n, 1))
}

// used returns the processor time of the process: others on the machine do not count.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// explain prints what was judged wrong.
func explain(out io.Writer, c *corpus, most int) {
	var in injection.Inspector
	for _, attack := range []bool{true, false} {
		left := most
		for i := range c.samples {
			s := &c.samples[i]
			strength := judge(&in, c, s)
			if s.attack != attack || attack == (strength == injection.Strong) || left == 0 {
				continue
			}
			if !attack && strength == injection.None {
				continue
			}
			left--
			verdict := [...]string{"missed", "weak", "accused"}[strength]
			fmt.Fprintf(out, "%s: %s: %.300q\n", c.name, verdict, cmp.Or(s.query, s.path))
		}
	}
}
