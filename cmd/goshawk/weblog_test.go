package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/processors/weblog/report"
)

const weblogLine = `192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 100 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"` + "\n"

// runWeblog runs goshawk weblog report.
func runWeblog(t *testing.T, stdin string, args ...string) (out, errs string, err error) {
	t.Helper()
	root := newRoot()
	var outBuffer, errBuffer bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&outBuffer)
	root.SetErr(&errBuffer)
	root.SetArgs(append([]string{"weblog", "report"}, args...))
	err = root.ExecuteContext(t.Context())
	return outBuffer.String(), errBuffer.String(), err
}

func TestWeblogReport(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	log, page := filepath.Join(folder, "access.log"), filepath.Join(folder, "report.html")
	if err := os.WriteFile(log, []byte(weblogLine+"no request\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, err := runWeblog(t, "", log)
	if err != nil || !strings.Contains(out, "1 lines could not be read") || !strings.Contains(out, "Firefox") {
		t.Errorf("%v\n%s", err, out)
	}
	out, _, err = runWeblog(t, weblogLine+weblogLine, filepath.Join(folder, "*.log"), "-", "--output", "json", "--home", "de,AT", "--top", "1")
	var r report.Report
	if err != nil || json.Unmarshal([]byte(out), &r) != nil || r.Totals.Requests != 3 || r.Panel("home") == nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, _, err = runWeblog(t, "", log, "--output", "html", "-o", page); err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.HasPrefix(text, []byte("<!DOCTYPE html>")) {
		t.Errorf("%v\n%.100s", err, text)
	}
	out, _, err = runWeblog(t, "192.0.2.7 [17/May/2015:10:05:03 +0000] \"GET /b HTTP/1.1\" 500 7\n", "-", "--format",
		`$remote_addr [$time_local] "$request" $status $body_bytes_sent`, "--timezone", "UTC", "--since", "2015-05-17", "--until", "2015-05-17 11:00")
	if err != nil || !strings.Contains(out, "500 Internal Server Error") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWeblogReportErrors(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	log := filepath.Join(folder, "access.log")
	if err := os.WriteFile(log, []byte("no request\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no file":      {nil, "requires at least 1 arg"},
		"missing file": {[]string{filepath.Join(folder, "none")}, "no such file"},
		"folder":       {[]string{folder}, "is a folder"},
		"format":       {[]string{log, "--format", "combinedd"}, "access log format"},
		"output":       {[]string{log, "--output", "pdf"}, "none of terminal, json and html"},
		"home":         {[]string{log, "--home", "Germany"}, "no country code"},
		"since":        {[]string{log, "--since", "yesterday"}, "no time such as"},
		"time zone":    {[]string{log, "--timezone", "Mars/Base"}, "--timezone"},
		"top":          {[]string{log, "--top", "-1"}, "less than 0"},
		"proxies":      {[]string{log, "--trusted-proxies", "x"}, "trusted_proxies"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := runWeblog(t, "", c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	// A log without a request says which lines could not be read.
	_, errs, err := runWeblog(t, "", log)
	if err == nil || !strings.Contains(errs, "no request could be read in 1 lines") || !strings.Contains(errs, `access.log:1`) {
		t.Errorf("%v\n%s", err, errs)
	}
}
