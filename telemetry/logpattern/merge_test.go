package logpattern_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
)

// shape returns the shape of a text.
func shape(text string) string {
	var m logpattern.Masker
	return string(m.Shape(text))
}

func TestMerge(t *testing.T) {
	for name, c := range map[string]struct{ lines, want []string }{
		"two words are no variable": {
			[]string{"cache flush begins", "cache flush ends"}, []string{"cache flush begins", "cache flush ends"},
		},
		"many words": {
			[]string{"opened by alice now", "opened by bob now", "opened by carol now", "opened by dave now", "opened by erin now", "opened by frank now"},
			[]string{"opened by <*> now"},
		},
		"a word beside a value": {
			[]string{"opened by 7 right now", "opened by alice right now"}, []string{"opened by <*> right now"},
		},
		"too little else": {
			[]string{"state 7", "state up"}, []string{"state <*>", "state up"},
		},
		"a mark is no value": {
			[]string{"fan speed is 7 today", "fan speed is *** today"}, []string{"fan speed is *** today", "fan speed is <*> today"},
		},
		"users":  {[]string{"login of user alice ok", "login of user bob ok"}, []string{"login of user <*> ok"}},
		"digits": {[]string{"eth0 up", "eth1 up", "disk3 up"}, []string{"<*> up", "disk3 up"}},
		"keys":   {[]string{"sent mode=fast size=7", "sent mode=slow size=8"}, []string{"sent mode=<*> size=<*>"}},
		"quoted": {[]string{`opened "a" now`, `opened "b" now`, `get "a b" now`}, []string{`get "<*>" now`, `opened "<*>" now`}},
		"identifiers": {
			[]string{"call getUser done", "call putUser done", "call delUser done", "call getCart done"}, []string{"call <*> done"},
		},
		"what values have in common": {
			[]string{"on rack-a now", "on rack-b now", "on rack-c now", "on rack-d now"}, []string{"on rack-<*> now"},
		},
		"two that vary together": {
			[]string{"class org.a.One is bound to org.b.OneImpl", "class org.a.Two is bound to org.b.TwoImpl", "class org.a.Six is bound to org.b.SixImpl", "class org.a.Ten is bound to org.b.TenImpl"},
			[]string{"class <*> is bound to <*>"},
		},
		"states": {
			[]string{"task 7 went from NEW to READY", "task 7 went from READY to RUN", "task 7 went from RUN to DONE", "task 7 went from RUN to DEAD"},
			[]string{"task <*> went from <*> to <*>"},
		},
		"units":         {[]string{"sent 7 KB, has 7 MB", "sent 7 B, has 7 MB"}, []string{"sent <*>, has <*> MB"}},
		"brackets":      {[]string{"connect from x9999 () now", "connect from x9999 (1.2.3.4) now"}, []string{"connect from <*> (<*>) now"}},
		"lists":         {[]string{"drop 1, 2, 3", "drop 1", "drop 1, 2", "keep 1, 2"}, []string{"drop <*>", "keep <*>, <*>"}},
		"first words":   {[]string{"a ends", "b ends", "c ends", "d ends", "e ends", "f ends", "g ends"}, []string{"a ends", "b ends", "c ends", "d ends", "e ends", "f ends", "g ends"}},
		"other lengths": {[]string{"a b c", "a b", "a"}, []string{"a", "a b", "a b c"}},
		"nothing":       {nil, nil},
	} {
		var shapes []string
		for _, line := range c.lines {
			shapes = append(shapes, shape(line))
		}
		got := logpattern.Merge(shapes)
		texts := slices.Sorted(slices.Values(got.Texts))
		if !slices.Equal(texts, c.want) {
			t.Errorf("%s: got %q, want %q", name, texts, c.want)
		}
		for i, at := range got.Pattern {
			if words := strings.Split(got.Texts[at], logpattern.Wild); !strings.HasPrefix(shapes[i], words[0]) {
				t.Errorf("%s: %q has the pattern %q", name, shapes[i], got.Texts[at])
			}
		}
	}
}

// generated returns shapes of so many patterns, each with variants.
func generated(r *rand.Rand, n int) []string {
	words := strings.Fields("alpha beta gamma delta opened closed failed from to by user host node rack7 rack8 getCart putCart com.a.Bee <*> up down = ( ) : , KB MB NEW DONE")
	set := map[string]bool{}
	for range n {
		line := make([]string, 2+r.IntN(7))
		for i := range line {
			line[i] = words[r.IntN(len(words))]
		}
		vary := r.IntN(len(line))
		for range 1 + r.IntN(8) {
			line[vary] = words[r.IntN(len(words))]
			set[shape(strings.Join(line, " "))] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// merged returns the pattern of every shape.
func merged(shapes []string) map[string]string {
	found := logpattern.Merge(shapes)
	all := map[string]string{}
	for i, s := range shapes {
		all[s] = found.Texts[found.Pattern[i]]
	}
	return all
}

// TestMergeOrder merges the same shapes in any order, some of them several times.
func TestMergeOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	varied := 0
	for range 30 {
		shapes := generated(r, 60)
		want := merged(shapes)
		for shape, pattern := range want {
			if shape != pattern {
				varied++
			}
		}
		for range 5 {
			again := append(slices.Clone(shapes), shapes[:r.IntN(len(shapes))]...)
			r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
			if got := merged(again); !maps.Equal(got, want) {
				for s := range want {
					if got[s] != want[s] {
						t.Errorf("%q: %q and %q", s, got[s], want[s])
					}
				}
				t.Fatalf("the patterns of %d shapes depend on their order", len(shapes))
			}
		}
	}
	if varied < 1000 {
		t.Errorf("%d shapes are merged, that shows nothing", varied)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add("a 1 b\na c b\n<*> <*>\n()\n( <*> )")
	f.Fuzz(func(t *testing.T, text string) {
		shapes := strings.Split(text, "\n")
		found := logpattern.Merge(shapes)
		if len(found.Pattern) != len(shapes) {
			t.Fatalf("%d of %d shapes have a pattern", len(found.Pattern), len(shapes))
		}
		want := merged(shapes)
		slices.Reverse(shapes)
		if got := merged(shapes); !maps.Equal(got, want) {
			t.Fatalf("%q: got %q, want %q", shapes, got, want)
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		r := rand.New(rand.NewPCG(1, 2))
		var shapes []string
		for i := 0; len(shapes) < n; i++ {
			shapes = append(shapes, shape(fmt.Sprintf("%s request of user %c%c%c for item%d in %s took 7 ms (code=%d)",
				[]string{"cart", "web", "payment"}[i%3], 'a'+rune(r.IntN(26)), 'a'+rune(r.IntN(26)), 'a'+rune(r.IntN(26)), i%50, []string{"eu", "us"}[i%2], i)))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				logpattern.Merge(shapes)
			}
		})
	}
}

func BenchmarkShape(b *testing.B) {
	var m logpattern.Masker
	for _, c := range shapes {
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Shape(c.body)
			}
		})
	}
}
