package transport

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificates keeps what the files of a [ServerTLS] hold and reads them again
// when one of them has changed, so that a certificate is renewed without a
// restart. Files that do not fit together, as in the middle of a renewal, leave
// the old ones in use and are tried again with the next connection. It is safe
// for concurrent use.
type Certificates struct {
	cfg ServerTLS
	log *slog.Logger

	mu      sync.Mutex
	current *tls.Config
	seen    stamps
	warned  time.Time
}

// warnInterval is the least time between two lines about files that cannot be
// used: each connection tries them.
const warnInterval = 10 * time.Second

// stamps tell whether files have changed.
type stamps [3]struct {
	modified time.Time
	size     int64
}

// NewCertificates reads the files. Errors begin with the key of the setting.
func NewCertificates(cfg ServerTLS, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{cfg: cfg, log: log}
	var err error
	// Before the files are read: what changes meanwhile is read once more.
	if c.seen, err = c.stat(); err != nil {
		return nil, err
	}
	if c.current, err = c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// Config returns a configuration that follows the files. Protocols are what is
// offered in the handshake.
func (c *Certificates) Config(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &c.latest().Certificates[0], nil
		},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			latest := c.latest().Clone()
			latest.NextProtos = protocols
			return latest, nil
		},
	}
}

func (c *Certificates) latest() *tls.Config {
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
	if now := time.Now(); now.Sub(c.warned) > warnInterval {
		c.warned = now
		c.log.Warn("certificate cannot be read again; the old one stays in use", "error", err)
	}
	return c.current
}

func (c *Certificates) stat() (stamps, error) {
	var s stamps
	for i, f := range []struct{ key, path string }{
		{"cert_file", c.cfg.CertFile}, {"key_file", c.cfg.KeyFile}, {"client_ca_file", c.cfg.ClientCAFile},
	} {
		if f.path == "" {
			continue
		}
		info, err := os.Stat(f.path)
		if err != nil {
			return s, fmt.Errorf("%s: %w", f.key, err)
		}
		s[i].modified, s[i].size = info.ModTime(), info.Size()
	}
	return s, nil
}

func (c *Certificates) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.cfg.CertFile, c.cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cert_file %s with key_file %s: %w", c.cfg.CertFile, c.cfg.KeyFile, err)
	}
	loaded := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if c.cfg.ClientCAFile == "" {
		return loaded, nil
	}
	if loaded.ClientCAs, err = readAuthorities(c.cfg.ClientCAFile); err != nil {
		return nil, fmt.Errorf("client_ca_file: %w", err)
	}
	loaded.ClientAuth = tls.RequireAndVerifyClientCert
	return loaded, nil
}
