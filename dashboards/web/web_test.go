package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

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
		if body := w.Body.String(); strings.Contains(body, "innerHTML") || regexp.MustCompile(`https?://[a-z]`).MatchString(strings.ReplaceAll(body, "http://www.w3.org/2000/svg", "")) {
			t.Errorf("%s parses text as HTML or names another server", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
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
