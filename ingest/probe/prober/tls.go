package prober

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/transport"
)

// load makes the settings of connections and reads the files.
func (c *TLSConfig) load() (*tls.Config, error) {
	client := transport.ClientTLS{
		Enabled: true, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, ServerName: c.ServerName,
	}
	loaded, err := client.Load()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	loaded.MinVersion = tlsVersions[c.MinVersion]
	loaded.InsecureSkipVerify = c.InsecureSkipVerify
	return loaded, nil
}

// handshake starts TLS on a connection and notes the server's certificates,
// also those that it refuses.
func (c *TLSConfig) handshake(ctx context.Context, r *Result, conn net.Conn, cfg *tls.Config, host string) (*tls.Conn, error) {
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	encrypted := tls.Client(conn, cfg)
	start := time.Now()
	err := encrypted.HandshakeContext(ctx)
	r.phase(phaseTLS, start, time.Now())
	if err != nil {
		r.refusedCertificates(err)
		return nil, fmt.Errorf("tls handshake: %w", tlsError(ctx, err))
	}
	r.encrypted(encrypted.ConnectionState())
	return encrypted, c.remaining(encrypted.ConnectionState().PeerCertificates)
}

// tlsError gives errors of handshakes that have no type of their own the type
// tls.
func tlsError(ctx context.Context, err error) error {
	if ctx.Err() == nil && errorType(err) == "_OTHER" {
		return &Failure{Type: "tls", Err: err}
	}
	return err
}

// remaining checks how long the certificates are still valid.
func (c *TLSConfig) remaining(chain []*x509.Certificate) error {
	if c.FailIfExpiresWithin == 0 || len(chain) == 0 {
		return nil
	}
	if first := earliest(chain); time.Until(first) < c.FailIfExpiresWithin {
		return failf("certificate", "a certificate expires at %s, within %s", first.UTC().Format(time.RFC3339), c.FailIfExpiresWithin)
	}
	return nil
}

func earliest(chain []*x509.Certificate) time.Time {
	var first time.Time
	for _, cert := range chain {
		if first.IsZero() || cert.NotAfter.Before(first) {
			first = cert.NotAfter
		}
	}
	return first
}

// refusedCertificates notes what can be said of certificates that were not
// trusted: users want to see since when one has expired.
func (r *Result) refusedCertificates(err error) {
	var refused *tls.CertificateVerificationError
	if errors.As(err, &refused) {
		r.certificates(refused.UnverifiedCertificates, nil)
	}
}

// encrypted notes what a handshake has agreed on.
func (r *Result) encrypted(state tls.ConnectionState) {
	version := tls.VersionName(state.Version)
	cipher := tls.CipherSuiteName(state.CipherSuite)
	r.point(TLSVersionInfo, 1, Label{"version", version})
	r.point(TLSCipherInfo, 1, Label{"cipher", cipher})
	r.text("tls.protocol.name", "tls")
	r.text("tls.protocol.version", strings.TrimPrefix(version, "TLS "))
	r.text("tls.cipher", cipher)
	r.certificates(state.PeerCertificates, state.VerifiedChains)
}

func (r *Result) certificates(presented []*x509.Certificate, verified [][]*x509.Certificate) {
	if len(presented) == 0 {
		return
	}
	r.point(CertEarliestExpiry, unixSeconds(earliest(presented)))
	var last time.Time
	for _, chain := range verified {
		if first := earliest(chain); first.After(last) {
			last = first
		}
	}
	if !last.IsZero() {
		r.point(CertChainExpiry, unixSeconds(last))
	}
	leaf := presented[0]
	sum := sha256.Sum256(leaf.Raw)
	fingerprint := hex.EncodeToString(sum[:])
	var names []string
	names = append(names, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	r.point(
		CertChainInfo, 1,
		Label{"fingerprint_sha256", fingerprint},
		Label{"issuer", leaf.Issuer.String()},
		Label{"serialnumber", leaf.SerialNumber.Text(16)},
		Label{"subject", leaf.Subject.String()},
		Label{"subjectalternative", strings.Join(names, ",")},
	)
	r.text("tls.server.not_after", leaf.NotAfter.UTC().Format(time.RFC3339))
	r.text("tls.server.not_before", leaf.NotBefore.UTC().Format(time.RFC3339))
	r.text("tls.server.issuer", leaf.Issuer.String())
	r.text("tls.server.subject", leaf.Subject.String())
	r.text("tls.server.hash.sha256", strings.ToUpper(fingerprint))
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// tlsProber connects and shakes hands, no more.
type tlsProber struct {
	cfg    *TLSConfig
	loaded *tls.Config
	dialer *dialer
}

func newTLS(cfg *TLSConfig, d *dialer) (*tlsProber, error) {
	loaded, err := cfg.load()
	if err != nil {
		return nil, err
	}
	return &tlsProber{cfg, loaded, d}, nil
}

func (*tlsProber) check(target string) error { return checkHostPort(target) }
func (*tlsProber) close()                    {}

func (p *tlsProber) probe(ctx context.Context, target string, r *Result) error {
	r.SpanName = "tls handshake"
	r.measure(TLSDuration, phaseResolve, phaseConnect, phaseTLS)
	conn, host, err := p.dialer.dialTarget(ctx, r, target)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = p.cfg.handshake(ctx, r, conn, p.loaded, host)
	return err
}

// checkHostPort says what is wrong with a target of the form host:port.
func checkHostPort(target string) error {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return fmt.Errorf("%q is not of the form host:port: %w", target, err)
	}
	if host == "" {
		return fmt.Errorf("%q names no host", target)
	}
	return checkPort(port)
}

func checkPort(port string) error {
	n, err := parsePort(port)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is no port", port)
	}
	return nil
}
