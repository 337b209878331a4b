package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type example struct {
	DataDir string            `yaml:"data_dir"`
	Gateway exampleGateway    `yaml:"gateway"`
	Pipes   map[string]pipe   `yaml:"pipelines"`
	Labels  map[string]string `yaml:"labels"`
}

type exampleGateway struct {
	OTLPHTTP string        `yaml:"otlp_http"`
	MaxBody  Bytes         `yaml:"max_body"`
	Timeout  time.Duration `yaml:"timeout"`
	Token    Secret        `yaml:"token"`
	Brokers  []string      `yaml:"brokers"`
	Enabled  bool          `yaml:"enabled"`
}

type pipe struct {
	MaxRows int `yaml:"max_rows"`
}

func defaults() example {
	return example{DataDir: "d", Gateway: exampleGateway{OTLPHTTP: "127.0.0.1:4318", MaxBody: 20 << 20, Timeout: time.Second, Enabled: true}}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "goshawk.yaml")
	text := "gateway:\n  max_body: 64MiB\n  timeout: 1500ms\n  brokers: [a:1, b:2]\n  token: s3cret\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := defaults()
	if err := Load(path, &c, []string{"GOSHAWK_GATEWAY_OTLP_HTTP=0.0.0.0:1", "GOSHAWK_GATEWAY_ENABLED=false", "GOSHAWK_GATEWAY_MAX_BODY=1MiB", "HOME=/"}); err != nil {
		t.Fatal(err)
	}
	g := c.Gateway
	if c.DataDir != "d" || g.OTLPHTTP != "0.0.0.0:1" || g.MaxBody != 1<<20 || g.Timeout != 1500*time.Millisecond || len(g.Brokers) != 2 || g.Enabled {
		t.Errorf("loaded %+v", c)
	}
	out, err := Format(c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "s3cret") || !strings.Contains(string(out), "max_body: 1MiB") || !strings.Contains(string(out), "timeout: 1.5s") {
		t.Errorf("formatted:\n%s", out)
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":   {"gateway:\n  otlp_htp: x\n", `line 2: unknown key "otlp_htp"; did you mean "otlp_http"?`},
		"far from any":  {"gateway:\n  zzzzzzzzzz: x\n", `unknown key "zzzzzzzzzz"`},
		"wrong type":    {"gateway:\n  enabled: maybe\n", "maybe"},
		"bad size":      {"gateway:\n  max_body: 12 parsecs\n", "parsecs"},
		"bad duration":  {"gateway:\n  timeout: soon\n", "soon"},
		"duplicate key": {"data_dir: a\ndata_dir: b\n", "data_dir"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := defaults()
			err := Parse([]byte(c.text), &v)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestLoadEnvironError(t *testing.T) {
	t.Parallel()
	c := defaults()
	err := Load("", &c, []string{"GOSHAWK_GATEWAY_TIMEOUT=soon"})
	if err == nil || !strings.Contains(err.Error(), "GOSHAWK_GATEWAY_TIMEOUT") {
		t.Errorf("got %v", err)
	}
}

func TestSecret(t *testing.T) {
	t.Setenv("GOSHAWK_TEST_SECRET", "from-env")
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[Secret]string{"plain": "plain", "env:GOSHAWK_TEST_SECRET": "from-env", Secret("file:" + path): "from-file", "": ""} {
		if got, err := secret.Value(); err != nil || got != want {
			t.Errorf("%s: got %q, %v", string(secret), got, err)
		}
	}
	if _, err := Secret("env:GOSHAWK_TEST_ABSENT").Value(); err == nil {
		t.Error("an absent variable is no error")
	}
	if s := Secret("plain").String(); strings.Contains(s, "plain") {
		t.Errorf("the secret is printed as %s", s)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	c := defaults()
	c.Pipes = map[string]pipe{"logs": {MaxRows: 1}}
	var paths []string
	for _, s := range Settings(&c) {
		paths = append(paths, s.Path+" "+s.Env)
	}
	all := strings.Join(paths, "\n")
	for _, want := range []string{"gateway.otlp_http GOSHAWK_GATEWAY_OTLP_HTTP", "pipelines.logs.max_rows GOSHAWK_PIPELINES_LOGS_MAX_ROWS"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("gateway:\n  max_body: 64MiB\n")
	f.Add("a: &a [*a]")
	f.Fuzz(func(_ *testing.T, text string) {
		v := defaults()
		_ = Parse([]byte(text), &v)
	})
}

func TestParseSurvivesAnyText(t *testing.T) {
	t.Parallel()
	// A tag that the YAML library does not expect where it stands.
	var into struct {
		Targets []string `yaml:"targets"`
	}
	if err := Parse([]byte("targets:\n !0 #0000000000000000000000000000000000000000"), &into); err == nil {
		t.Error("the text was taken for YAML")
	}
}
