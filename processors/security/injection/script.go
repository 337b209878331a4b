package injection

import (
	"strings"

	"github.com/corazawaf/libinjection-go"
)

// script looks for what a browser would run: elements, handlers of events, URLs of
// scripts.
func script(v *Verdict, d, low string, m mask) {
	markup := m&angle != 0 && strings.IndexByte(low, '<') >= 0
	certain := scheme(low) || markup && element(low) || m&(angle|quote|operator) != 0 && handler(low, markup || m&quote != 0)
	switch {
	case certain:
		v.raise(Script, Strong)
	case (markup || strings.IndexByte(low, '=') >= 0) && libinjection.IsXSS(d):
		if markup && !plain(low) || m&bracket != 0 && strings.HasPrefix(strings.TrimLeft(low, " '\""), "on") {
			v.raise(Script, Strong)
		} else {
			v.raise(Script, Weak)
		}
	case m&dot != 0 && strings.Contains(low, "document.cookie") || m&bracket != 0 && strings.Contains(low, "fromcharcode(") || m&quote != 0 && dialog(low):
		v.raise(Script, Weak)
	}
}

// dialog reports whether a text calls what attacks show that they work with.
func dialog(low string) bool {
	return strings.Contains(low, "alert(") || strings.Contains(low, "prompt(") || strings.Contains(low, "confirm(") || strings.Contains(low, "alert`")
}

// scheme reports whether there is a URL that is a script. Blanks and control
// characters in the name of a scheme are no obstacle to browsers.
func scheme(low string) bool {
	for rest := low; ; {
		at := strings.IndexByte(rest, ':')
		if at < 0 {
			return false
		}
		var name [12]byte
		n := len(name)
		for i := at - 1; i >= 0 && n > 0; i-- {
			if c := rest[i]; 'a' <= c && c <= 'z' {
				n--
				name[n] = c
			} else if c > ' ' {
				break
			}
		}
		after, word := rest[at+1:], string(name[n:])
		switch {
		case strings.HasSuffix(word, "javascript") || strings.HasSuffix(word, "vbscript") || strings.HasSuffix(word, "livescript"):
			if strings.ContainsAny(after, "(`=/%") {
				return true
			}
		case word == "data" && (strings.HasPrefix(after, "text/html") || strings.HasPrefix(after, "image/svg") || strings.HasPrefix(after, "text/javascript")) && strings.IndexByte(after, ',') >= 0:
			return true
		}
		rest = rest[at+1:]
	}
}

// elements are those that run something or fetch it, as soon as they are there.
var elements = [...]string{"script", "iframe", "object", "embed", "applet", "svg", "meta", "base", "frameset", "foreignobject", "isindex", "xml:", "?xml-stylesheet", "!entity", "animate", "portal"}

// element reports whether such an element begins anywhere.
func element(low string) bool {
	for rest := low; ; {
		at := strings.IndexByte(rest, '<')
		if at < 0 {
			return false
		}
		rest = rest[at+1:]
		name := strings.TrimLeft(rest, " /\t\n\r\x00")
		for _, e := range elements {
			if strings.HasPrefix(name, e) && (len(name) == len(e) || !isLetter(name[len(e)])) {
				return true
			}
		}
	}
}

// handler reports whether there is an attribute such as onerror= that stands
// where an attribute can: in an element, or behind a quote that ends one.
func handler(low string, inside bool) bool {
	for at := 0; inside; {
		i := strings.Index(low[at:], "on")
		if i < 0 {
			return false
		}
		i += at
		at = i + 2
		if i > 0 && low[i-1] > ' ' && low[i-1] != '/' && !isQuote(low[i-1]) && low[i-1] != ';' {
			continue
		}
		end := at
		for end < len(low) && 'a' <= low[end] && low[end] <= 'z' {
			end++
		}
		if end-at < 3 || end-at > 24 {
			continue
		}
		for end < len(low) && low[end] <= ' ' {
			end++
		}
		if end < len(low) && low[end] == '=' && (events[low[at:min(at+4, len(low))]] || i > 0 && isQuote(low[i-1])) {
			return true
		}
	}
	return false
}

// events are how names of events begin behind "on".
var events = func() map[string]bool {
	t := map[string]bool{}
	for _, e := range strings.Fields("abor afte anim auxc befo begi blur boun canp chan clic clos cont copy cuec cut dblc drag drop dura empt ende erro fini focu form full gotp grad hash help inpu " +
		"inva keyd keyp keyu load lose lost medi mess mous move offl onli orie page past paus play poin popo popst prog prop rate read repe rese resi reve row scro sear seek sele show " +
		"stal star stop stor subm susp time togg touc tran unlo volu wait webk whee") {
		t[e] = true
	}
	return t
}()

// plain reports whether the elements of a text only say how it looks, as in a
// message that somebody wrote with <b> and <p>.
func plain(low string) bool {
	for rest := low; ; {
		at := strings.IndexByte(rest, '<')
		if at < 0 {
			return true
		}
		rest = rest[at+1:]
		end := strings.IndexByte(rest, '>')
		if end < 0 {
			return false
		}
		switch strings.Trim(rest[:end], "/ ") {
		case "b", "i", "u", "p", "em", "br", "strong", "code", "pre", "ul", "li", "ol", "tt", "h1", "h2", "h3":
		default:
			return false
		}
	}
}
