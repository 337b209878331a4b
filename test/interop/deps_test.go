package interop

import (
	_ "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
	_ "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/kafkareceiver"
)
