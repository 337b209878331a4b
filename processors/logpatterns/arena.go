package logpatterns

import "unsafe"

// arena holds the texts of a block's rows. Its memory is used again for the next
// block.
type arena struct {
	chunks [][]byte
	// at is the chunk that is being filled.
	at int
}

// chunkBytes is more than a text has, keptChunks how many chunks are kept.
const (
	chunkBytes = 64 << 10
	keptChunks = 64
)

func (a *arena) reset() {
	a.chunks = a.chunks[:min(len(a.chunks), keptChunks)]
	for i := range a.chunks {
		a.chunks[i] = a.chunks[i][:0]
	}
	a.at = 0
}

// add copies a text.
func (a *arena) add(text []byte) string {
	for a.at < len(a.chunks) && cap(a.chunks[a.at])-len(a.chunks[a.at]) < len(text) {
		a.at++
	}
	if a.at == len(a.chunks) {
		a.chunks = append(a.chunks, make([]byte, 0, max(chunkBytes, len(text))))
	}
	chunk := a.chunks[a.at]
	start := len(chunk)
	chunk = append(chunk, text...)
	a.chunks[a.at] = chunk
	return unsafe.String(unsafe.SliceData(chunk[start:]), len(text))
}
