package gateway

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serverFiles writes a certificate and its key.
func serverFiles(t *testing.T, a *transporttest.Authority, dir string, serial int64) transport.ServerTLS {
	t.Helper()
	_, cert, key := a.Files(t, dir, serial)
	return transport.ServerTLS{CertFile: cert, KeyFile: key}
}

// post sends a request over TLS and returns the status and the serial number of
// the server's certificate.
func post(t *testing.T, g *running, cfg *tls.Config, http2 bool) (status int, serial int64, err error) {
	t.Helper()
	encoded, _ := exportRequest(t, telemetry.Logs, 1)
	transport := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: http2, DisableKeepAlives: !http2}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Post(g.url+"/v1/logs", contentProtobuf, bytes.NewReader(encoded))
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	if http2 != (res.ProtoMajor == 2) {
		t.Errorf("the protocol is %s", res.Proto)
	}
	return res.StatusCode, res.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
}

func TestTLS(t *testing.T) {
	ca := transporttest.NewAuthority(t)
	g := start(t, func(cfg *Config) { cfg.TLS = serverFiles(t, ca, t.TempDir(), 7) })
	trust := &tls.Config{RootCAs: ca.Pool()}
	for _, http2 := range []bool{false, true} {
		if status, serial, err := post(t, g, trust.Clone(), http2); err != nil || status != 200 || serial != 7 {
			t.Errorf("with TLS: %d, certificate %d, %v", status, serial, err)
		}
	}
	c, err := grpc.NewClient(g.grpc, grpc.WithTransportCredentials(credentials.NewTLS(trust.Clone())))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	encoded, _ := exportRequest(t, telemetry.Logs, 1)
	if _, err := collogs.NewLogsServiceClient(c).Export(t.Context(), parse(t, new(collogs.ExportLogsServiceRequest), encoded)); err != nil {
		t.Errorf("over gRPC: %v", err)
	}
	old := trust.Clone()
	old.MaxVersion = tls.VersionTLS11
	if _, _, err := post(t, g, old, false); err == nil {
		t.Error("TLS 1.1 was taken")
	}
	res, err := client(nil).Get("http" + strings.TrimPrefix(g.url, "https") + "/healthz")
	if err == nil {
		res.Body.Close()
		if res.StatusCode != 400 {
			t.Errorf("without TLS the status is %d", res.StatusCode)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	ca, strangers := transporttest.NewAuthority(t), transporttest.NewAuthority(t)
	dir := t.TempDir()
	g := start(t, func(cfg *Config) {
		cfg.TLS = serverFiles(t, ca, dir, 1)
		cfg.TLS.ClientCAFile = write(t, filepath.Join(dir, "ca.pem"), ca.PEM)
	})
	with := func(a *transporttest.Authority) *tls.Config {
		cfg := &tls.Config{RootCAs: ca.Pool()}
		if a != nil {
			pair, err := tls.X509KeyPair(a.Issue(t, 2))
			if err != nil {
				t.Fatal(err)
			}
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		return cfg
	}
	if status, _, err := post(t, g, with(ca), false); err != nil || status != 200 {
		t.Errorf("with a certificate: %d, %v", status, err)
	}
	if _, _, err := post(t, g, with(nil), false); err == nil {
		t.Error("a client without a certificate was let in")
	}
	if _, _, err := post(t, g, with(strangers), false); err == nil {
		t.Error("a client with a stranger's certificate was let in")
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	ca := transporttest.NewAuthority(t)
	dir := t.TempDir()
	g := start(t, func(cfg *Config) { cfg.TLS = serverFiles(t, ca, dir, 1) })
	trust := &tls.Config{RootCAs: ca.Pool()}
	serial := func() int64 {
		t.Helper()
		status, serial, err := post(t, g, trust.Clone(), false)
		if err != nil || status != 200 {
			t.Fatalf("status %d: %v", status, err)
		}
		return serial
	}
	if n := serial(); n != 1 {
		t.Errorf("certificate is %d, want 1", n)
	}
	cert, key := ca.Issue(t, 2222222)
	write(t, filepath.Join(dir, "cert.pem"), cert)
	if n := serial(); n != 1 {
		t.Errorf("certificate is %d while its key is missing, want 1", n)
	}
	write(t, filepath.Join(dir, "key.pem"), key)
	if n := serial(); n != 2222222 {
		t.Errorf("certificate is %d, want the new one", n)
	}
	if err := os.Remove(filepath.Join(dir, "cert.pem")); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2222222 {
		t.Errorf("certificate is %d when the file is gone, want the last one", n)
	}
	if !strings.Contains(g.log.String(), "the old one stays in use") {
		t.Errorf("the log says nothing:\n%s", g.log)
	}
}
