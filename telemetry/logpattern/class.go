package logpattern

// Classes of bytes. A field is what lies between spaces and delimiters, a token
// is what lies between the joints of a field.
const (
	isSpace uint8 = 1 << iota
	isDelimiter
	isJoint
	isDigit
	isLetter
	isSlash // of both kinds
	isAngle // that opens, as Wild does
	isHigh  // above ASCII

	endsField = isSpace | isDelimiter
)

// classes has the classes of every byte. Control characters are spaces, bytes
// above ASCII are letters.
var classes = func() (table [256]uint8) {
	for c := range table {
		b := byte(c)
		switch {
		case b <= ' ' || b == 0x7f:
			table[c] = isSpace
		case b >= '0' && b <= '9':
			table[c] = isDigit
		case b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z':
			table[c] = isLetter
		case b == '/' || b == '\\':
			table[c] = isSlash
		case b >= 0x80:
			table[c] = isLetter | isHigh
		}
	}
	for _, b := range []byte(",!;:=|\"'[](){}") {
		table[b] = isDelimiter
	}
	for _, b := range []byte(".-+@#$%&") {
		table[b] = isJoint
	}
	table['<'] = isAngle
	return table
}()

func digit(c byte) bool { return c >= '0' && c <= '9' }

func lowercase(c byte) bool { return c >= 'a' && c <= 'z' }

func uppercase(c byte) bool { return c >= 'A' && c <= 'Z' }

func hexadecimal(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func alphanumeric(c byte) bool { return classes[c]&(isDigit|isLetter) != 0 }
