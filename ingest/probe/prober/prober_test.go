package prober_test

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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// config returns a module of the protocol, changed as the test wants it.
func config(protocol string, change func(*prober.Config)) prober.Config {
	c := prober.DefaultConfig(protocol)
	if change != nil {
		change(&c)
	}
	return c
}

func newModule(t testing.TB, c prober.Config, guard *prober.Guard) *prober.Module {
	t.Helper()
	m, err := prober.New("tested", c, prober.Options{UserAgent: "test", Guard: guard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// long is a timeout that no probe of these tests is meant to reach.
const long = 20 * time.Second

func run(t testing.TB, c prober.Config, target string) *prober.Result {
	t.Helper()
	return newModule(t, c, nil).Probe(t.Context(), target, long, true)
}

// expect checks error.type and a part of the message; an empty type means
// success.
func expect(t testing.TB, r *prober.Result, kind, message string) {
	t.Helper()
	switch {
	case r.Failure == nil && kind != "":
		t.Errorf("%s: succeeded, want a failure of the type %q", r.Target, kind)
	case r.Failure != nil && (r.Failure.Type != kind || !strings.Contains(r.Failure.Error(), message)):
		t.Errorf("%s: %s: %v, want %q: %q", r.Target, r.Failure.Type, r.Failure, kind, message)
	}
	success := 1.
	if kind != "" {
		success = 0
	}
	values(t, r, map[string]float64{prober.Success: success})
	for _, p := range r.Points {
		if prober.Help[p.Name] == "" {
			t.Errorf("%s has no help", p.Name)
		}
	}
}

// find returns the value of a point. Labels are name, value, name, value.
func find(r *prober.Result, name string, labels ...string) (float64, bool) {
	for _, p := range r.Points {
		matches := p.Name == name
		for i := 0; i+1 < len(labels); i += 2 {
			matches = matches && slices.Contains(p.Labels, prober.Label{Name: labels[i], Value: labels[i+1]})
		}
		if matches {
			return p.Value, true
		}
	}
	return 0, false
}

func values(t testing.TB, r *prober.Result, want map[string]float64) {
	t.Helper()
	for name, w := range want {
		if got, ok := find(r, name); !ok || got != w {
			t.Errorf("%s: %s is %v (present: %t), want %v", r.Target, name, got, ok, w)
		}
	}
}

// phases checks which phases took time.
func phases(t testing.TB, r *prober.Result, gauge string, want map[string]bool) {
	t.Helper()
	for phase, took := range want {
		if got, ok := find(r, gauge, "phase", phase); !ok || (got > 0) != took {
			t.Errorf("%s: phase %s took %v (present: %t), want any time: %t", r.Target, phase, got, ok, took)
		}
	}
}

func attribute(r *prober.Result, key string) (prober.Attribute, bool) {
	for _, a := range r.Attributes {
		if a.Key == key {
			return a, true
		}
	}
	return prober.Attribute{}, false
}

func texts(t testing.TB, r *prober.Result, want map[string]string) {
	t.Helper()
	for key, w := range want {
		if a, ok := attribute(r, key); !ok || a.Text != w {
			t.Errorf("%s: attribute %s is %q (present: %t), want %q", r.Target, key, a.Text, ok, w)
		}
	}
}

func numbers(t testing.TB, r *prober.Result, want map[string]int64) {
	t.Helper()
	for key, w := range want {
		if a, ok := attribute(r, key); !ok || a.Number != w {
			t.Errorf("%s: attribute %s is %d (present: %t), want %d", r.Target, key, a.Number, ok, w)
		}
	}
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// issued is a certificate for 127.0.0.1 and a file that makes it trusted.
type issued struct {
	pair     tls.Certificate
	ca       string
	notAfter time.Time
}

func signed(t testing.TB) issued {
	t.Helper()
	ca, cert, key := transporttest.NewAuthority(t).Files(t, t.TempDir(), 7)
	return load(t, ca, cert, key)
}

func load(t testing.TB, ca, cert, key string) issued {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return issued{pair, ca, pair.Leaf.NotAfter}
}

// selfSigned is valid until the given time.
func selfSigned(t testing.TB, until time.Time) issued {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "self"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert := write(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key := write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}))
	return load(t, cert, cert, key)
}

// serveTLS answers handshakes and hangs up.
func serveTLS(t testing.TB, c issued) string {
	t.Helper()
	return transporttest.Listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{c.pair}})
		if server.Handshake() == nil {
			_, _ = server.Read(make([]byte, 1))
		}
	})
}

func unix(t time.Time) float64 { return float64(t.Unix()) }
