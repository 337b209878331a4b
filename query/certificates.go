package query

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificates serves TLS with files that may be replaced while it runs.
type certificates struct {
	cfg TLSConfig

	mu      sync.Mutex
	current *tls.Config
	changed [3]time.Time
	looked  time.Time
}

// certificateInterval is how often the files are looked at.
const certificateInterval = 10 * time.Second

func newCertificates(cfg TLSConfig) (*certificates, error) {
	c := &certificates{cfg: cfg}
	changed, err := c.times()
	if err != nil {
		return nil, err
	}
	if c.current, err = c.load(); err != nil {
		return nil, err
	}
	c.changed, c.looked = changed, time.Now()
	return c, nil
}

// config asks for the current files at every handshake.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.latest(), nil
		},
	}
}

// latest reads the files again where they changed. Files that cannot be used
// change nothing: a half-written certificate must not end the service.
func (c *certificates) latest() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < certificateInterval {
		return c.current
	}
	c.looked = time.Now()
	changed, err := c.times()
	if err != nil || changed == c.changed {
		return c.current
	}
	if fresh, err := c.load(); err == nil {
		c.current, c.changed = fresh, changed
	}
	return c.current
}

func (c *certificates) times() (t [3]time.Time, err error) {
	for i, path := range []string{c.cfg.CertFile, c.cfg.KeyFile, c.cfg.ClientCAFile} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return t, fmt.Errorf("query.tls: %w", err)
		}
		t[i] = info.ModTime()
	}
	return t, nil
}

func (c *certificates) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.cfg.CertFile, c.cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("query.tls: %w", err)
	}
	cfg := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{pair},
	}
	if c.cfg.ClientCAFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(c.cfg.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("query.tls.client_ca_file: %w", err)
	}
	cfg.ClientCAs = x509.NewCertPool()
	if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("query.tls.client_ca_file: %s holds no certificate", c.cfg.ClientCAFile)
	}
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	return cfg, nil
}
