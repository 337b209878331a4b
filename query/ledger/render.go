package ledger

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report as a table for a terminal, the verdict last.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	columns := []string{"topic", "partition", "tenant", "offsets", "blocks", "accepted", "stored", "rejected", "dropped", "repeated"}
	if r.Verified {
		columns = append(columns, "found", "sampled", "dead letters", "expired", "pending")
	}
	columns = append(columns, "lag")
	fmt.Fprintln(t, strings.Join(columns, "\t")+"\t")
	for _, p := range r.Partitions {
		fmt.Fprintf(t, "%s\t%d\t%s\t%d-%d\t", p.Topic, p.Partition, p.Tenant, max(p.From, 0), p.To)
		writeCounts(t, p.Counts, r.Verified)
		fmt.Fprintf(t, "%s\t\n", unknown(p.Lag))
	}
	if len(r.Partitions) != 1 {
		fmt.Fprintf(t, "total\t\t\t\t")
		writeCounts(t, r.Totals, r.Verified)
		fmt.Fprintf(t, "%s\t\n", unknown(r.Lag))
	}
	_ = t.Flush() // a strings.Builder takes everything
	if len(r.Problems) > 0 {
		b.WriteString("\n")
		p := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(p, "problem\ttopic\tpartition\ttenant\toffsets\tdetail")
		for _, problem := range r.Problems {
			offsets := fmt.Sprintf("[%d,%d)", problem.From, problem.To)
			if problem.To < 0 {
				offsets = fmt.Sprintf("[%d,?)", problem.From)
			}
			detail := problem.Detail
			if len(problem.Tables) > 0 {
				detail += " (" + strings.Join(problem.Tables, ", ") + ")"
			}
			fmt.Fprintf(p, "%s\t%s\t%d\t%s\t%s\t%s\n", problem.Kind, problem.Topic, problem.Partition, problem.Tenant, offsets, detail)
		}
		_ = p.Flush()
		if more := r.ProblemCount - len(r.Problems); more > 0 {
			fmt.Fprintf(&b, "and %d more\n", more)
		}
	}
	b.WriteString("\n" + r.Verdict() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func writeCounts(w io.Writer, c Counts, verified bool) {
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t", c.Blocks, c.Accepted, c.Stored, c.Rejected, c.Dropped, c.Repeated)
	if verified {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t", c.Found, c.Sampled, c.DeadLettered, c.Expired, c.Pending)
	}
}

func unknown(n int64) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}

// Verdict says in one line how the audit ended.
func (r *Report) Verdict() string {
	t := r.Totals
	sum := fmt.Sprintf("accepted %d = stored %d + rejected %d + dropped %d", t.Accepted, t.Stored, t.Rejected, t.Dropped)
	switch {
	case !r.Balanced:
		return fmt.Sprintf("NOT BALANCED: %d problems in %d blocks", r.ProblemCount, t.Blocks)
	case t.Blocks == 0:
		return "balanced: nothing is stored yet"
	case r.Verified:
		return fmt.Sprintf("balanced: %s; %d blocks compared with the tables row for row", sum, t.Blocks)
	}
	return fmt.Sprintf("balanced: %s; the ledger of %d blocks adds up (the tables were not read)", sum, t.Blocks)
}
