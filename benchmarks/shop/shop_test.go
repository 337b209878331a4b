package shop_test

import (
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
)

// start is a Wednesday afternoon.
var start = time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC)

func config() shop.Config {
	c := shop.DefaultConfig()
	c.Start = start
	return c
}

func newShop(t testing.TB, c shop.Config) *shop.Shop {
	t.Helper()
	s, err := shop.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func BenchmarkNext(b *testing.B) {
	c := config()
	c.Rate = 100000
	s := newShop(b, c)
	until := start.Add(24 * time.Hour).UnixNano()
	events, bytes := 0, 0
	b.ReportAllocs()
	for events < b.N {
		r, ok := s.Next(until)
		if !ok {
			b.Fatal("the day is over")
		}
		events += r.Events
		bytes += len(r.Body)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(bytes)/float64(events), "B/event")
}
