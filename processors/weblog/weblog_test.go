package weblog_test

import (
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/weblog"
)

func TestScripts(t *testing.T) { pipelinetest.RunScripts(t, weblog.Registration(), "testdata") }

func TestConformance(t *testing.T) { pipelinetest.Conform(t, weblog.Registration(), "testdata") }

func TestConfig(t *testing.T) {
	for text, want := range map[string]string{
		"":                                        "",
		"format: combined":                        "",
		"format: combind":                         "format: ",
		"formats: {a: none, b: combined}":         "",
		"formats: {a: 'nginx: $status $'}":        "formats: a: ",
		"max_age: 1s":                             "max_age: 1s is not between",
		"trusted_proxies: [10.0.0.0/8, '::1']":    "",
		"trusted_proxies: [proxy.internal]":       "trusted_proxies: \"proxy.internal\" is neither",
		"own_hosts: [Shop.Example.com]":           "",
		"own_hosts: ['https://shop.example.com']": "own_hosts: ",
		"geo: {country_file: /nowhere/at.all}":    "geo.country_file: ",
		"geo: {city_file: /nowhere/at.all}":       "geo.city_file: ",
		"geo: {enabled: false, country_file: /a}": "",
	} {
		cfg := weblog.DefaultConfig()
		err := config.Parse([]byte(text), &cfg)
		if err == nil {
			_, err = weblog.New(cfg)
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
