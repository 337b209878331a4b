package main

import (
	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// connectionFlags adds the flags that say where and how a command sends, and
// sets what they are stored in to their defaults.
func connectionFlags(c *cobra.Command, endpoint, protocol, compression *string, token *config.Secret, connections *int) {
	flags := c.Flags()
	flags.StringVar(endpoint, "endpoint", "", "where to send: `URL` or host:port (default http://127.0.0.1:4318, or :4317 for grpc)")
	flags.StringVar(protocol, "protocol", "http", "http or grpc")
	flags.StringVar(compression, "compression", "", "gzip, or over http also zstd")
	flags.StringVar((*string)(token), "token", "", "bearer token: the value, file:PATH or env:NAME")
	flags.IntVar(connections, "connections", 4, "connections to the gateway")
}
