//go:build invariants

package kafka

// poison overwrites released memory, so that a late reader is noticed.
func poison(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}
