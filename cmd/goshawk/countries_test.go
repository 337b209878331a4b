package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

func TestCountriesAreTold(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv(classify.CountryFileVariable, "")
	tell := func(settings any) int {
		var out bytes.Buffer
		chain := pipeline.Chain{{"drop": nil}, {"weblog": settings}}
		tellCountries(chain, slog.New(slog.NewTextHandler(&out, nil)))
		return strings.Count(out.String(), "\n")
	}
	if n := tell(map[string]any{}); n != 1 {
		t.Errorf("%d lines are logged without a database, want 1", n)
	}
	if n := tell(map[string]any{"geo": map[string]any{"enabled": false}}); n != 0 {
		t.Errorf("%d lines are logged where nothing is looked up", n)
	}
	file := filepath.Join(t.TempDir(), "dbip-country.mmdb")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(classify.CountryFileVariable, file)
	if n := tell(map[string]any{}); n != 0 {
		t.Errorf("%d lines are logged with a database", n)
	}
}
