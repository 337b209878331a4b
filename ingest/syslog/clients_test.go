package syslog

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
)

// TestLogger sends with the logger of util-linux, in every format and over every
// transport that it has.
func TestLogger(t *testing.T) {
	program, err := exec.LookPath("logger")
	if err != nil {
		t.Skip("SKIP: logger (util-linux, bsdutils) is not installed")
	}
	p := topictest.NewRecorder()
	socket := t.TempDir() + "/log"
	s := newServer(t, p, func(c *Config) { c.TCP, c.UDP, c.Unix = "127.0.0.1:0", "127.0.0.1:0", socket })
	run(t, s)
	port := func(a net.Addr) string {
		_, port, err := net.SplitHostPort(a.String())
		if err != nil {
			t.Fatal(err)
		}
		return port
	}
	tcp := []string{"--server", "127.0.0.1", "--tcp", "--port", port(s.Addresses().TCP)}
	udp := []string{"--server", "127.0.0.1", "--udp", "--port", port(s.Addresses().UDP)}
	for name, arguments := range map[string][]string{
		"5424 tcp":       append([]string{"--rfc5424=notime"}, tcp...),
		"5424 counted":   append([]string{"--rfc5424", "--octet-count"}, tcp...),
		"5424 udp":       append([]string{"--rfc5424", "--sd-id", "x@1", "--sd-param", `a="b"`}, udp...),
		"3164 tcp":       append([]string{"--rfc3164"}, tcp...),
		"3164 udp":       append([]string{"--rfc3164"}, udp...),
		"a local socket": {"--socket", socket},
	} {
		arguments = append(arguments, "--tag", "checkout", "--id=4711", "--priority", "local0.warning", "--", "the message")
		if out, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		host, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "a local socket":
			host = "collector" // a message to /dev/log names none
		case "3164 tcp", "3164 udp":
			host, _, _ = strings.Cut(host, ".")
		}
		t.Log(name)
		await(t, p, host+" checkout the message")
	}
}
