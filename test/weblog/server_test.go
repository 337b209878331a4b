package weblog

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// shopFormat is a log format of nginx that nobody knows.
const shopFormat = `$remote_addr $host [$time_local] "$request" $status $body_bytes_sent $request_time "$http_user_agent"`

const nginxConfig = `
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events { worker_connections 256; }
http {
  log_format shop '` + shopFormat + `';
  access_log access.log;
  access_log shop.log shop;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  default_type text/html;
  server {
    listen 127.0.0.1:%s;
    root site;
    location = /search { return 200 "nothing found\n"; }
    location = /orders { return 201 "ordered\n"; }
    location = /moved { return 302 /; }
    location = /private { return 403; }
    location = /broken { return 503 "sorry\n"; }
    location = /export.csv { limit_rate 50k; }
  }
}
`

// site is what the server has, by path.
var site = map[string]string{
	"index.html": strings.Repeat("<p>goods</p>\n", 100),
	"style.css":  strings.Repeat("p { margin: 0 }\n", 20),
	"export.csv": strings.Repeat("1;2;3\n", 10_000),
}

// server is a running nginx that logs every request twice, into the files
// access.log and shop.log.
type server struct {
	process *os.Process
	dir     string
	address string

	rotating sync.Mutex
}

func startServer(t *testing.T) *server {
	t.Helper()
	binary := program(t, "nginx", "nginx-light")
	s := &server{dir: t.TempDir(), address: cluster.FreePorts(t, 1)[0]}
	if err := os.Mkdir(filepath.Join(s.dir, "site"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"nginx.conf": fmt.Sprintf(nginxConfig, port)}
	for name, content := range site {
		files["site/"+name] = content
	}
	for name, content := range files {
		if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.process = run(t, binary, "-p", s.dir, "-e", "error.log", "-c", "nginx.conf")
	err = cluster.Eventually(patience, func() error {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	if err != nil {
		log, _ := os.ReadFile(s.path("error.log"))
		t.Fatalf("nginx does not listen: %v\n%s", err, log)
	}
	return s
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

// rotate moves logs away as logrotate does, NAME.1 to NAME.2 and NAME to NAME.1,
// and lets nginx open new ones. What it logs before it does goes into NAME.1.
func (s *server) rotate(names ...string) error {
	s.rotating.Lock()
	defer s.rotating.Unlock()
	for _, name := range names {
		path := s.path(name)
		if err := os.Rename(path+".1", path+".2"); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.Rename(path, path+".1"); err != nil {
			return err
		}
	}
	if err := s.process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	return cluster.Eventually(patience, func() error {
		for _, name := range names {
			if _, err := os.Stat(s.path(name)); err != nil {
				return err
			}
		}
		return nil
	})
}
