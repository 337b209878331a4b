package transport_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "localhost.example": false,
	} {
		if transport.Loopback(host) != want {
			t.Errorf("%q: want %v", host, want)
		}
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		config interface{ Validate() error }
		want   string
	}{
		"no server TLS":          {transport.ServerTLS{}, ""},
		"server TLS":             {transport.ServerTLS{CertFile: "a", KeyFile: "b", ClientCAFile: "c"}, ""},
		"certificate alone":      {transport.ServerTLS{CertFile: "a"}, "belong together"},
		"key alone":              {transport.ServerTLS{KeyFile: "a"}, "belong together"},
		"client authority alone": {transport.ServerTLS{ClientCAFile: "a"}, "needs cert_file"},
		"no client TLS":          {transport.ClientTLS{}, ""},
		"client TLS":             {transport.ClientTLS{Enabled: true}, ""},
		"own certificate":        {transport.ClientTLS{Enabled: true, CertFile: "a", KeyFile: "b"}, ""},
		"half an own one":        {transport.ClientTLS{Enabled: true, CertFile: "a"}, "belong together"},
		"not enabled":            {transport.ClientTLS{CAFile: "a"}, "not enabled"},
	} {
		err := c.config.Validate()
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// shake connects a client to a server and returns the serial number of the
// server's certificate.
func shake(t *testing.T, server, client *tls.Config) (int64, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = tls.Server(conn, server).Handshake()
			err = errors.Join(err, conn.Close())
		}
		ended <- err
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		return 0, errors.Join(err, <-ended)
	}
	defer conn.Close()
	// Only a read shows whether the server took the client's certificate.
	_, err = conn.Read(make([]byte, 1))
	if served := <-ended; served != nil {
		return 0, served
	}
	if !errors.Is(err, io.EOF) {
		return 0, err
	}
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func load(t *testing.T, c transport.ClientTLS) *tls.Config {
	t.Helper()
	c.Enabled = true
	loaded, err := c.Load()
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func TestBothEnds(t *testing.T) {
	ca, cert, key := transporttest.NewAuthority(t).Files(t, t.TempDir(), 7)
	strangeCA, strange, strangeKey := transporttest.NewAuthority(t).Files(t, t.TempDir(), 8)
	for name, c := range map[string]struct {
		server transport.ServerTLS
		client transport.ClientTLS
		works  bool
	}{
		"trusted":              {transport.ServerTLS{}, transport.ClientTLS{CAFile: ca}, true},
		"by the system's":      {transport.ServerTLS{}, transport.ClientTLS{}, false},
		"by another authority": {transport.ServerTLS{}, transport.ClientTLS{CAFile: strangeCA}, false},
		"another name":         {transport.ServerTLS{}, transport.ClientTLS{CAFile: ca, ServerName: "elsewhere"}, false},
		"own certificate": {
			transport.ServerTLS{ClientCAFile: ca}, transport.ClientTLS{CAFile: ca, CertFile: cert, KeyFile: key}, true,
		},
		"no own certificate": {transport.ServerTLS{ClientCAFile: ca}, transport.ClientTLS{CAFile: ca}, false},
		"a stranger's": {
			transport.ServerTLS{ClientCAFile: ca}, transport.ClientTLS{CAFile: ca, CertFile: strange, KeyFile: strangeKey}, false,
		},
	} {
		c.server.CertFile, c.server.KeyFile = cert, key
		certificates, err := transport.NewCertificates(c.server, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		serial, err := shake(t, certificates.Config("h2"), load(t, c.client))
		if (err == nil) != c.works || c.works && serial != 7 {
			t.Errorf("%s: certificate %d, %v", name, serial, err)
		}
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	_, cert, key := transporttest.NewAuthority(t).Files(t, dir, 1)
	var text bytes.Buffer
	certificates, err := transport.NewCertificates(transport.ServerTLS{CertFile: cert, KeyFile: key}, slog.New(slog.NewTextHandler(&text, nil)))
	if err != nil {
		t.Fatal(err)
	}
	server := certificates.Config()
	check := func(when string, want int64) {
		t.Helper()
		serial, err := shake(t, server, &tls.Config{InsecureSkipVerify: true})
		if err != nil || serial != want {
			t.Errorf("%s: certificate %d, %v, want %d", when, serial, err, want)
		}
	}
	check("at first", 1)
	_, renewed, renewedKey := transporttest.NewAuthority(t).Files(t, t.TempDir(), 2222222)
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(renewed, cert)
	check("while the key is missing", 1)
	check("and once more", 1)
	move(renewedKey, key)
	check("renewed", 2222222)
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	check("gone", 2222222)
	if n := strings.Count(text.String(), "the old one stays in use"); n != 1 {
		t.Errorf("the log has %d warnings, want 1 for all that fail within seconds:\n%s", n, text.String())
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	_, cert, key := transporttest.NewAuthority(t).Files(t, dir, 1)
	none, empty := filepath.Join(dir, "none"), filepath.Join(dir, "empty")
	write(t, empty, nil)
	log := slog.New(slog.DiscardHandler)
	for want, c := range map[string]transport.ServerTLS{
		"cert_file: ":                    {CertFile: none, KeyFile: key},
		"key_file: ":                     {CertFile: cert, KeyFile: none},
		"cert_file " + empty + " with":   {CertFile: empty, KeyFile: key},
		"client_ca_file: stat":           {CertFile: cert, KeyFile: key, ClientCAFile: none},
		"client_ca_file: " + empty + " ": {CertFile: cert, KeyFile: key, ClientCAFile: empty},
	} {
		if _, err := transport.NewCertificates(c, log); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for want, c := range map[string]transport.ClientTLS{
		"ca_file: open":                {Enabled: true, CAFile: none},
		"ca_file: " + empty + " holds": {Enabled: true, CAFile: empty},
		"cert_file " + none:            {Enabled: true, CertFile: none, KeyFile: key},
	} {
		if _, err := c.Load(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if off, err := (transport.ClientTLS{CAFile: none}).Load(); off != nil || err != nil {
		t.Errorf("without TLS: %v, %v", off, err)
	}
}
