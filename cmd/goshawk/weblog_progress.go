package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/goshawk-observability/goshawk/processors/weblog/report"
)

// weblogProgress draws a bar where w is a terminal, until what it returns is
// called, which removes it.
func weblogProgress(w io.Writer, p *report.Progress) (stop func()) {
	file, ok := w.(*os.File)
	if !ok {
		return func() {}
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func() {}
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				fmt.Fprint(w, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprint(w, "\r\x1b[K"+weblogBar(p))
			}
		}
	}()
	return func() {
		select {
		case <-done:
		default:
			close(done)
		}
		<-stopped
	}
}

func weblogBar(p *report.Progress) string {
	lines, read, total := humanize.Comma(p.Lines.Load()), p.Read.Load(), p.Total.Load()
	if total <= 0 {
		return fmt.Sprintf("%s lines, %s", lines, humanize.IBytes(uint64(max(0, read)))) //nolint:gosec // not negative
	}
	const width = 40
	share := min(1, float64(read)/float64(total))
	full := int(share * width)
	return fmt.Sprintf("[%s%s] %3.0f %%  %s lines", strings.Repeat("=", full), strings.Repeat(" ", width-full), share*100, lines)
}
