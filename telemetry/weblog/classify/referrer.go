package classify

import (
	"strings"
	"unicode/utf8"
)

// referrer returns the host of a referrer without www., and what was searched for
// there. A host that is the site itself, or an own one, is the site.
func (c *Classifier) referrer(referrer, site string) (host, keywords string) {
	at := strings.Index(referrer, "://")
	const longestScheme = 16
	if at <= 0 || at > longestScheme {
		return "", ""
	}
	rest := referrer[at+len("://"):]
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, rest = rest[:end], rest[end:]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	host = strings.TrimSuffix(c.texts.lower(bare(host)), ".")
	if !isHost(host) {
		return "", ""
	}
	host = strings.TrimPrefix(host, "www.")
	if host == strings.TrimPrefix(site, "www.") || c.isOwn(host) {
		return site, ""
	}
	if _, query, ok := strings.Cut(rest, "?"); ok {
		if parameter := searchParameter(host); parameter != "" {
			keywords = c.parameter(query, parameter)
		}
	}
	return host, keywords
}

// isOwn reports whether a host is one of the own hosts or below one.
func (c *Classifier) isOwn(host string) bool {
	for _, own := range c.ownHosts {
		if strings.HasSuffix(host, own) && (len(host) == len(own) || host[len(host)-len(own)-1] == '.') {
			return true
		}
	}
	return false
}

// engines are search engines, by the part of their host's name that says so, and
// the parameter that has what is searched for. A name that ends with a dot is
// followed by any country's domain.
var engines = []struct{ name, parameter string }{
	{"google.", "q"},
	{"bing.com", "q"},
	{"yandex.", "text"},
	{"ya.ru", "text"},
	{"duckduckgo.com", "q"},
	{"search.yahoo.", "p"},
	{"yahoo.", "p"},
	{"baidu.com", "wd"},
	{"ecosia.org", "q"},
	{"qwant.com", "q"},
	{"startpage.com", "query"},
	{"search.brave.com", "q"},
	{"kagi.com", "q"},
	{"ask.com", "q"},
	{"aol.", "q"},
	{"sogou.com", "query"},
	{"so.com", "q"},
	{"naver.com", "query"},
	{"daum.net", "q"},
	{"seznam.cz", "q"},
	{"mail.ru", "q"},
	{"rambler.ru", "query"},
	{"metager.", "eingabe"},
	{"mojeek.com", "q"},
	{"swisscows.com", "query"},
	{"lycos.", "q"},
}

// searchParameter returns the parameter of a search engine, empty for other hosts.
func searchParameter(host string) string {
	for i := range engines {
		e := &engines[i]
		at := strings.Index(host, e.name)
		if at < 0 || at > 0 && host[at-1] != '.' {
			continue
		}
		if e.name[len(e.name)-1] == '.' || at+len(e.name) == len(host) {
			return e.parameter
		}
	}
	return ""
}

// longestKeywords bounds what is kept of a search.
const longestKeywords = 256

// parameter returns the decoded value of a query's parameter, empty where that is
// no text.
func (c *Classifier) parameter(query, name string) string {
	query, _, _ = strings.Cut(query, "#")
	for query != "" {
		pair := query
		if and := strings.IndexByte(query, '&'); and >= 0 {
			pair, query = query[:and], query[and+1:]
		} else {
			query = ""
		}
		if len(pair) > len(name) && pair[:len(name)] == name && pair[len(name)] == '=' {
			return c.unescaped(pair[len(name)+1:])
		}
	}
	return ""
}

// unescaped decodes a value of a query.
func (c *Classifier) unescaped(s string) string {
	b := c.texts.room(min(len(s), longestKeywords))
	for i := 0; i < len(s) && len(b) < longestKeywords; i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, fromHex(s[i+1])<<4|fromHex(s[i+2]))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	// A character at the end may have been cut.
	for range utf8.UTFMax - 1 {
		if len(b) < longestKeywords || utf8.Valid(b) {
			break
		}
		b = b[:len(b)-1]
	}
	if !utf8.Valid(b) {
		return ""
	}
	return strings.TrimSpace(c.texts.keep(b))
}

func isHex(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 'f'-'a' }

func fromHex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
