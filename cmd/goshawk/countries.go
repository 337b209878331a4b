package main

import (
	"log/slog"

	"github.com/goccy/go-yaml"

	"github.com/goshawk-observability/goshawk/pipeline"
	weblogprocessor "github.com/goshawk-observability/goshawk/processors/weblog"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

// tellCountries says once if countries of requests to web servers are to be looked
// up, and nothing is there to look them up in.
func tellCountries(chain pipeline.Chain, log *slog.Logger) {
	name := weblogprocessor.Registration().Name
	for _, element := range chain {
		settings, ok := element[name]
		if !ok {
			continue
		}
		cfg := weblogprocessor.DefaultConfig()
		if text, err := yaml.Marshal(settings); err != nil || yaml.Unmarshal(text, &cfg) != nil {
			continue // the registry has said what is wrong
		}
		if geo := cfg.Geo; geo.Enabled && geo.CityFile == "" && classify.FindCountryFile(geo.CountryFile) == "" {
			log.Warn("countries of web hits stay empty: no database of countries was found; 'make geo' fetches one",
				"setting", "weblog.geo.country_file", "environment", classify.CountryFileVariable)
		}
	}
}
