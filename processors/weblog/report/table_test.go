package report

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	t.Parallel()
	counts := table[int]{limit: 1000}
	want := make(map[string]int)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	for range 20_000 {
		text := fmt.Sprint(random.IntN(1200))
		n, isNew := counts.get(text)
		if n == nil {
			if counts.nodes != 1000 {
				t.Fatalf("no room among %d", counts.nodes)
			}
			continue
		}
		if _, known := want[text]; known == isNew {
			t.Fatalf("%s: new %v, known %v", text, isNew, known)
		}
		n.value++
		want[text]++
	}
	last := ""
	counts.all(func(n *node[int]) {
		last = n.name
		if n.value != want[n.name] {
			t.Errorf("%s: %d, want %d", n.name, n.value, want[n.name])
		}
		delete(want, n.name)
	})
	if len(want) > 0 {
		t.Errorf("%d are missing", len(want))
	}
	if n := counts.at(1000); n.name != last {
		t.Errorf("the last one is %s, want %s", last, n.name)
	}
	n, isNew := counts.rest(1)
	if again, _ := counts.rest(1); !isNew || n.name != other || again != n {
		t.Errorf("the rest is %+v, new %v", n, isNew)
	}
	long := strings.Repeat("x", 10*maxText)
	counts.limit = 5000
	a, _ := counts.get(long + "a")
	if b, isNew := counts.get(long + "b"); !isNew || a == b || len(b.name) != maxText {
		t.Errorf("long texts are not told apart, or kept whole: %d bytes", len(b.name))
	}
}

func TestDistinct(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	numbers := make([]uint64, 50_000)
	for i := range numbers {
		numbers[i] = random.Uint64()
	}
	numbers[0] = 0
	exact := newDistinct(0)
	for range 2 {
		for i, v := range numbers {
			if isNew := exact.add(v); isNew != (exact.count() == uint64(i+1) && isNew) { //nolint:gosec // an index
				t.Fatalf("number %d: new %v", i, isNew)
			}
		}
	}
	if exact.count() != uint64(len(numbers)) || !exact.exact() {
		t.Errorf("%d of %d", exact.count(), len(numbers))
	}
	// What a sample keeps does not depend on the order.
	forth, back := newDistinct(2000), newDistinct(2000)
	for i := range numbers {
		forth.add(numbers[i])
		back.add(numbers[len(numbers)-1-i])
		back.add(numbers[len(numbers)-1-i])
	}
	if forth.count() != back.count() || forth.exact() || forth.set.n > 2000 {
		t.Errorf("%d and %d, of %d numbers", forth.count(), back.count(), forth.set.n)
	}
	if n := forth.count(); n < 45_000 || n > 55_000 {
		t.Errorf("%d is a bad estimate of %d", n, len(numbers))
	}
}

// TestPeople counts as a map does.
func TestPeople(t *testing.T) {
	t.Parallel()
	p := newPeople(5000)
	want := make(map[uint64]uint64)
	for i := range uint64(20_000) {
		key := mix(i%3000, 1)
		entry, isNew := p.get(key)
		if _, known := want[key]; known == isNew {
			t.Fatalf("%d: new %v, known %v", i, isNew, known)
		}
		setState(entry, stateOf(entry)+i)
		want[key] += i
	}
	for key, n := range want {
		if entry, _ := p.get(key); stateOf(entry) != n {
			t.Errorf("%d, want %d", stateOf(entry), n)
		}
	}
	if p.count() != 3000 || p.full {
		t.Errorf("%d people", p.count())
	}
}
