package promql

import (
	"context"
	"strings"
	"sync"
	"time"
)

// seriesCache remembers for a short time which stored series a condition found:
// the panels of a dashboard, and the steps of whoever looks at one metric, ask
// for the same ones again and again. A series that is new appears once what is
// remembered is too old.
type seriesCache struct {
	keep  time.Duration
	limit int // series in all entries together

	mu      sync.Mutex
	entries map[string]*seriesEntry
	held    int
}

type seriesEntry struct {
	rows []*stored
	read time.Time
}

func newSeriesCache(keep time.Duration, limit int) *seriesCache {
	return &seriesCache{keep: keep, limit: limit, entries: map[string]*seriesEntry{}}
}

// rows returns the stored series that meet a condition, from memory or from
// ClickHouse. They are shared and must not be changed.
func (s *Store) rows(ctx context.Context, c condition, original bool) ([]*stored, error) {
	key := c.key(original)
	now := time.Now()
	if rows, ok := s.known.get(key, now); ok {
		return rows, nil
	}
	var rows []*stored
	if err := s.readSeries(ctx, c, original, func(row *stored) { rows = append(rows, row) }); err != nil {
		return nil, err
	}
	s.known.put(key, rows, now)
	return rows, nil
}

// key is a text that only the same condition has.
func (c *condition) key(original bool) string {
	var b strings.Builder
	if original {
		b.WriteByte(1)
	}
	b.WriteString(c.Where())
	for _, p := range c.Parameters {
		b.WriteByte(0)
		b.WriteString(p.Value)
	}
	return b.String()
}

func (c *seriesCache) get(key string, now time.Time) ([]*stored, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil || now.Sub(e.read) > c.keep {
		return nil, false
	}
	return e.rows, true
}

// put remembers rows. That there is nothing is not remembered: whoever asks
// again waits for it.
func (c *seriesCache) put(key string, rows []*stored, now time.Time) {
	if c.keep <= 0 || len(rows) == 0 || len(rows) > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.entries[key]; old != nil {
		c.held -= len(old.rows)
		delete(c.entries, key)
	}
	if c.held+len(rows) > c.limit {
		for k, e := range c.entries {
			if now.Sub(e.read) > c.keep || c.held+len(rows) > c.limit {
				c.held -= len(e.rows)
				delete(c.entries, k)
			}
		}
	}
	c.entries[key] = &seriesEntry{rows, now}
	c.held += len(rows)
}
