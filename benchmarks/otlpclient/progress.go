package otlpclient

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
)

// Progress writes one line on what the client does, every second over the last
// one on a terminal, every ten seconds otherwise, until ctx ends.
func (c *Client) Progress(ctx context.Context, w io.Writer) {
	terminal := isTerminal(w)
	every := 10 * time.Second
	if terminal {
		every = time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last := c.Report()
	for {
		select {
		case <-ctx.Done():
			if terminal {
				fmt.Fprint(w, "\r\x1b[K")
			}
			return
		case <-ticker.C:
		}
		now := c.Report()
		line := progressLine(&last, &now)
		if terminal {
			fmt.Fprint(w, "\r\x1b[K"+line)
		} else {
			fmt.Fprintln(w, line)
		}
		last = now
	}
}

func progressLine(last, now *Report) string {
	before, after := last.Total(), now.Total()
	rate := 0.0
	if elapsed := (now.Elapsed - last.Elapsed).Seconds(); elapsed > 0 {
		rate = float64(after.Acknowledged-before.Acknowledged) / elapsed
	}
	line := fmt.Sprintf("%6s  %s events/s  acknowledged %s  retried %s",
		now.Elapsed.Round(time.Second), humanize.Comma(int64(rate)), humanize.Comma(after.Acknowledged), humanize.Comma(after.Retried))
	if n := after.Rejected + after.Refused; n > 0 {
		line += fmt.Sprintf("  refused %s", humanize.Comma(n))
	}
	if after.Retried > before.Retried {
		line += "  (" + now.LastError + ")"
	}
	return line
}

// WriteSummary writes the report for a person.
func (r *Report) WriteSummary(w io.Writer) {
	fmt.Fprintf(w, "%-8s %12s %14s %10s %10s %10s %10s %10s\n", "signal", "events", "acknowledged", "rejected", "refused", "unanswered", "retried", "bytes")
	row := func(name string, t Totals) {
		fmt.Fprintf(w, "%-8s %12s %14s %10s %10s %10s %10s %10s\n", name,
			humanize.Comma(t.Events), humanize.Comma(t.Acknowledged), humanize.Comma(t.Rejected),
			humanize.Comma(t.Refused), humanize.Comma(t.Unanswered), humanize.Comma(t.Retried), humanize.IBytes(uint64(t.Bytes)))
	}
	row("logs", r.Logs)
	row("spans", r.Spans)
	row("metrics", r.Metrics)
	total := r.Total()
	row("total", total)
	rate := 0.0
	if s := r.Elapsed.Seconds(); s > 0 {
		rate = float64(total.Acknowledged) / s
	}
	fmt.Fprintf(w, "%s acknowledged events/s over %s; time to acknowledge p50 %s, p90 %s, p99 %s, max %s\n",
		humanize.Comma(int64(rate)), r.Elapsed.Round(time.Millisecond),
		round(r.Latency.P50), round(r.Latency.P90), round(r.Latency.P99), round(r.Latency.Max))
	if total.Refused+total.Unanswered > 0 && r.LastError != "" {
		fmt.Fprintf(w, "last error: %s\n", r.LastError)
	}
	if r.LastPartial != "" {
		fmt.Fprintf(w, "last rejection: %s\n", r.LastPartial)
	}
}

func round(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d.Round(time.Microsecond)
	}
	return d.Round(10 * time.Microsecond)
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
