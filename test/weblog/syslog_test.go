package weblog

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// rsyslogConfig takes what programs of the host log, and forwards it: that of
// the application old in the format of RFC 3164, a message a line, and the rest
// in that of RFC 5424 with its length before each.
const rsyslogConfig = `
global(workDirectory="%[1]s" localHostname="web-7")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="%[1]s/log")
if $programname == "old" then {
  action(type="omfwd" target="127.0.0.1" port="%[2]s" protocol="tcp" template="RSYSLOG_ForwardFormat" action.resumeRetryCount="-1")
} else {
  action(type="omfwd" target="127.0.0.1" port="%[2]s" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format" TCP_Framing="octet-counted" action.resumeRetryCount="-1")
}
`

// message is what a log record of syslog is found by.
type message struct{ host, app, level, facility, body string }

// TestSyslog lets programs log by logger, through an rsyslog that forwards over
// TCP, and directly over UDP.
func TestSyslog(t *testing.T) {
	rsyslogd, logger := program(t, "rsyslogd", "rsyslog"), program(t, "logger", "bsdutils")
	tcp, udp := cluster.FreePorts(t, 1)[0], freeUDPPort(t)
	c := cluster.Start(t, cluster.Options{
		Up: true, Agent: true, AgentConfig: collector, AgentInputs: fmt.Sprintf("syslog: {tcp: %q, udp: %q}", tcp, udp),
	})
	for _, address := range [][2]string{{"tcp", tcp}, {"udp", udp}} {
		if err := cluster.Eventually(patience, func() error { return listens(address[0], address[1]) }); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	_, tcpPort, _ := net.SplitHostPort(tcp)
	config, socket := filepath.Join(dir, "rsyslog.conf"), filepath.Join(dir, "log")
	if err := os.WriteFile(config, fmt.Appendf(nil, rsyslogConfig, dir, tcpPort), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, rsyslogd, "-n", "-f", config, "-i", filepath.Join(dir, "pid"))
	if err := cluster.Eventually(patience, func() error { _, err := os.Stat(socket); return err }); err != nil {
		t.Fatal(err)
	}
	say := func(args ...string) {
		t.Helper()
		if output, err := exec.Command(logger, args...).CombinedOutput(); err != nil {
			t.Fatalf("logger: %v\n%s", err, output)
		}
	}
	want := map[message]int{}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	short, _, _ := strings.Cut(host, ".") // as RFC 3164 has hosts
	_, udpPort, _ := net.SplitHostPort(udp)
	direct := []string{"--udp", "--server", "127.0.0.1", "--port", udpPort}
	for n, s := range []struct{ name, level string }{
		{"emerg", "fatal"}, {"alert", "error"}, {"crit", "error"}, {"err", "error"}, {"warning", "warn"}, {"notice", "info"}, {"info", "info"}, {"debug", "debug"},
	} {
		body := fmt.Sprintf("order %d of Zoë: \"ready\" [x=%d]", n, n)
		say("--socket", socket, "--priority", "local3."+s.name, "--tag", "shop", "--id=4711", body)
		say("--socket", socket, "--priority", "daemon."+s.name, "--tag", "old", body)
		say(append(direct, "--rfc5424", "--priority", "user."+s.name, "--tag", "cart", "--msgid", "ORDER", "--sd-id", "order@32473", "--sd-param", fmt.Sprintf("id=\"%d\"", n), body)...)
		say(append(direct, "--rfc3164", "--priority", "mail."+s.name, "--tag", "post", body)...)
		for _, m := range []message{
			{"web-7", "shop", s.level, "19", body},
			{"web-7", "old", s.level, "3", body},
			{host, "cart", s.level, "1", body},
			{short, "post", s.level, "2", body},
		} {
			want[m] = 1
		}
	}
	// A line of an access log is a request.
	hit := `192.0.2.7 - - [` + time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700") + `] "GET /cart HTTP/1.1" 200 512 "-" "curl/8.5.0"`
	say("--socket", socket, "--tag", "old", hit)
	say("--socket", socket, "--tag", "shop", hit)
	say(append(direct, "--rfc5424", "--tag", "cart", hit)...)
	say(append(direct, "--rfc3164", "--tag", "post", hit)...)
	err = cluster.Eventually(patience, func() error {
		have := map[message]int{}
		for _, app := range []string{"shop", "old", "cart", "post"} {
			streams, err := lines(c, `{service_name="`+app+`", host_name=~".+"} |= "Zoë"`)
			if err != nil {
				return err
			}
			for _, s := range streams {
				l := s.Labels
				for _, v := range s.Values {
					// rsyslog's template for RFC 5424 begins messages with the blank that was behind the tag.
					have[message{l["host_name"], l["service_name"], l["level"], l["syslog_facility"], v[1]}]++
				}
			}
		}
		if !maps.Equal(have, want) {
			return fmt.Errorf("the messages are\n%v\nwant\n%v", have, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// What a format says beside the message can be asked for.
	for query, n := range map[string]int{
		`{service_name="shop"} | syslog_procid="4711" | syslog_version="1"`: 8,
		`{service_name="cart"} | syslog_msgid="ORDER"`:                      8,
		`{service_name="cart", level="warn"} |= "order 4 "`:                 1,
		`{host_name="web-7", level=~"error|fatal"}`:                         8,
		`{service_name=~"shop|old", host_name!="web-7"}`:                    0,
	} {
		streams, err := lines(c, query)
		have := 0
		for _, s := range streams {
			have += len(s.Values)
		}
		if err != nil || have != n {
			t.Errorf("%s: %d lines, want %d: %v", query, have, n, err)
		}
	}
	// Alert, critical and error have the same level, but numbers of their own.
	have, err := c.SQL("SELECT severity, count(), uniqExact(service) FROM logs WHERE body LIKE '%order % of Zoë%' GROUP BY severity ORDER BY severity DESC")
	if want := "21\t4\t4\n19\t4\t4\n18\t4\t4\n17\t4\t4\n13\t4\t4\n10\t4\t4\n9\t4\t4\n5\t4\t4"; err != nil || have != want {
		t.Errorf("(severity, messages, applications) are\n%s\nwant\n%s\n%v", have, want, err)
	}
	err = cluster.Eventually(patience, func() error {
		have, err := c.SQL("SELECT service, count() FROM web_hits WHERE client = '192.0.2.7' AND path = '/cart' AND sent = 512 GROUP BY service ORDER BY service")
		if want := "cart\t1\nold\t1\npost\t1\nshop\t1"; err == nil && have != want {
			err = fmt.Errorf("(service, requests) are\n%s\nwant\n%s", have, want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// listens reports an error where nobody listens on an address. Of UDP the kernel
// says so when one sends again after an empty datagram, which says nothing.
func listens(network, address string) error {
	conn, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range 2 {
		if _, err := conn.Write(nil); err != nil {
			return err
		}
	}
	return nil
}

// freeUDPPort returns an address that was free a moment ago.
func freeUDPPort(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}
