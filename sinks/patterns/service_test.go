package patterns

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
)

// seen returns what was seen in a minute, each as "service: pattern".
func seen(at watch.Minute, all ...string) map[name]sight {
	sights := map[name]sight{}
	for _, line := range all {
		service, text, _ := strings.Cut(line, ": ")
		sights[name{service, logpattern.ID([]byte(text))}] = sight{text: text, first: at, last: at, class: 3}
	}
	return sights
}

func newTenant() *tenant { return &tenant{services: map[string]*service{}} }

// groups returns the merged pattern of every member, with its id.
func (t *tenant) groups() map[string]string {
	all := map[string]string{}
	for service, s := range t.services {
		for _, m := range s.members {
			all[service+": "+m.text] = fmt.Sprintf("%016x %s", m.merged, s.texts[m.merged])
		}
	}
	return all
}

// TestAnyOrder has the same patterns come in any order, at any number of looks.
// What is merged is the same, with the same ids.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var all []string
	for i := range 12 {
		for _, of := range []string{"s1", "s2"} {
			all = append(all, fmt.Sprintf("%s: login of user u%c%c ok", of, 'a'+i, 'b'+i), fmt.Sprintf("%s: opened by p%c at last", of, 'a'+i),
				fmt.Sprintf("%s: call get%cUser from com.x.Y%c done", of, 'A'+i, 'A'+i), fmt.Sprintf("%s: step %d of <*>", of, i/6))
		}
	}
	cfg := DefaultConfig()
	var want map[string]string
	for range 50 {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		tenant := newTenant()
		for rest := all; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			tenant.take(seen(7, rest[:n]...), 7, false, &cfg)
			rest = rest[n:]
		}
		got := tenant.groups()
		for line, group := range got { // the id is that of the first: any of those that come together
			got[line] = group[17:]
		}
		if want == nil {
			want = got
		}
		if !maps.Equal(got, want) || len(slices.Compact(slices.Sorted(maps.Values(got)))) != 4 {
			t.Fatalf("got %q\nwant %q", got, want)
		}
	}
	whole := newTenant()
	whole.take(seen(7, all...), 7, false, &cfg)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	again := newTenant()
	again.take(seen(7, all...), 7, false, &cfg)
	if !maps.Equal(whole.groups(), again.groups()) {
		t.Error("ids depend on the order within a look")
	}
}

// TestMergedID keeps the id of the first, also when others come that have a lesser
// one or an earlier time, and after members are forgotten.
func TestMergedID(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	tenant := newTenant()
	first := logpattern.ID([]byte("login of user alice ok"))
	tenant.take(seen(100, "s: login of user alice ok"), 100, false, &cfg)
	for i, user := range []string{"bob", "carol", "dave", "erin"} {
		tenant.take(seen(watch.Minute(90-i), "s: login of user "+user+" ok"), 101, false, &cfg)
	}
	s := tenant.services["s"]
	for _, m := range s.members {
		if m.merged != first {
			t.Errorf("%q is part of %016x, want %016x", m.text, m.merged, first)
		}
	}
	// A month later only the first is known, but what varies still is.
	tenant.take(seen(1e6, "s: login of user alice ok"), 1e6, false, &cfg)
	tenant.age(&cfg)
	if len(s.members) != 1 || tenant.total != 1 {
		t.Fatalf("%d members are known, %d in all", len(s.members), tenant.total)
	}
	tenant.take(seen(1e6+1, "s: login of user zoe ok"), 1e6+1, false, &cfg)
	if m := s.members[logpattern.ID([]byte("login of user zoe ok"))]; m.merged != first || s.texts[first] != "login of user <*> ok" || len(tenant.pending()) != 0 {
		t.Errorf("a new user is part of %016x %q, %d events", m.merged, s.texts[first], len(tenant.pending()))
	}
}

// TestLearn makes no news of the first patterns of a service.
func TestLearn(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	tenant := newTenant()
	tenant.take(seen(10, "s: one", "s: two"), 10, true, &cfg)
	tenant.take(seen(100, "other: one", "s: three"), 100, false, &cfg)
	tenant.take(seen(105, "other: two"), 105, false, &cfg)
	tenant.take(seen(106, "other: three"), 106, false, &cfg)
	var got []string
	for _, n := range tenant.pending() {
		got = append(got, n.service+" "+tenant.member(n).text+" "+eventName(tenant.member(n)))
	}
	if want := []string{"other three log_pattern.new", "s three log_pattern.new"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestGap misses patterns by their usual gap, and only what came often enough.
func TestGap(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.VanishAfter, cfg.ForgetAfter = time.Hour, 30*24*time.Hour
	tenant := newTenant()
	gone := map[string]watch.Minute{}
	for at := watch.Minute(1); at < 5000; at++ {
		lines := []string{"s: always"}
		if at < 1000 && at%20 == 0 {
			lines = append(lines, "s: now and then")
		}
		if at < 1000 && at%3 == 0 {
			lines = append(lines, "s: quite often")
		}
		if at == 500 || at == 510 {
			lines = append(lines, "s: twice")
		}
		tenant.take(seen(at, lines...), at, at == 1, &cfg)
		for _, n := range tenant.pending() {
			tenant.member(n).Announced = true
		}
		tenant.age(&cfg)
		for _, n := range tenant.pending() {
			gone[tenant.member(n).text] = at
			tenant.member(n).Announced = true
		}
	}
	if want := map[string]watch.Minute{"now and then": 980 + 200, "quite often": 999 + 60}; !maps.Equal(gone, want) {
		t.Errorf("vanished: %v, want %v", gone, want)
	}
}

// TestLimits watches no more than it may.
func TestLimits(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.MaxPatterns, cfg.MaxTotal = 5, 8
	tenant := newTenant()
	word := func(i int) string { return string([]byte{'a' + byte(i%26), 'b' + byte(i/26)}) }
	for i := range 100 {
		tenant.take(seen(watch.Minute(i), "s1: "+word(i), "s2: "+word(i), "s3: "+word(i)), watch.Minute(i), false, &cfg)
		if tenant.total > 8 || len(tenant.services["s1"].members) > 5 {
			t.Fatalf("%d patterns are known", tenant.total)
		}
	}
	if tenant.total != 8 || tenant.refused != 3 {
		t.Errorf("%d patterns are known, %d are not", tenant.total, tenant.refused)
	}
	// What has vanished makes room once it is forgotten.
	late := watch.Minute(100) + 2*cfg.forgetAfter()
	tenant.take(seen(late, "s1: "+word(0)), late, false, &cfg)
	tenant.age(&cfg)
	later := late + cfg.forgetAfter() + 1
	tenant.take(seen(later, "s1: "+word(0)), later, false, &cfg)
	tenant.age(&cfg)
	if n := len(tenant.services["s1"].members); n != 1 {
		t.Errorf("%d patterns of s1 are known", n)
	}
	tenant.take(seen(later+1, "s1: "+word(99)), later+1, false, &cfg)
	if n := len(tenant.services["s1"].members); n != 2 {
		t.Errorf("%d patterns of s1 are known", n)
	}
}
