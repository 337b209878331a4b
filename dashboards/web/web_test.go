package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// parses finds what makes a browser read text as HTML or as a script.
var parses = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\(|new Function|setAttribute\("on|javascript:`)

// TestFiles wants every file served with a known type, and every module that a
// script imports and every element that it looks for to be there.
func TestFiles(t *testing.T) {
	t.Parallel()
	h := Handler()
	page, err := files.ReadFile("page/index.html")
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(files, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "page/index.html" {
			return err
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/assets/"+strings.TrimPrefix(name, "page/"), nil))
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") == "" || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		for _, m := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
			if _, err := files.Open("page/" + m[1]); err != nil {
				t.Errorf("%s imports %s: %v", name, m[1], err)
			}
		}
		for _, m := range regexp.MustCompile(`\$\("([^"]+)"\)`).FindAllStringSubmatch(w.Body.String(), -1) {
			if !strings.Contains(string(page), `id="`+m[1]+`"`) {
				t.Errorf("%s looks for #%s, which the page does not have", name, m[1])
			}
		}
		if body := w.Body.String(); parses.MatchString(body) || regexp.MustCompile(`https?://[a-z]`).MatchString(strings.ReplaceAll(body, "http://www.w3.org/2000/svg", "")) {
			t.Errorf("%s parses text as HTML or names another server", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPage wants the page itself to name no other server, to have nothing in it that
// its policy forbids, and a place for every view that it links to.
func TestPage(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	body := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("Content-Security-Policy") != policy || strings.Contains(policy, "unsafe") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if found := regexp.MustCompile(`(?i)https?://|<style|<script[^>]*>[^<]|\s(style|on[a-z]+)=`).FindAllString(body, -1); len(found) > 0 {
		t.Errorf("the page has %q", found)
	}
	links := regexp.MustCompile(`data-view="([^"]*)"`).FindAllStringSubmatch(body, -1)
	if len(links) < 2 {
		t.Errorf("%d links to views", len(links))
	}
	for _, m := range links {
		id := m[1]
		if id == "" {
			id = "overview"
		}
		if strings.Count(body, `class="view" id="view-`+id+`"`) != 1 {
			t.Errorf("there is no place for the view %q", m[1])
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		if ids[m[1]] {
			t.Errorf("the id %s is there twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?:\sfor|aria-labelledby|aria-describedby|data-copy)="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		if !ids[m[1]] {
			t.Errorf("the page refers to #%s, which it does not have", m[1])
		}
	}
}

// TestReferenced wants every module to be reached from the page's script, and every
// style to be linked.
func TestReferenced(t *testing.T) {
	t.Parallel()
	page, err := files.ReadFile("page/index.html")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	next := []string{}
	for _, m := range regexp.MustCompile(`(?:src|href)="/assets/([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		next = append(next, m[1])
	}
	for len(next) > 0 {
		name := next[0]
		next = next[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		text, err := files.ReadFile("page/" + name)
		if err != nil {
			t.Errorf("%s is named, and not there: %v", name, err)
		}
		for _, m := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
			next = append(next, m[1])
		}
	}
	all, err := fs.ReadDir(files, "page")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range all {
		if !seen[entry.Name()] && entry.Name() != "index.html" {
			t.Errorf("nothing refers to %s", entry.Name())
		}
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	h := Handler()
	first := httptest.NewRecorder()
	h.ServeHTTP(first, httptest.NewRequest(http.MethodGet, "/", nil))
	again := httptest.NewRequest(http.MethodGet, "/", nil)
	again.Header.Set("If-None-Match", first.Header().Get("ETag"))
	second := httptest.NewRecorder()
	h.ServeHTTP(second, again)
	if first.Code != http.StatusOK || second.Code != http.StatusNotModified {
		t.Errorf("%d, then %d", first.Code, second.Code)
	}
}
