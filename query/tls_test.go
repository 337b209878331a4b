package query_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/query"
)

// writeCertificate writes a certificate for 127.0.0.1 that signs itself.
func writeCertificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "goshawk"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, text := range map[string][]byte{
		cert: certPEM, key: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}

func TestTLS(t *testing.T) {
	cert, key, pool := writeCertificate(t, t.TempDir())
	for name, c := range map[string]struct {
		clientCA string
		client   *tls.Config
		works    bool
	}{
		"trusted":             {"", &tls.Config{RootCAs: pool}, true},
		"not trusted":         {"", &tls.Config{}, false},
		"too old":             {"", &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}, false},
		"no own certificate":  {cert, &tls.Config{RootCAs: pool}, false},
		"with an own and any": {cert, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair(t, cert, key)}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(q *query.Config, _ *query.Deps) {
				q.TLS = transport.ServerTLS{CertFile: cert, KeyFile: key, ClientCAFile: c.clientCA}
			})
			transport := &http.Transport{TLSClientConfig: c.client}
			client := &http.Client{Transport: transport}
			defer transport.CloseIdleConnections()
			response, err := client.Get(s.url + "/?query=SELECT%201")
			if err == nil {
				_ = response.Body.Close()
			}
			if (err == nil) != c.works {
				t.Errorf("%v", err)
			}
		})
	}
}

func pair(t *testing.T, cert, key string) tls.Certificate {
	t.Helper()
	p, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
