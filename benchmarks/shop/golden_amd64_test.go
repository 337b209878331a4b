package shop_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
	"github.com/goshawk-observability/goshawk/telemetry"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestDeterminism compares a hash of the first requests of each signal, and of
// the standard loads, with those of testdata/golden.json. A change of the model
// changes them: rewrite the file with `make golden` or
// `go test ./benchmarks/shop -run Determinism -update`, and say in the change
// why figures measured before and after it can, or cannot, be compared.
//
// The test is for amd64 alone: other processors may fuse multiplications and
// additions and so differ in the last bit of a duration.
func TestDeterminism(t *testing.T) {
	got := map[string]string{}
	for _, seed := range []uint64{1, 2} {
		c := config()
		c.Seed = seed
		s := newShop(t, c)
		hashes := [3]interface {
			Write([]byte) (int, error)
			Sum([]byte) []byte
		}{sha256.New(), sha256.New(), sha256.New()}
		var counts [3]int
		until := start.Add(3600e9).UnixNano()
		for counts[0] < 100 || counts[1] < 100 || counts[2] < 100 {
			r, ok := s.Next(until)
			if !ok {
				t.Fatal("an hour is over")
			}
			if counts[r.Signal]++; counts[r.Signal] <= 100 {
				_, _ = hashes[r.Signal].Write(r.Body)
			}
		}
		for _, signal := range telemetry.Signals {
			got[map[uint64]string{1: "seed 1, ", 2: "seed 2, "}[seed]+signal.String()] = hex.EncodeToString(hashes[signal].Sum(nil))
		}
	}
	for name, load := range map[string]func(shop.BenchConfig) []shop.Request{"bench logs": shop.BenchLogs, "bench spans": shop.BenchSpans, "bench samples": shop.BenchSamples} {
		h := sha256.New()
		for _, r := range load(shop.BenchConfig{Seed: 42, Events: 25000, PerRequest: 500, Start: start}) {
			_, _ = h.Write(r.Body)
		}
		got[name] = hex.EncodeToString(h.Sum(nil))
	}

	const path = "testdata/golden.json"
	if *update {
		text, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got); see the comment of this test\n%s", diff)
	}
	if got["seed 1, spans"] == got["seed 2, spans"] {
		t.Error("two seeds give the same spans")
	}
}
