package memory

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// ofFile returns how much of the program's file is resident, in KiB.
func ofFile(t *testing.T) int {
	t.Helper()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	sum, inside := 0, false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		var kib int
		switch {
		case strings.HasSuffix(line, exe):
			inside = true
		case inside && strings.HasPrefix(line, "Rss:"):
			if _, err := fmt.Sscanf(line, "Rss: %d kB", &kib); err != nil {
				t.Fatal(err)
			}
			sum += kib
			inside = false
		}
	}
	return sum
}

func TestForgetStart(t *testing.T) {
	before := ofFile(t)
	if before == 0 {
		t.Fatal("nothing of the program's file is resident")
	}
	ForgetStart()
	if after := ofFile(t); after >= before {
		t.Errorf("%d KiB of the program's file are resident, %d before", after, before)
	}
}
