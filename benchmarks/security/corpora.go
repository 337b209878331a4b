package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/goshawk-observability/goshawk/processors/security/injection"
)

// module returns the folder of a module in the module cache, the latest version
// that is there.
func module(path string) (string, error) {
	cache := os.Getenv("GOMODCACHE")
	if cache == "" {
		cache = filepath.Join(build.Default.GOPATH, "pkg", "mod")
	}
	found, err := filepath.Glob(filepath.Join(cache, filepath.FromSlash(path)+"@*"))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is not in the module cache", path)
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}

// test is what is read of a test of the Core Rule Set.
type test struct {
	Rule  int `yaml:"rule_id"`
	Tests []struct {
		Stages []struct {
			Input struct {
				Method  string            `yaml:"method"`
				URI     string            `yaml:"uri"`
				Data    string            `yaml:"data"`
				Encoded string            `yaml:"encoded_request"`
				Headers map[string]string `yaml:"headers"`
			} `yaml:"input"`
			Output struct {
				Log struct {
					Expect []int `yaml:"expect_ids"`
					None   []int `yaml:"no_expect_ids"`
				} `yaml:"log"`
			} `yaml:"output"`
		} `yaml:"stages"`
	} `yaml:"tests"`
}

var ruleStart = regexp.MustCompile(`"?id:(\d{6})`)

// ruleSet reads the tests of the Core Rule Set that put something into the URL or a
// form. Those of the first level of paranoia are listed on their own: the others
// are of rules that accuse honest requests, too.
func ruleSet() ([]corpus, error) {
	dir, err := module("github.com/corazawaf/coraza-coreruleset/v4")
	if err != nil {
		return nil, err
	}
	first := map[int]bool{}
	rules, err := filepath.Glob(filepath.Join(dir, "rules", "@owasp_crs", "*.conf"))
	if err != nil {
		return nil, fmt.Errorf("looking for rules: %w", err)
	}
	for _, file := range rules {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading rules: %w", err)
		}
		for _, rule := range strings.Split(string(text), "SecRule ") {
			if m := ruleStart.FindStringSubmatch(rule); m != nil && strings.Contains(rule, "paranoia-level/1'") {
				id, _ := strconv.Atoi(m[1])
				first[id] = true
			}
		}
	}
	var all []corpus
	for _, part := range []struct {
		folder string
		kind   injection.Kind
	}{
		{"942-APPLICATION-ATTACK-SQLI", injection.SQL},
		{"941-APPLICATION-ATTACK-XSS", injection.Script},
		{"930-APPLICATION-ATTACK-LFI", injection.Traversal},
		{"932-APPLICATION-ATTACK-RCE", injection.Command},
		{"933-APPLICATION-ATTACK-PHP", injection.Command},
	} {
		files, err := filepath.Glob(filepath.Join(dir, "tests", "REQUEST-"+part.folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			return all, fmt.Errorf("tests of %s: %w", part.folder, errors.Join(err, os.ErrNotExist))
		}
		name := "crs " + part.folder[:3] + " " + part.folder[strings.LastIndexByte(part.folder, '-')+1:]
		one, more := corpus{name: name + " level 1", kind: part.kind}, corpus{name: name + " level 2-4", kind: part.kind}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return all, fmt.Errorf("reading tests: %w", err)
			}
			var t test
			if err := yaml.Unmarshal(text, &t); err != nil {
				continue // a few have values of other types
			}
			c := &more
			if id, _ := strconv.Atoi(strings.TrimSuffix(filepath.Base(file), ".yaml")); first[id] {
				c = &one
			}
			c.samples = append(c.samples, samplesOf(&t)...)
		}
		all = append(all, one, more)
	}
	return all, nil
}

// samplesOf returns what the tests of a rule send.
func samplesOf(t *test) (all []sample) {
	for _, one := range t.Tests {
		for _, stage := range one.Stages {
			in, log := stage.Input, stage.Output.Log
			if in.Encoded != "" || len(log.Expect)+len(log.None) == 0 || strings.Contains(in.Headers["Content-Type"], "json") ||
				strings.Contains(in.Headers["Content-Type"], "xml") || strings.Contains(in.Headers["Content-Type"], "multipart") {
				continue
			}
			path, query, _ := strings.Cut(in.URI, "?")
			if in.Data != "" {
				query = strings.TrimSpace(in.Data)
			}
			if query == "" && strings.Count(path, "/") < 2 && maskless(path) {
				continue // what it tests is in a header
			}
			all = append(all, sample{path: path, query: query, attack: len(log.Expect) > 0})
		}
	}
	return all
}

// maskless reports whether a path has nothing special.
func maskless(path string) bool { return !strings.ContainsAny(path, "%'\"();.") }

// libinjectionTests reads the tests of libinjection-go that say whether a text is
// SQL or a script.
func libinjectionTests() ([]corpus, error) {
	dir, err := module("github.com/corazawaf/libinjection-go")
	if err != nil {
		return nil, err
	}
	sql := corpus{name: "libinjection SQL", kind: injection.SQL}
	files, err := filepath.Glob(filepath.Join(dir, "tests", "test-sqli-*.txt"))
	if err != nil {
		return nil, fmt.Errorf("looking for tests: %w", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading tests: %w", err)
		}
		_, rest, _ := strings.Cut(string(text), "--INPUT--\n")
		input, expected, _ := strings.Cut(rest, "--EXPECTED--")
		sql.samples = append(sql.samples, sample{query: "q=" + url.QueryEscape(strings.TrimSpace(input)), attack: strings.TrimSpace(expected) != ""})
	}
	script := corpus{name: "libinjection script", kind: injection.Script}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "xss_test.go"), nil, 0)
	if err != nil {
		return nil, fmt.Errorf("reading tests: %w", err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		l, ok := n.(*ast.CompositeLit)
		if !ok || len(l.Elts) != 2 {
			return true
		}
		var text, label string
		for _, e := range l.Elts {
			kv, _ := e.(*ast.KeyValueExpr)
			if kv == nil {
				return true
			}
			switch v := kv.Value.(type) {
			case *ast.BasicLit:
				text, _ = strconv.Unquote(v.Value)
			case *ast.Ident:
				label = v.Name
			}
		}
		if text != "" && (label == "true" || label == "false") {
			script.samples = append(script.samples, sample{query: "q=" + url.QueryEscape(text), attack: label == "true"})
		}
		return true
	})
	return []corpus{sql, script}, nil
}

// prose takes the sentences of Go's documentation for what people search for.
func prose() ([]corpus, error) {
	root := filepath.Join(build.Default.GOROOT, "src")
	c := corpus{name: "sentences", kind: injection.Kinds}
	files, err := filepath.Glob(filepath.Join(root, "*", "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("the source of Go is not at %s", root)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		for line := range strings.Lines(string(text)) {
			// Sentences stand behind "// ", code further in.
			if words, ok := strings.CutPrefix(strings.TrimSpace(line), "// "); ok && len(words) > 10 && words[0] > ' ' && words[0] != '\t' {
				c.samples = append(c.samples, sample{path: "/search", query: "lang=en&q=" + url.QueryEscape(words)})
			}
		}
	}
	return []corpus{c}, nil
}

// accessLog reads the requests of a log in the combined format.
func accessLog(name string) ([]corpus, error) {
	if name == "" {
		return nil, errors.New("no -weblog is given")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	c := corpus{name: "access log", kind: injection.Kinds}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		parts := strings.Split(s.Text(), `"`)
		if len(parts) < 6 {
			continue
		}
		fields := strings.Fields(parts[1])
		if len(fields) < 2 {
			continue
		}
		path, query, _ := strings.Cut(fields[1], "?")
		c.samples = append(c.samples, sample{path: path, query: query, referrer: parts[3]})
	}
	return []corpus{c}, nil
}
