package logs_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testDocumented asks what docs/api.md asks of logs, and is answered what it says.
func testDocumented(t *testing.T, f *fixture) {
	f.send(t, "docs", cart()...)
	s := f.serve(t, nil)
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```sh\ncurl 'http://127.0.0.1:8428(/api/v1/[^\n]*)'\n```\n\n```json\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(found) != 2 {
		t.Fatalf("docs/api.md has %d examples", len(found))
	}
	for _, example := range found {
		a := s.get(t, "docs", example[1])
		var want, got any
		if err := json.Unmarshal([]byte(example[2]), &want); err != nil {
			t.Errorf("%s: %v", example[1], err)
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
			t.Errorf("%s: %d %v", example[1], a.status, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: documented (-) and answered (+)\n%s\n%s", example[1], diff, a.body)
		}
	}
}
