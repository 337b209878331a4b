package injection

import "strings"

// tools are commands that are no words of a language, or hardly ever follow a
// semicolon there; vague ones are, and need an argument.
var tools, vague = set("whoami uname wget curl ifconfig ipconfig netcat nslookup powershell pwsh bash zsh chmod chown passwd netstat systeminfo tasklist phpinfo printenv nohup busybox certutil bitsadmin mkfifo xxd gawk ncat socat lsb_release getent"),
	set("id ls ps nc sh cat dir cmd net ping type echo sleep perl python python3 php ruby node env set rm cp mv touch head tail more less find grep awk sed tee telnet ssh ftp tftp dig host pwd w who kill export eval exec source time test printf tar gcc date")

func set(list string) map[string]bool {
	t := map[string]bool{}
	for _, w := range strings.Fields(list) {
		t[w] = true
	}
	return t
}

// calls are those of programming languages that run what they are given.
var calls = [...]string{
	"<?php", "<?=", "phpinfo(", "shell_exec(", "passthru(", "proc_open(", "popen(", "base64_decode(", "call_user_func", "file_get_contents(", "file_put_contents(",
	"runtime.getruntime", "getruntime().exec", "processbuilder", "child_process", "os.system(", "subprocess.", "__import__", "() {", "/bin/sh", "/bin/bash", "bin/cat", "/bin/ls", "/bin/id", "cmd.exe", "cmd /c",
	"/usr/bin/", "$ifs", "${ifs", "/dev/tcp/", "invoke-expression", "downloadstring(", "allow_url_include", "auto_prepend_file",
}

// command looks for what a shell or an interpreter would run.
func command(v *Verdict, low string, m mask, header bool) {
	if m&(bracket|angle|sign|slash|dot|dash) != 0 {
		for _, c := range calls {
			if strings.Contains(low, c) {
				v.raise(Command, Strong)
				return
			}
		}
	}
	if header {
		return // agents have names of programs behind semicolons
	}
	for i := range len(low) {
		at := i + 1
		switch low[i] {
		case ';', '|', '\n', '`':
		case '&':
			if at >= len(low) || low[at] != '&' {
				continue
			}
			at++
		case '$', '<', '>':
			if at >= len(low) || low[at] != '(' {
				continue
			}
			at++
		default:
			continue
		}
		for at < len(low) && (low[at] <= ' ' || low[at] == '|' || low[at] == '&' || low[at] == '{') {
			at++
		}
		end := at
		for end < len(low) && (isLetter(low[end]) || isDigit(low[end])) {
			end++
		}
		if end == at || end-at > 12 {
			continue
		}
		switch word, rest := low[at:end], low[end:]; {
		case tools[word] && (rest == "" || rest[0] <= ' ' || strings.IndexByte(";|&)`'\"", rest[0]) >= 0):
			v.raise(Command, Strong)
			return
		case vague[word]:
			argument := strings.TrimLeft(rest, " ")
			switch {
			case argument == "" && low[i] != ';', argument != "" && len(argument) < len(rest) && strings.IndexByte("/-$.<>*~0", argument[0]) >= 0,
				rest != "" && (strings.IndexByte("|`<>", rest[0]) >= 0 || rest[0] == ')' && low[i] == '$'), rest != "" && rest[0] == ';' && len(rest) > 1:
				v.raise(Command, Strong)
				return
			case argument == "":
				v.raise(Command, Weak)
			}
		}
	}
}

// expressions are what templates and loggers evaluate.
var expressions = [...]string{
	"${jndi", "${lower:", "${upper:", "${env:", "${::-", "${sys:", "${${", "${java:", "${script:", "${dns:", "${url:", "{{config", "{{self", "{{request", "{{constructor", "{{''", `{{""`, "{{[]", "{{()",
	"{%import", "{% import", "{%for", "{% for", "{%if", "{% if", "<%=", "t(java.", "@java.lang", "#_memberaccess", "(#", "__proto__", "class.module.classloader", "constructor.prototype",
	"javax.", "java.lang.", "ognl", "freemarker.template", "__subclasses__", "__globals__", "#set(", "#set ($",
}

// expression looks for what a template or a logger would evaluate.
func expression(v *Verdict, low string) {
	for _, e := range expressions {
		if at := strings.Index(low, e); at >= 0 {
			if e == "(#" && !strings.Contains(low[at:], "=") || e == "ognl" && !strings.Contains(low, "ognl.") {
				continue
			}
			v.raise(Expression, Strong)
			return
		}
	}
	// Arithmetic shows an attacker whether something is evaluated: ${7*7}, {{7*'7'}}.
	for i := 0; i+3 < len(low); i++ {
		if low[i+1] != '{' || low[i] != '$' && low[i] != '{' && low[i] != '#' && low[i] != '*' && low[i] != '@' {
			continue
		}
		rest := strings.TrimLeft(low[i+2:], " '{")
		n := 0
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		if n > 0 && n < len(rest) && strings.IndexByte("*+-/ ", rest[n]) >= 0 && strings.IndexByte(rest, '}') > n+1 {
			v.raise(Expression, Strong)
			return
		}
	}
}
