package lines

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/logpush/logpushtest"
)

func TestLines(t *testing.T) {
	t.Parallel()
	s := logpushtest.Splitter(t, Routes(), Path, "")
	for name, c := range map[string]struct{ url, body, want string }{
		"lines":       {"", "a\r\n\n b \nc", "resource \n  +0 0 \"a\"\n  +1 0 \" b \"\n  +2 0 \"c\"\n"},
		"a service":   {"?service=shop&host=web-1&file=/x&k8s.pod.name=p", "a", "resource host.name=\"web-1\" k8s.pod.name=\"p\" service.name=\"shop\"\n  +0 0 \"a\" log.file.path=\"/x\"\n"},
		"a typo":      {"?servcie=shop", "a", "refused: parameter \"servcie\" is not known; want service, version, environment, host, file, or an attribute with a dot in its name\n"},
		"binary":      {"", "a\xff\xfeb\x00\n", "resource \n  +0 0 \"a\uFFFDb\\x00\"\n"},
		"nothing":     {"", "\n\n", ""},
		"a long line": {"", strings.Repeat("x", 2<<20), "rejected 1: "},
	} {
		got := logpushtest.Describe(t, s, httptest.NewRequest("POST", Path+c.url, nil), c.body)
		if name == "a long line" {
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("%s: %.200s", name, got)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	s := logpushtest.Splitter(t, Routes(), Path, "").(gateway.RequestSplitter)
	identity := func(url, key string) string {
		r := httptest.NewRequest("POST", Path+url, nil)
		if key != "" {
			r.Header.Set(IdempotencyKey, key)
		}
		id, err := s.Describe(r)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if first, second := identity("", ""), identity("", ""); first == second {
		t.Error("two requests without a key are taken for the same")
	}
	if first, second := identity("", "k"), identity("", "k"); first != second || identity("", "k") == identity("", "l") || identity("?service=a", "k") == identity("?service=b", "k") {
		t.Error("the key does not tell requests apart as it should")
	}
}
