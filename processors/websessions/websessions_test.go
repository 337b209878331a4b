package websessions_test

import (
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/websessions"
)

func TestScripts(t *testing.T) {
	pipelinetest.RunScripts(t, websessions.Registration(), "testdata")
}

func TestConformance(t *testing.T) {
	pipelinetest.Conform(t, websessions.Registration(), "testdata")
}

func TestConfig(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		"{idle: 1m, max_duration: 1h}":       "",
		"idle: 1ms":                          "idle: 1ms is less than 1s",
		"delay: -1s":                         "delay: -1s is not between",
		"idle: 25h":                          "max_duration: 24h0m0s is not between idle",
		"max_duration: 10000h":               "max_duration: ",
		"max_open: 0":                        "max_open: 0 is not between",
		"max_bytes: 1":                       "max_bytes: 1 is not between",
		"{max_open: 10, max_bytes: 2000000}": "",
	} {
		cfg := websessions.DefaultConfig()
		err := config.Parse([]byte(text), &cfg)
		if err == nil {
			_, err = websessions.New(cfg)
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
