package query_test

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
	"github.com/goshawk-observability/goshawk/query"
)

func TestTLS(t *testing.T) {
	authority := transporttest.NewAuthority(t)
	ca, cert, key := authority.Files(t, t.TempDir(), 1)
	pool := authority.Pool()
	for name, c := range map[string]struct {
		clientCA string
		client   *tls.Config
		works    bool
	}{
		"trusted":             {"", &tls.Config{RootCAs: pool}, true},
		"not trusted":         {"", &tls.Config{}, false},
		"too old":             {"", &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}, false},
		"no own certificate":  {ca, &tls.Config{RootCAs: pool}, false},
		"with an own and any": {ca, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair(t, cert, key)}}, true},
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
