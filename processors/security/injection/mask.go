package injection

// mask has a bit for each class of bytes that a text has.
type mask uint16

const (
	encoded   mask = 1 << iota // % and \, which may stand for anything
	space                      // blank, plus
	quote                      // ' " `
	bracket                    // ( )
	semicolon                  // ;
	angle                      // < >
	operator                   // = # * | ! ^ ~ , and & in values
	sign                       // $ { } @ [ ]
	control                    // control characters and what is not ASCII
	dot
	dash
	slash
	colon
)

const (
	// inPath and inQuery are what makes a path and a query worth a closer look.
	inPath  = encoded | space | quote | bracket | semicolon | angle | operator | control | sign
	inQuery = encoded | space | quote | bracket | semicolon | angle | operatorInQuery | sign | control | colon
	// operatorInQuery is the same bit: in a query, = and & are looked at when the
	// values have been cut out.
	operatorInQuery = operator
)

// classes are the masks of bytes.
var classes = func() (t [256]mask) {
	for c := range t {
		if c < 0x20 || c >= 0x7f {
			t[c] = control
		}
	}
	for m, chars := range map[mask]string{
		encoded: `%\`, space: " +", quote: "'\"`", bracket: "()", semicolon: ";", angle: "<>", operator: "#*|!^~,", sign: "${}@[]",
		dot: ".", dash: "-", slash: "/", colon: ":",
	} {
		for _, c := range chars {
			t[c] = m
		}
	}
	return t
}()

// maskOf returns the classes of the bytes of a text.
func maskOf(s string) (m mask) {
	for len(s) >= 4 {
		m |= classes[s[0]] | classes[s[1]] | classes[s[2]] | classes[s[3]]
		s = s[4:]
	}
	for i := range len(s) {
		m |= classes[s[i]]
	}
	return m
}
