package probe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTargetsFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "targets.yaml")
	stamp := time.Now().Add(-time.Hour)
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// File systems have coarse clocks.
		stamp = stamp.Add(time.Second)
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	put("targets: [{target: a, module: icmp, interval: 5s}]")
	f, err := openTargets(path)
	if err != nil {
		t.Fatal(err)
	}
	good := []Target{{Target: "a", Module: "icmp", Interval: 5 * time.Second}}
	check := func(when string, wantChanged bool, wantError string) {
		t.Helper()
		changed, err := f.read()
		if changed != wantChanged || (err == nil) != (wantError == "") || err != nil && !strings.Contains(err.Error(), wantError) {
			t.Errorf("%s: changed %t, %v", when, changed, err)
		}
		if diff := cmp.Diff(good, f.targets); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	check("unchanged", false, "")
	put("targets: [{target: a, modul: icmp}]")
	check("an unknown key", false, "line 1")
	check("the same again, which is told once", false, "")
	if err := os.Rename(path, path+".gone"); err != nil {
		t.Fatal(err)
	}
	check("gone", false, "no such file")
	good = []Target{{Target: "b", Module: "icmp"}}
	put("targets: [{target: b, module: icmp}]")
	check("mended", true, "")
	good = nil
	put("")
	check("empty", true, "")
}

// FuzzParseTargets checks that what is read validates or is refused, and that
// nothing is made up.
func FuzzParseTargets(f *testing.F) {
	f.Add([]byte("targets:\n  - {target: \"http://a\", module: http_2xx, interval: 5s, labels: {a: b}}\n"))
	f.Add([]byte("targets: [{target: a, timeout: 1h}]"))
	f.Add([]byte("targets: 3"))
	f.Add([]byte("- a"))
	f.Fuzz(func(t *testing.T, text []byte) {
		targets, err := parseTargets(text)
		if err != nil {
			return
		}
		cfg := DefaultConfig()
		if cfg.validateTargets(targets) != nil {
			return
		}
		for _, target := range targets {
			target = cfg.complete(target)
			if target.Timeout <= 0 || target.Timeout >= target.Interval || target.Target == "" || !strings.Contains(string(text), "target") {
				t.Errorf("%q gives %+v", text, target)
			}
		}
	})
}
