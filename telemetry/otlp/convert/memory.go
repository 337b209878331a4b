package convert

// Memory is what a request may use of the memory that is handed out. It is used by
// one goroutine at a time.
type Memory struct {
	claim         func(bytes int64) error
	claimed, used int64
	err           error
}

// NewMemory returns memory that is claimed by a function.
func NewMemory(claim func(bytes int64) error) Memory { return Memory{claim: claim} }

// chunk is the least memory that is claimed at a time.
const chunk = 64 << 10

// Claim says that the request needs n more bytes. It reports false where there are
// none, and from then on.
func (m *Memory) Claim(n int) bool {
	if m.err != nil {
		return false
	}
	m.used += int64(n)
	if m.used <= m.claimed {
		return true
	}
	more := max(m.used-m.claimed, chunk, m.claimed/4)
	if m.err = m.claim(more); m.err != nil {
		return false
	}
	m.claimed += more
	return true
}

// Err says why memory ran out, nil if it did not.
func (m *Memory) Err() error { return m.err }

// Reset forgets the request.
func (m *Memory) Reset() { m.err, m.claimed, m.used = nil, 0, 0 }
