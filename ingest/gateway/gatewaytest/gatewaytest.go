// Package gatewaytest runs a gateway within tests of formats that it takes.
package gatewaytest

import (
	"context"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
)

// Start runs a gateway with more routes until the test ends.
func Start(t testing.TB, cfg gateway.Config, p gateway.Producer, routes ...gateway.Route) *gateway.Gateway {
	t.Helper()
	g, err := gateway.New(cfg, p, prometheus.NewRegistry(), slog.New(slog.DiscardHandler), routes...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return g
}
