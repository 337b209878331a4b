package topic

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCommitmentRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := commitment{
			epoch: rapid.Uint32Min(1).Draw(t, "epoch"),
			at:    rapid.Int64Range(0, 1<<50).Draw(t, "at"),
			to:    rapid.Int64Range(0, 1<<62).Draw(t, "to"),
		}
		// As a block does: repeats are added until no more fit.
		var size repeatsSize
		distance := int64(-1)
		for range rapid.IntRange(0, 3000).Draw(t, "repeats") {
			if rapid.IntRange(0, 2).Draw(t, "gap") == 0 {
				distance += rapid.Int64Range(1, 1<<40).Draw(t, "by")
			}
			distance++
			want.repeats = append(want.repeats, distance)
			if size.add(distance); !size.fit() {
				break
			}
		}
		text := want.String()
		if len(text) > maxMetadata {
			t.Fatalf("%d bytes of metadata", len(text))
		}
		got, ours, err := parseCommitment(text)
		if err != nil || !ours {
			t.Fatalf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(commitment{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestCommitmentText(t *testing.T) {
	c := commitment{epoch: 0xabc, at: 7, to: 99, repeats: []int64{0, 3, 4, 5, 9}}
	if got, want := c.String(), "goshawk/1;epoch=00000abc;at=7;to=99;repeats=0,3-5,9"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, text := range []string{"", "x", "{\"json\": 1}", "goshawk"} {
		if _, ours, err := parseCommitment(text); ours || err != nil {
			t.Errorf("%q: ours %v, %v", text, ours, err)
		}
	}
	if _, _, err := parseCommitment("goshawk/2;what=ever"); !errors.Is(err, errLaterVersion) {
		t.Errorf("later version: %v", err)
	}
	for _, text := range []string{
		"goshawk/1", "goshawk/1;to=4", "goshawk/1;epoch=zz", "goshawk/1;epoch=1;to=x", "goshawk/1;epoch=1;to=-4",
		"goshawk/1;epoch=1;repeats=", "goshawk/1;epoch=1;repeats=3,2", "goshawk/1;epoch=1;repeats=5-4",
		"goshawk/1;epoch=1;repeats=0-99999999999",
	} {
		if c, ours, err := parseCommitment(text); ours || err == nil {
			t.Errorf("%q is read as %+v", text, c)
		}
	}
}

func FuzzCommitment(f *testing.F) {
	f.Add("goshawk/1;epoch=00000abc;at=7;to=99;repeats=0,3-5,9")
	f.Fuzz(func(t *testing.T, text string) {
		c, ours, err := parseCommitment(text)
		if err != nil || !ours {
			return
		}
		if len(c.repeats) > 100_000 {
			return
		}
		again, ours, err := parseCommitment(c.String())
		if err != nil || !ours || again.epoch != c.epoch || again.to != c.to || !slices.Equal(again.repeats, c.repeats) {
			t.Errorf("%q is read as %+v, and then as %+v, %v", text, c, again, err)
		}
	})
}

func TestConfigs(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := DefaultSourceConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config){
		"empty":       func(c *Config) { c.Logs = "" },
		"slash":       func(c *Config) { c.Spans = "a/b" },
		"long":        func(c *Config) { c.Metrics = strings.Repeat("a", 250) },
		"twice":       func(c *Config) { c.DeadLetter = c.Logs },
		"partitions":  func(c *Config) { c.Partitions = 0 },
		"replication": func(c *Config) { c.Replication = 0 },
		"negative":    func(c *Config) { c.Retention = -1 },
		"retention":   func(c *Config) { c.Retention = time.Second },
		"message":     func(c *Config) { c.MaxMessage = 1 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, change := range map[string]func(*SourceConfig){
		"events":    func(c *SourceConfig) { c.MaxEvents = 0 },
		"bytes":     func(c *SourceConfig) { c.MaxBytes = 1 },
		"wait":      func(c *SourceConfig) { c.MaxWait = -1 },
		"fetch":     func(c *SourceConfig) { c.FetchBytes = 1 << 31 },
		"fetchwait": func(c *SourceConfig) { c.FetchWait = 0 },
		"window":    func(c *SourceConfig) { c.RepeatWindow = -1 },
		"ids":       func(c *SourceConfig) { c.RepeatIDs = -1 },
		"session":   func(c *SourceConfig) { c.SessionTimeout = c.HeartbeatInterval },
		"rebalance": func(c *SourceConfig) { c.RebalanceTimeout = 0 },
	} {
		cfg := DefaultSourceConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestBatchIDs(t *testing.T) {
	seen := map[BatchID]string{}
	for _, tenant := range []string{"a", "b"} {
		for _, body := range []string{"", "x", "y"} {
			request := RequestID(tenant, []byte(body))
			for part := range 100 {
				id := request.Part(part)
				key := tenant + "/" + body
				if other, ok := seen[id]; ok || id.IsZero() {
					t.Fatalf("%s and %s have the same id", key, other)
				}
				seen[id] = key
				if RequestID(tenant, []byte(body)).Part(part) != id {
					t.Fatal("ids differ from one call to the next")
				}
			}
		}
	}
}
