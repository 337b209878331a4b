package prober_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

// nginx is a real web server with one port without TLS and one with it.
type nginx struct {
	plain, secure string
	ca            string
	dir           string
}

const nginxConfig = `
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events { worker_connections 64; }
http {
  log_format traceparent "$request_uri $http_traceparent";
  access_log access.log traceparent;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  default_type text/plain;
  gzip on;
  gzip_min_length 1;
  server {
    listen 127.0.0.1:%[1]s;
    listen [::1]:%[1]s;
    listen 127.0.0.1:%[2]s ssl http2;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    root %[3]s;
    add_header X-Served-By nginx;
    location = /up { return 200 "up and running\n"; }
    location = /down { return 503 "sorry\n"; }
    location = /loop { return 302 /loop; }
    location = /secure { return 301 https://127.0.0.1:%[2]s/up; }
    location = /plain { return 301 http://127.0.0.1:%[1]s/up; }
    location = /private {
      auth_basic "private";
      auth_basic_user_file users;
    }
    location = /hangup { return 444; }
  }
}
`

// startNginx runs the nginx of this machine.
func startNginx(t *testing.T) nginx {
	t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		// Where Debian installs it, which is not in every user's path.
		binary = "/usr/sbin/nginx"
		if _, err := os.Stat(binary); err != nil {
			t.Skip("this test needs nginx (Debian: apt-get install nginx-light)")
		}
	}
	n := nginx{dir: t.TempDir()}
	n.ca, _, _ = transporttest.NewAuthority(t).Files(t, n.dir, 3)
	n.plain, n.secure = freePort(t), freePort(t)
	for name, content := range map[string]string{
		"nginx.conf": fmt.Sprintf(nginxConfig, n.plain, n.secure, n.dir),
		"users":      "me:{PLAIN}s3cret\n",
		"private":    "for me\n",
		"large":      strings.Repeat("0123456789abcdef", 1<<18) + "the end",
	} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var output bytes.Buffer
	command := exec.Command(binary, "-p", n.dir, "-e", "error.log", "-c", "nginx.conf")
	command.Stdout, command.Stderr = &output, &output
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Logf("nginx ended: %v", err)
		}
	})
	for range 500 {
		conn, err := net.Dial("tcp", "127.0.0.1:"+n.secure)
		if err == nil {
			_ = conn.Close()
			return n
		}
		select {
		case err := <-ended:
			ended <- err
			log, _ := os.ReadFile(filepath.Join(n.dir, "error.log"))
			t.Fatalf("nginx ended: %v\n%s%s", err, &output, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatal("nginx does not listen")
	return n
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestNginx(t *testing.T) {
	n := startNginx(t)
	plain, secure := "http://127.0.0.1:"+n.plain, "https://127.0.0.1:"+n.secure
	password := write(t, "password", []byte("s3cret\n"))
	for name, c := range map[string]struct {
		target string
		change func(*prober.HTTPConfig)
		kind   string
		want   map[string]float64
	}{
		"up": {plain + "/up", nil, "", map[string]float64{
			prober.HTTPStatus: 200, prober.HTTPVersion: 1.1, prober.HTTPSSL: 0, prober.HTTPContentLength: 15, prober.HTTPBodyLength: 15,
		}},
		"IPv6": {"http://[::1]:" + n.plain + "/up", nil, "", map[string]float64{prober.IPProtocol: 6}},
		"over TLS and HTTP/2": {secure + "/up", nil, "", map[string]float64{
			prober.HTTPVersion: 2, prober.HTTPSSL: 1, prober.CertChainInfo: 1, prober.TLSVersionInfo: 1,
		}},
		"over TLS and HTTP/1.1": {secure + "/up", func(c *prober.HTTPConfig) { c.HTTP2 = false }, "", map[string]float64{prober.HTTPVersion: 1.1, prober.HTTPSSL: 1}},
		"down":                  {plain + "/down", nil, "503", map[string]float64{prober.HTTPStatus: 503}},
		"down as expected":      {plain + "/down", func(c *prober.HTTPConfig) { c.ValidStatusCodes = []int{503} }, "", nil},
		"no such page":          {plain + "/nowhere", nil, "404", map[string]float64{prober.HTTPStatus: 404}},
		"header": {plain + "/up", func(c *prober.HTTPConfig) {
			c.FailIfHeaderNotMatches = headers("X-Served-By", "^nginx$", false)
		}, "", nil},
		"loop":        {plain + "/loop", nil, "redirect", map[string]float64{prober.HTTPRedirects: 10, prober.HTTPStatus: 302}},
		"to TLS":      {plain + "/secure", func(c *prober.HTTPConfig) { c.FailIfNotSSL = true }, "", map[string]float64{prober.HTTPRedirects: 1, prober.HTTPSSL: 1}},
		"from TLS":    {secure + "/plain", func(c *prober.HTTPConfig) { c.FailOnDowngrade = true }, "redirect", map[string]float64{prober.HTTPStatus: 301}},
		"no password": {plain + "/private", nil, "401", nil},
		"password": {plain + "/private", func(c *prober.HTTPConfig) {
			c.BasicAuth = &prober.BasicAuth{Username: "me", PasswordFile: password}
			c.FailIfBodyNotMatches = []string{"^for me$"}
		}, "mismatch", nil},
		"hangs up": {plain + "/hangup", nil, "connection_closed", map[string]float64{prober.HTTPStatus: 0}},
		"large": {plain + "/large", func(c *prober.HTTPConfig) { c.FailIfBodyNotMatches = []string{"^0123"} }, "", map[string]float64{
			prober.HTTPBodyLength: 16<<18 + 7, prober.HTTPContentLength: 16<<18 + 7,
		}},
		"the end is beyond the limit": {plain + "/large", func(c *prober.HTTPConfig) { c.FailIfBodyNotMatches = []string{"the end"} }, "mismatch", map[string]float64{
			prober.HTTPBodyLength: 16<<18 + 7, prober.RegexFailed: 1,
		}},
		"too large":   {plain + "/large", func(c *prober.HTTPConfig) { c.MaxBody = 1 << 20 }, "body_too_large", nil},
		"compressed":  {plain + "/up", func(c *prober.HTTPConfig) { c.Compression, c.FailIfBodyNotMatches = "gzip", []string{"^up and"} }, "", map[string]float64{prober.HTTPBodyLength: 15}},
		"head":        {plain + "/large", func(c *prober.HTTPConfig) { c.Method = "HEAD" }, "", map[string]float64{prober.HTTPBodyLength: 0, prober.HTTPContentLength: 16<<18 + 7}},
		"not allowed": {plain + "/large", func(c *prober.HTTPConfig) { c.Method, c.Body = "POST", "x=y" }, "405", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, httpConfig(func(cfg *prober.HTTPConfig) {
				cfg.TLS.CAFile = n.ca
				if c.change != nil {
					c.change(cfg)
				}
			}), c.target)
			expect(t, r, c.kind, "")
			values(t, r, c.want)
		})
	}
}

// TestNginxSawTheTrace finds the probe's ids in what the server has logged.
func TestNginxSawTheTrace(t *testing.T) {
	n := startNginx(t)
	r := run(t, httpConfig(func(c *prober.HTTPConfig) { c.TLS.CAFile = n.ca }), "https://127.0.0.1:"+n.secure+"/down?a=b")
	expect(t, r, "503", "")
	numbers(t, r, map[string]int64{"http.response.status_code": http.StatusServiceUnavailable})
	want := fmt.Sprintf("/down?a=b 00-%x-%x-01\n", r.TraceID, r.SpanID)
	var log []byte
	for range 500 {
		var err error
		if log, err = os.ReadFile(filepath.Join(n.dir, "access.log")); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if strings.Contains(string(log), want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the server logged %q, want %q in it", log, want)
}
