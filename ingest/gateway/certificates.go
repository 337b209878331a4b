package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificates keeps what the TLS files hold and reads them again when one of
// them has changed, so that a certificate is renewed without a restart. Files
// that do not fit together, as in the middle of a renewal, leave the old ones
// in use and are tried again with the next connection.
type certificates struct {
	cfg   TLSConfig
	log   *slog.Logger
	quiet quiet

	mu      sync.Mutex
	current *tls.Config
	seen    stamps
}

// stamps tell whether files have changed.
type stamps [3]struct {
	modified time.Time
	size     int64
}

func newCertificates(cfg TLSConfig, log *slog.Logger) (*certificates, error) {
	c := &certificates{cfg: cfg, log: log}
	seen, err := c.stat()
	if err != nil {
		return nil, err
	}
	if c.current, err = c.load(); err != nil {
		return nil, err
	}
	c.seen = seen
	return c, nil
}

// config returns a configuration that follows the files. Protocols are what is
// offered in the handshake.
func (c *certificates) config(protocols ...string) *tls.Config {
	base := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols}
	base.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &c.latest().Certificates[0], nil
	}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		latest := c.latest().Clone()
		latest.NextProtos = protocols
		return latest, nil
	}
	return base
}

func (c *certificates) latest() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, err := c.stat()
	if err == nil && seen == c.seen {
		return c.current
	}
	if err == nil {
		var loaded *tls.Config
		if loaded, err = c.load(); err == nil {
			c.current, c.seen = loaded, seen
			c.log.Info("certificate was read again", "file", c.cfg.CertFile)
			return c.current
		}
	}
	c.quiet.warn(c.log, "certificate cannot be read again; the old one stays in use", "error", err)
	return c.current
}

func (c *certificates) stat() (stamps, error) {
	var s stamps
	for i, path := range []string{c.cfg.CertFile, c.cfg.KeyFile, c.cfg.ClientCAFile} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return s, fmt.Errorf("reading TLS files: %w", err)
		}
		s[i].modified, s[i].size = info.ModTime(), info.Size()
	}
	return s, nil
}

func (c *certificates) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.cfg.CertFile, c.cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading certificate %s with key %s: %w", c.cfg.CertFile, c.cfg.KeyFile, err)
	}
	loaded := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if c.cfg.ClientCAFile == "" {
		return loaded, nil
	}
	text, err := os.ReadFile(c.cfg.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("reading client certificate authorities: %w", err)
	}
	loaded.ClientCAs = x509.NewCertPool()
	if !loaded.ClientCAs.AppendCertsFromPEM(text) {
		return nil, errors.New("reading client certificate authorities: " + c.cfg.ClientCAFile + " holds no PEM certificate")
	}
	loaded.ClientAuth = tls.RequireAndVerifyClientCert
	return loaded, nil
}
