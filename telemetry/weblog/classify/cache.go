package classify

import "strings"

// cache remembers what was made of texts. It has two generations: when the younger
// is full the older is forgotten, so what is asked for often stays.
type cache[V any] struct {
	// most bounds the entries of a generation and mostBytes their texts.
	most, mostBytes int

	young, old map[string]*V
	bytes      int // of the texts of young
}

// get returns what was put for a text, or nil.
func (c *cache[V]) get(text string) *V {
	if v := c.young[text]; v != nil {
		return v
	}
	if v := c.old[text]; v != nil {
		c.put(text, v)
		return v
	}
	return nil
}

// put remembers v for a text, of which it makes a copy.
func (c *cache[V]) put(text string, v *V) {
	if c.young == nil || len(c.young) >= c.most || c.bytes+len(text) > c.mostBytes {
		c.old, c.young, c.bytes = c.young, make(map[string]*V), 0
	}
	c.young[strings.Clone(text)] = v
	c.bytes += len(text)
}
