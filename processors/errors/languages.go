package errors

import "strings"

// goFrame reads the second line of a frame of Go, such as
//
//	/src/cart/pay.go:12 +0x1d
//
// whose function is the line before.
func goFrame(text, before string) (frame, bool) {
	place, _, _ := strings.Cut(text, " ")
	file, ok := numbered(place)
	if !ok || !strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, ".s") {
		return frame{}, false
	}
	function := strings.TrimSpace(before)
	function = strings.TrimPrefix(function, "created by ")
	function, _, _ = strings.Cut(function, " in goroutine ")
	if strings.HasSuffix(function, ")") {
		if i := strings.LastIndexByte(function, '('); i > 0 {
			function = function[:i]
		}
	}
	if function == "" || strings.ContainsAny(function, " \t") {
		return frame{}, false
	}
	return frame{function, file, isGoLibrary(function, file)}, true
}

// isGoLibrary reports whether a function is of the standard library or of another
// module, as far as its name and file say.
func isGoLibrary(function, file string) bool {
	if hasAny(file, goLibraries) {
		return true
	}
	root, _, _ := strings.Cut(function, "/")
	root, _, _ = strings.Cut(root, ".")
	return goStandard[root]
}

var goLibraries = []string{"/pkg/mod/", "/vendor/", "@v", "/go/src/runtime/"}

// goStandard are the first elements of the paths of packages of the standard
// library; the first of any other path has a dot, or is a name of its own.
var goStandard = setOf(
	"bufio", "bytes", "cmp", "compress", "container", "context", "crypto", "database", "debug", "embed", "encoding", "errors", "expvar", "flag",
	"fmt", "hash", "html", "image", "index", "io", "iter", "log", "maps", "math", "mime", "net", "os", "panic", "path", "plugin", "reflect",
	"regexp", "runtime", "slices", "sort", "strconv", "strings", "sync", "syscall", "testing", "text", "time", "unicode", "unique", "weak",
)

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// isJava reports whether what is in the brackets of a frame is a place as Java
// prints it.
func isJava(place string) bool {
	if place == "Native Method" || place == "Unknown Source" || place == "<generated>" || place == "SourceFile" {
		return true
	}
	file, ok := numbered(place)
	return ok && !strings.ContainsAny(file, ` /\`) || hasAny(file, javaFiles)
}

var javaFiles = []string{".java", ".kt", ".scala", ".groovy", ".clj"}

// javaFrame reads, for instance,
//
//	java.base/java.util.ArrayList.get(ArrayList.java:427)
func javaFrame(text string) (frame, bool) {
	function, place, ok := strings.Cut(text, "(")
	if !ok {
		return frame{}, false
	}
	place, _, _ = strings.Cut(place, ")") // what follows are archives
	file, _ := numbered(place)
	// A module and its version, or a class loader; an address of a lambda has a slash, too.
	if head, _, ok := strings.Cut(function, "$$"); ok {
		function = function[strings.LastIndexByte(head, '/')+1:]
	} else {
		function = function[strings.LastIndexByte(function, '/')+1:]
	}
	return frame{function, file, beginsWithAny(function, javaLibraries)}, function != ""
}

var javaLibraries = []string{
	"java.", "javax.", "jakarta.", "jdk.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "scala.", "groovy.", "clojure.", "android.", "androidx.",
	"dalvik.", "com.android.", "org.springframework.", "org.apache.", "org.hibernate.", "org.eclipse.", "org.jboss.", "org.junit.", "org.slf4j.",
	"org.postgresql.", "com.mysql.", "com.google.", "com.fasterxml.", "com.zaxxer.", "ch.qos.", "io.netty.", "io.grpc.", "io.vertx.", "io.micrometer.",
	"io.reactivex.", "io.opentelemetry.", "io.sentry.", "io.quarkus.", "okhttp3.", "okio.", "retrofit2.", "reactor.", "rx.", "akka.", "feign.", "net.bytebuddy.",
}

// dotnetFrame reads, for instance,
//
//	Shop.Cart.Pay(String order) in /src/Cart.cs:line 12
func dotnetFrame(text string, open int) (frame, bool) {
	function := text[:open]
	_, place, _ := strings.Cut(text[open:], ") in ")
	file, _, _ := strings.Cut(place, ":line ")
	return frame{function, file, beginsWithAny(function, dotnetLibraries)}, function != ""
}

var dotnetLibraries = []string{"System.", "Microsoft.", "MS.", "Newtonsoft.", "Grpc.", "Npgsql.", "MySql.", "Castle.", "Autofac.", "MediatR.", "Polly.", "Serilog.", "OpenTelemetry.", "Sentry."}

// scriptFrame reads what V8 prints, for instance
//
//	async Cart.pay (/srv/cart.js:12:5)
func scriptFrame(text string) (frame, bool) {
	function, place := "", text
	if strings.HasSuffix(text, ")") {
		if i := strings.LastIndex(text, " ("); i >= 0 {
			function, place = text[:i], text[i+2:len(text)-1]
		}
	}
	for _, word := range [...]string{"async ", "new "} {
		function = strings.TrimPrefix(function, word)
		place = strings.TrimPrefix(place, word)
	}
	if i := strings.Index(function, " [as "); i >= 0 {
		function = function[:i]
	}
	file, ok := numbered(place)
	if !ok && function == "" {
		return frame{}, false
	}
	return scriptPlace(function, file), true
}

// scriptPlace makes the frame of a function in a file of JavaScript.
func scriptPlace(function, file string) frame {
	switch function {
	case "<anonymous>", "anonymous", "?":
		function = ""
	}
	library := file == "native" || strings.HasPrefix(file, "index ") || strings.HasPrefix(file, "<anonymous>") ||
		strings.HasPrefix(file, "internal/") || hasAny(file, scriptLibraries)
	return frame{function, file, library}
}

var scriptLibraries = []string{"node_modules/", `node_modules\`, "node:", "-extension://", "webpack/bootstrap", "webpack/runtime"}

// geckoFrame reads what Firefox and Safari print, for instance
//
//	pay@https://shop.example/cart.js:12:5
func geckoFrame(text string) (frame, bool) {
	function, place, _ := strings.Cut(text, "@")
	file, ok := numbered(place)
	if !ok || strings.ContainsAny(function, " :") {
		return frame{}, false
	}
	return scriptPlace(strings.TrimRight(function, "/<"), file), true
}

// isPython reports whether a line is the first of a frame of Python.
func isPython(line string) bool { return strings.HasPrefix(line, `  File "`) }

// pythonFrame reads, for instance,
//
//	File "/srv/cart.py", line 12, in pay
func pythonFrame(text string) (frame, bool) {
	file, rest, ok := strings.Cut(text[len(`File "`):], `"`)
	if !ok {
		return frame{}, false
	}
	_, function, ok := strings.Cut(rest, ", in ")
	if !ok {
		function = "" // a syntax error has no function
	}
	return frame{strings.TrimSpace(function), file, hasAny(file, pythonLibraries)}, true
}

var pythonLibraries = []string{"site-packages/", `site-packages\`, "dist-packages/", "/lib/python", "/lib64/python", `\lib\`, `\Lib\`, "<frozen ", "<string>"}

// rubyFrame reads, for instance,
//
//	from /srv/cart.rb:12:in 'Cart#pay'
func rubyFrame(text string) (frame, bool) {
	text = strings.TrimPrefix(text, "from ")
	place, function, _ := strings.Cut(text, ":in ")
	file, ok := numbered(place)
	if !ok {
		return frame{}, false
	}
	if len(function) > 0 && (function[0] == '\'' || function[0] == '`') {
		function = function[1:]
	}
	function, _, _ = strings.Cut(function, "'")
	for _, kind := range [...]string{"block", "rescue", "ensure"} {
		if strings.HasPrefix(function, kind) {
			if _, inside, ok := strings.Cut(function, " in "); ok {
				function = inside
			}
		}
	}
	return frame{function, file, hasAny(file, rubyLibraries)}, true
}

var rubyLibraries = []string{"/gems/", "/lib/ruby/", "<internal:", "/rubygems/", "/vendor/bundle/"}

// phpFrame reads, for instance,
//
//	#0 /srv/Cart.php(12): Shop\Cart->pay()
func phpFrame(text string) (frame, bool) {
	number, rest, ok := strings.Cut(text[1:], " ")
	if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
		return frame{}, false
	}
	place, call, ok := strings.Cut(rest, ": ")
	if !ok {
		return frame{}, false // {main}
	}
	file, _, _ := strings.Cut(place, "(")
	function, _, _ := strings.Cut(call, "(")
	if strings.HasPrefix(call, "{closure") || strings.Contains(function, "{closure") {
		function, _, _ = strings.Cut(call, "{closure")
		function += "{closure}"
	}
	library := place == "[internal function]" || hasAny(file, phpLibraries)
	return frame{function, file, library}, function != ""
}

var phpLibraries = []string{"/vendor/", `\vendor\`}
