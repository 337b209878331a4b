package injection

import "strings"

// files are those of the system that nobody asks a web site for.
var files = [...]string{
	"etc/passwd", "etc/shadow", "etc/hosts", "etc/group", "etc/issue", "proc/self/", "proc/version", "win.ini", "boot.ini", "system32/", "web-inf/", "meta-inf/",
	"etc/apache", "etc/nginx", "etc/mysql", "etc/ssh", "/.ssh/", "id_rsa", ".htpasswd", "/var/log/", "windows/system", "autoexec.bat", "etc/crontab", "/.aws/credentials",
}

// wrappers are schemes that make a program read or run something.
var wrappers = [...]string{"php://", "file://", "expect://", "phar://", "zip://", "glob://", "zlib://", "compress.zlib://", "ogg://", "jar:", "netdoc:", "gopher://", "dict://", "ssh2."}

// traversal looks for paths that lead out of their folder, and for files that are
// worth it.
func traversal(v *Verdict, low string) {
	ups := 0
	for rest := low; ; {
		at := strings.Index(rest, "..")
		if at < 0 {
			break
		}
		after := rest[at+2:]
		if strings.HasPrefix(after, ";/") {
			v.raise(Traversal, Strong) // as servers of Java read it
		}
		if after != "" && (after[0] == '/' || after[0] == '\\') {
			ups++
		}
		rest = strings.TrimLeft(after, ".")
		if len(rest) < len(after) {
			ups = max(ups, 1)
		}
	}
	null := strings.IndexByte(low, 0) >= 0
	target := false
	flat := low
	if strings.IndexByte(low, '\\') >= 0 {
		flat = strings.ReplaceAll(low, "\\", "/")
	}
	for _, f := range files {
		if strings.Contains(flat, f) {
			target = true
			break
		}
	}
	wrapped := false
	if strings.IndexByte(low, ':') >= 0 {
		for _, w := range wrappers {
			if at := strings.Index(low, w); at >= 0 && (at == 0 || strings.IndexByte("=/ ,", low[at-1]) >= 0) {
				wrapped = true
				break
			}
		}
	}
	switch {
	case ups >= 2, target && (ups > 0 || null || wrapped || strings.HasPrefix(flat, "/") || strings.HasPrefix(flat, "c:/")), wrapped && len(low) > 8, ups > 0 && null:
		v.raise(Traversal, Strong)
	case ups > 0, target, null:
		v.raise(Traversal, Weak)
	}
}
