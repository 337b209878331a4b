package topic

import (
	"testing"
	"time"
)

func TestSilence(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	ms := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	for name, c := range map[string]struct {
		heard []int64 // timestamps
		want  time.Duration
	}{
		"nothing was heard":                     {nil, 0},
		"no timestamp":                          {[]int64{0}, 0},
		"on time":                               {[]int64{ms(-200 * time.Millisecond)}, -200 * time.Millisecond},
		"this clock is ahead":                   {[]int64{ms(-time.Hour)}, -time.Hour},
		"it was only late":                      {[]int64{ms(-time.Hour), ms(-time.Second), ms(-time.Minute)}, -time.Second},
		"this clock is behind":                  {[]int64{ms(time.Hour)}, 0},
		"one record is from the end of time":    {[]int64{1<<63 - 1}, 0},
		"and then those that are not are heard": {[]int64{1<<63 - 1, ms(-time.Hour)}, 0},
	} {
		var s silence
		for _, at := range c.heard {
			s.heard(at, now, false)
		}
		if got := time.Duration(s.received(now) - now.UnixNano()); got != c.want {
			t.Errorf("%s: an idle record is received at %s from now, want %s", name, got, c.want)
		}
	}
	s := silence{after: 5 * time.Second}
	var waits []time.Duration
	for range 30 {
		waits = append(waits, s.wait())
		s.heard(ms(0), now, true)
		s.doublings = min(s.doublings+1, maxDoublings)
	}
	if waits[0] != 5*time.Second || waits[1] != 10*time.Second || waits[4] != longestSilence || waits[29] != longestSilence {
		t.Errorf("waits are %v", waits)
	}
	s.heard(ms(0), now, false)
	if got := s.wait(); got != 5*time.Second {
		t.Errorf("after something was heard it waits %s", got)
	}
	if s.after = time.Hour; s.wait() != time.Hour {
		t.Errorf("of an hour it waits %s", s.wait())
	}
}
