// Package transport is what goshawk's ports and connections have in common:
// TLS from PEM files, at the server's end and at the client's, and whether an
// address is on this machine.
//
// It must not know what is sent: protocols and their settings are the business
// of the packages that listen and connect.
package transport

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
)

// Loopback reports whether only this machine reaches the host. A name other
// than localhost is not looked up, and taken as reachable.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// Load makes the configuration of connections, nil where they are not
// encrypted. Errors begin with the key of the setting.
func (c ClientTLS) Load() (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	loaded := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		var err error
		if loaded.RootCAs, err = readAuthorities(c.CAFile); err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cert_file %s with key_file %s: %w", c.CertFile, c.KeyFile, err)
		}
		loaded.Certificates = []tls.Certificate{pair}
	}
	return loaded, nil
}

// readAuthorities reads the certificates that others are signed with.
func readAuthorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no PEM certificate", path)
	}
	return pool, nil
}
