package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestChange reports a change to a gateway that is busy at first.
func TestChange(t *testing.T) {
	var bodies []map[string]any
	busy := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var body map[string]any
		if err := json.Unmarshal(text, &body); err != nil || r.URL.Path != "/api/v1/changes" || r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		bodies = append(bodies, body)
		switch {
		case busy:
			busy = false
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case body["kind"] == "bad":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"message":"no such kind"}}`)
		case body["kind"] == "old":
			_, _ = io.WriteString(w, `{"changes":1,"rejected":1}`)
		default:
			_, _ = io.WriteString(w, `{"changes":1,"rejected":0}`)
		}
	}))
	defer server.Close()
	run := func(args ...string) (string, error) {
		c := newChange()
		var out bytes.Buffer
		c.SetOut(&out)
		c.SilenceErrors, c.SilenceUsage = true, true
		c.SetArgs(append(args, "--url", server.URL+"/", "--token", "secret"))
		err := c.ExecuteContext(t.Context())
		return strings.TrimSpace(out.String()), err
	}
	id, err := run("--kind", "deployment", "--service", "cart", "--attribute", "a=1", "--attribute", "b=2")
	if err != nil || len(id) != 32 || len(bodies) != 2 {
		t.Fatalf("%q after %d requests: %v", id, len(bodies), err)
	}
	for _, body := range bodies {
		attributes, _ := body["attributes"].(map[string]any)
		if body["id"] != id || body["service"] != "cart" || body["time"] == nil || body["status"] != nil || attributes["b"] != "2" {
			t.Errorf("reported %v", body)
		}
	}
	if same, err := run("--kind", "deployment", "--id", "7", "--status", "failed"); err != nil || same != "7" {
		t.Errorf("%q: %v", same, err)
	}
	for kind, want := range map[string]string{"bad": "no such kind", "old": "refused the change"} {
		if _, err := run("--kind", kind); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err := run(); err == nil || !strings.Contains(err.Error(), "kind") {
		t.Errorf("no kind: %v", err)
	}
}
