package errors

import (
	"encoding/json"
	"fmt"
	"strings"
)

// version is part of every hash: it changes when groups are to be new ones.
const version = "1"

// markLibraries takes frames of libraries that are configured out of the
// application.
func (p *Processor) markLibraries() {
	if len(p.cfg.Libraries) == 0 {
		return
	}
	for i := range p.frames {
		f := &p.frames[i]
		for _, part := range p.cfg.Libraries {
			if strings.Contains(f.function, part) || strings.Contains(f.file, part) {
				f.library = true
				break
			}
		}
	}
}

// applicationFrames returns the frames of the application, or all where there are
// none, the innermost first and no more than count.
func (p *Processor) applicationFrames() []frame {
	n := 0
	for i := range p.frames {
		if !p.frames[i].library {
			p.frames[n], p.frames[i] = p.frames[i], p.frames[n]
			n++
			if n == p.cfg.MaxFrames {
				break
			}
		}
	}
	if n == 0 {
		n = min(len(p.frames), p.cfg.MaxFrames)
	}
	return p.frames[:n]
}

// group returns the hash of an error without a fingerprint of its own: by its
// stack, or by its message where it has none.
func (p *Processor) group(tenant, service string, e *exception, app []frame) uint64 {
	p.begin(tenant, service)
	p.add(e.kind)
	if len(app) == 0 {
		p.mask = appendMasked(p.mask[:0], shortened(e.message, maxMasked))
		_, _ = p.hash.Write(p.mask) // never fails
		return p.hash.Sum64()
	}
	for i := range app {
		if i > 0 && app[i].function == app[i-1].function && app[i].file == app[i-1].file {
			continue // a recursion is the same however deep
		}
		p.mask = appendFunction(p.mask[:0], app[i].function)
		p.mask = append(p.mask, 0)
		p.mask = append(appendFile(p.mask, app[i].file), 0)
		_, _ = p.hash.Write(p.mask) // never fails
	}
	return p.hash.Sum64()
}

func (p *Processor) begin(tenant, service string) {
	p.hash.Reset()
	p.add(version)
	p.add(tenant)
	p.add(service)
}

func (p *Processor) add(text string) {
	_, _ = p.hash.WriteString(text) // never fails
	_, _ = p.hash.Write(separator)
}

var separator = []byte{0}

// chosen returns what the client groups by, as a text and as a group. In its
// fingerprint {{ default }} stands for the group that the error has otherwise.
func (p *Processor) chosen(tenant, service string, e *exception, group uint64) (string, uint64) {
	parts := []string{e.fingerprint}
	if strings.HasPrefix(e.fingerprint, "[") {
		var list []string
		if json.Unmarshal([]byte(e.fingerprint), &list) == nil {
			parts = list
		}
	}
	if len(parts) == 0 || len(parts) == 1 && isDefault(parts[0]) {
		return "", group
	}
	p.begin(tenant, service)
	p.add("fingerprint")
	for _, part := range parts {
		if isDefault(part) {
			part = fmt.Sprintf("%016x", group)
		}
		p.add(part)
	}
	return shortened(strings.Join(parts, ", "), maxName), p.hash.Sum64()
}

// isDefault reports whether a part of a fingerprint stands for the server's own.
func isDefault(part string) bool {
	part = strings.TrimSpace(part)
	return strings.HasPrefix(part, "{{") && strings.HasSuffix(part, "}}") && strings.TrimSpace(strings.Trim(part, "{}")) == "default"
}

// maxMasked is how much of a message tells errors apart, in bytes.
const maxMasked = 1 << 10

// appendMasked appends a message in which every word that has a digit is the same:
// a number, an id, an address.
func appendMasked(b []byte, message string) []byte {
	start, digits := 0, false
	flush := func(end int) {
		if digits {
			b = append(b, '#')
		} else {
			b = append(b, message[start:end]...)
		}
		digits = false
	}
	for i := range len(message) {
		switch c := message[i]; {
		case '0' <= c && c <= '9':
			digits = true
		case inWord(c):
		default:
			flush(i)
			b = append(b, c)
			start = i + 1
		}
	}
	flush(len(message))
	return b
}

// inWord reports whether a byte is part of a number, an id or a word.
func inWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80 || strings.IndexByte("_-.:+@%", c) >= 0
}

// appendFunction appends the name of a function without what compilers and
// runtimes make up: numbers of closures, of generated classes, addresses.
func appendFunction(b []byte, name string) []byte {
	for _, generated := range generatedParts {
		if before, _, ok := strings.Cut(name, generated); ok {
			name = before
		}
	}
	for i := 0; i < len(name); {
		c := name[i]
		if c == '[' { // type arguments
			if end := closing(name, i); end > 0 {
				i = end
				continue
			}
		}
		if '0' <= c && c <= '9' && madeUp(name[:i]) {
			for i < len(name) && isHex(name[i]) {
				i++
			}
			continue
		}
		b = append(b, c)
		i++
	}
	return b
}

// generatedParts begin the part of a name that differs from run to run.
var generatedParts = [...]string{"$$Lambda", "$$EnhancerBy", "$$FastClassBy", "$$SpringCGLIB", "$MockitoMock$", "$HibernateProxy$", "$ByteBuddy$"}

// madeUp reports whether the number behind the beginning of a name is no part of
// what somebody called the function.
func madeUp(before string) bool {
	for _, end := range [...]string{"$", "__", ".func", "wrap", "Accessor", "$Proxy", "lambda", "0x", "|", "__0_"} {
		if strings.HasSuffix(before, end) {
			return true
		}
	}
	// A closure in a closure: main.serve.func1.2, of which the dot is left.
	return strings.HasSuffix(before, ".") && strings.Contains(before, ".func")
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// closing returns the place after the bracket that closes the one at start, 0
// where there is none.
func closing(s string, start int) int {
	depth := 0
	for i := start; i < len(s); i++ {
		switch s[i] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// appendFile appends the last element of a path without what differs from build
// to build: in the names of bundles for browsers, the hash of their content.
func appendFile(b []byte, path string) []byte {
	path, _, _ = strings.Cut(path, "?")
	if i := strings.LastIndexAny(path, `/\`); i >= 0 {
		path = path[i+1:]
	}
	switch extension := path[strings.LastIndexByte(path, '.')+1:]; extension {
	case "js", "mjs", "cjs", "jsx":
	default:
		return append(b, path...)
	}
	for i := 0; i < len(path); {
		end := i
		for end < len(path) && strings.IndexByte(".-_~", path[end]) < 0 {
			end++
		}
		if i == 0 || !hashLike(path[i:end]) {
			b = append(b, path[i:end]...)
		}
		if end < len(path) {
			b = append(b, path[end])
		}
		i = end + 1
	}
	return b
}

// hashLike reports whether a part of a name looks like the hash of a content:
// eight letters and digits or more, of both kinds.
func hashLike(part string) bool {
	digits, letters := false, false
	for i := range len(part) {
		if '0' <= part[i] && part[i] <= '9' {
			digits = true
		} else {
			letters = true
		}
	}
	return len(part) >= 8 && digits && letters
}
