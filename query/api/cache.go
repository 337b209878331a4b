package api

import (
	"context"
	"sync"
	"time"
)

// cache keeps the last answer per key for a while, so that many pages cost no
// more than one. Those who ask while it is made wait for the same one.
type cache[T any] struct {
	mu    sync.Mutex
	slots map[string]*slot[T]
}

type slot[T any] struct {
	busy  chan struct{} // holds one element while the answer is made
	value T
	until time.Time
}

// cacheShare keeps what an expensive answer costs below a twentieth of a core.
const cacheShare = 20

// maxCacheKeys bounds the answers that are kept.
const maxCacheKeys = 256

// get returns the answer for key, made by make where it is older than least and
// than cacheShare times what making it took.
func (c *cache[T]) get(ctx context.Context, key string, least time.Duration, produce func(context.Context) (T, error)) (T, error) {
	c.mu.Lock()
	if c.slots == nil {
		c.slots = map[string]*slot[T]{}
	}
	s := c.slots[key]
	if s == nil {
		if len(c.slots) >= maxCacheKeys {
			clear(c.slots)
		}
		s = &slot[T]{busy: make(chan struct{}, 1)}
		c.slots[key] = s
	}
	c.mu.Unlock()

	var none T
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	start := time.Now()
	if start.Before(s.until) {
		return s.value, nil
	}
	value, err := produce(ctx)
	if err != nil {
		return none, err
	}
	took := time.Since(start)
	s.value, s.until = value, time.Now().Add(max(least, took*cacheShare))
	return value, nil
}
