package linetemplate_test

import (
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/query/logs/linetemplate"
)

func TestFunctions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{{.x}}|{{.none}}`: "Hello World|", `{{__line__}}`: "the line", `{{.x | lower | trunc 4}}`: "hell", `{{.x | trunc -3}}`: "rld", `{{substr 1 3 .x}}`: "el",
		`{{.x | replace "o" "0"}}`: "Hell0 W0rld", `{{Replace .x "o" "0" 1}}`: "Hell0 World", `{{regexReplaceAll "(o)" .x "<$1>"}}`: "Hell<o> W<o>rld", `{{regexReplaceAllLiteral "o" .x "$1"}}`: "Hell$1 W$1rld",
		`{{.x | contains "World"}} {{hasPrefix "He" .x}} {{hasSuffix "x" .x}}`: "true true false", `{{add 1 2 "3"}} {{sub 5 2}} {{mul 2 3}} {{div 7 2}} {{mod 7 2}}`: "6 3 6 3 1",
		`{{divf 7 2}} {{maxf 1 2.5}} {{round 1.256 2}} {{ceil "1.1"}} {{floor 1.9}}`: "3.5 2.5 1.26 2 1", `{{max 1 5 3}} {{min 4 2}}`: "5 2",
		`{{alignLeft 3 .x}}|{{alignRight 3 .x}}|{{alignLeft 3 "a"}}|{{alignRight 3 "a"}}`: "Hel|rld|a  |  a", `{{indent 2 "a\nb"}}`: "  a\n  b", `{{repeat 3 "ab"}}`: "ababab", `{{title "two words"}}`: "Two Words",
		`{{.n | default "7"}} {{.x | default "7"}}`: "7 Hello World", `{{b64enc "a"}} {{b64dec "YQ=="}}`: "YQ== a", `{{urlencode "a b"}} {{urldecode "a+b"}}`: "a+b a b", `{{count "o" .x}}`: "2",
		`{{duration "1m"}} {{bytes "2KB"}}`: "60 2000", `{{(fromJson "{\"a\":[1,2]}").a}}`: "[1 2]", `{{__timestamp__ | date "2006-01-02"}} {{__timestamp__ | unixEpochMillis}}`: "2001-09-09 1000000000000",
		`{{(unixToTime "1000000000") | unixEpochNanos}}`: "1000000000000000000", `{{toDate "2006-01-02" "2024-05-06" | unixEpoch}}`: "1714953600", `{{trimAll "$" "$5$"}}{{trimPrefix "a" "ab"}}{{trimSuffix "b" "ab"}}{{TrimSpace " c "}}`: "5bac",
		`{{printf "%05d %s" 7 .x}}`: "00007 Hello World", `{{range fromJson "[1,2]"}}<{{.}}>{{end}}`: "<1><2>", `{{if eq .x "y"}}1{{else}}2{{end}}`: "2", `{{int "0x10"}} {{float64 "1.5"}}`: "16 1.5",
	} {
		tmpl, err := linetemplate.New(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := tmpl.Execute("the line", 1e18, map[string]string{"x": "Hello World"})
		if err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", text, got, err, want)
		}
	}
}

// TestBounds runs what would write or loop without end.
func TestBounds(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{{range 1000000000}}{{end}}`, `{{repeat 1000000000 .x}}`, `{{indent 1000000000 .x}}`, `{{alignLeft 1000000000 .x}}`, `{{printf "%1000000000d" 1}}`, `{{printf "%*d" 1000000000 1}}`,
		`{{$a := .x}}` + strings.Repeat(`{{$a = print $a $a}}`, 50), `{{$a := .x}}` + strings.Repeat(`{{$a = printf "%s%s" $a $a}}`, 50), `{{$a := .x}}` + strings.Repeat(`{{$a = replace "" $a $a}}`, 50),
		`{{.x` + strings.Repeat(` | b64enc`, 200) + `}}`, `{{$l := fromJson .list}}{{range $l}}{{range $l}}{{range $l}}{{end}}{{end}}{{end}}`, `{{regexReplaceAll "" .x (repeat 100000 "y")}}`, `{{div 1 0}}`,
	} {
		tmpl, err := linetemplate.New(text)
		if err != nil {
			t.Errorf("%.60s: %v", text, err)
			continue
		}
		if got, err := tmpl.Execute("", 0, map[string]string{"x": "some text", "list": "[" + strings.Repeat("1,", 99) + "1]"}); err == nil {
			t.Errorf("%.60s: wrote %d bytes", text, len(got))
		}
	}
	for _, text := range []string{strings.Repeat("x", 10_000), `{{template "x"}}`, `{{define "x"}}{{template "x"}}{{end}}`, `{{nothing}}`, `{{`} {
		if _, err := linetemplate.New(text); err == nil {
			t.Errorf("%.60s was taken", text)
		}
	}
}
