package security_test

import (
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/security"
)

func TestScripts(t *testing.T) { pipelinetest.RunScripts(t, security.Registration(), "testdata") }

func TestConfig(t *testing.T) {
	parse := func(text string) error {
		cfg := security.DefaultConfig()
		if err := config.Parse([]byte(text), &cfg); err != nil {
			return err
		}
		_, err := security.New(cfg)
		return err
	}
	for text, want := range map[string]string{
		"":                                       "",
		"quiet: 0s":                              "quiet",
		"interval: 2h":                           "interval",
		"trusted: [10.0.0.1]":                    `trusted: "10.0.0.1" is not a network`,
		"trusted: [10.0.0.0/8, '2001:db8::/32']": "",
		"login_paths: [a/b]":                     `login_paths: "a/b"`,
		"login_paths: []":                        "",
		"flood: {client: 0}":                     "flood: client",
		"flood: {network: 0}":                    "flood: network",
		"flood: {path: 0}":                       "flood: path",
		"flood: {ratio: 1}":                      "flood: ratio",
		"flood: {ratio: .nan}":                   "flood: ratio",
		"flood: {clients: 1}":                    "flood: clients",
		"logins: {failures: 0}":                  "logins: failures",
		"logins: {accounts: 1}":                  "logins: accounts",
		"scan: {probes: 0}":                      "scan: probes",
		"scan: {missing: 1}":                     "scan: missing",
		"scraping: {paths: 1}":                   "scraping: paths",
		"scraping: {page: 1}":                    "page",
		"max_clients: 1":                         "max_clients",
		"max_paths: 1":                           "max_paths",
		"max_findings: 1":                        "max_findings",
		"{max_findings: 90, max_clients: 100}":   "max_findings: 90 is not between 10 and 50",
	} {
		if err := parse(text); (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
