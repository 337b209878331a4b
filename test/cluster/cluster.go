// Package cluster runs the real goshawk binary for tests: one process per role
// or a single `goshawk up`, on free loopback ports and in a directory of its
// own, with kill -9 for every process.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// BinaryEnv names the variable that holds the path of the binary under test.
const BinaryEnv = "GOSHAWK_BINARY"

// Roles are the processes of a cluster in the order in which they start.
var Roles = []string{"broker", "clickhouse", "gateway", "process", "query"}

// Options shape a cluster.
type Options struct {
	// Up runs everything by one `goshawk up` instead of one process per role.
	Up bool
	// Only lists the roles that are started; empty for all of them.
	Only []string
	// Agent lets `goshawk up` run an agent, which looks at this machine every
	// second. Without it only what tests send is in the topics.
	Agent bool
	// AgentConfig is what that agent collects instead, as YAML of the collector.
	AgentConfig string
	// AgentInputs are further settings of the agent, as in {files: {}} without
	// the outer braces.
	AgentInputs string
	// Args are added to the command line of `goshawk up`.
	Args []string
	// Kafka is the bootstrap address of a broker that is used instead of the
	// embedded one.
	Kafka string
	// HTTP is the address of OTLP/HTTP; empty for a free one.
	HTTP string
	// Config is YAML that is appended to the configuration file.
	Config string
	// Dir is the data directory; empty for a temporary one.
	Dir string
}

// TB is what a cluster needs of a [testing.TB]; the benchmarks bring their own.
type TB interface {
	Helper()
	Log(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Failed() bool
	Cleanup(f func())
	TempDir() string
}

// Cluster is a running set of processes.
type Cluster struct {
	t       TB
	binary  string
	options Options
	dir     string
	config  string

	// Addresses, host:port.
	GRPC, HTTP, Query, Kafka, Native, ClickHouseHTTP string

	mu    sync.Mutex
	procs map[string]*process
}

type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error
}

// Start starts a cluster and waits until it is ready. It skips the test where
// no binary was built. Cleanup stops every process and fails the test if one
// of them does not stop within ten seconds.
func Start(t TB, options Options) *Cluster {
	t.Helper()
	binary := os.Getenv(BinaryEnv)
	if binary == "" {
		t.Skipf("SKIP: %s is not set; `make test` builds the binary and sets it", BinaryEnv)
	}
	c := &Cluster{t: t, binary: binary, options: options, dir: options.Dir, procs: map[string]*process{}}
	if c.dir == "" {
		c.dir = t.TempDir()
	}
	ports := FreePorts(t, 6)
	c.GRPC, c.HTTP, c.Query, c.Kafka, c.Native, c.ClickHouseHTTP = ports[0], ports[1], ports[2], ports[3], ports[4], ports[5]
	if options.Kafka != "" {
		c.Kafka = options.Kafka
	}
	if options.HTTP != "" {
		c.HTTP = options.HTTP
	}
	c.writeConfig()
	t.Cleanup(c.stop)
	if options.Up {
		c.Launch("up")
		c.WaitReady("gateway")
		c.WaitReady("query")
		return c
	}
	for _, role := range Roles {
		if role == "broker" && options.Kafka != "" || len(options.Only) > 0 && !slices.Contains(options.Only, role) {
			continue
		}
		c.Launch(role)
		c.WaitReady(role)
	}
	return c
}

func (c *Cluster) writeConfig() {
	c.t.Helper()
	brokers, addresses := "embedded", "embedded"
	if c.options.Kafka != "" {
		brokers = c.Kafka
	}
	agentConfig := "[]"
	if c.options.AgentConfig != "" {
		path := filepath.Join(c.dir, "collector.yaml")
		if err := os.WriteFile(path, []byte(c.options.AgentConfig), 0o600); err != nil {
			c.t.Fatal(err)
		}
		agentConfig = fmt.Sprintf("[%q]", path)
	}
	inputs := ""
	if c.options.AgentInputs != "" {
		inputs = ", " + c.options.AgentInputs
	}
	text := fmt.Sprintf(`data_dir: %s
kafka: {brokers: [%q]}
clickhouse: {addresses: [%q]}
gateway: {otlp_grpc: %q, otlp_http: %q}
process: {listen: "127.0.0.1:0"}
query: {listen: %q}
agent: {enabled: %t, interval: 1s, config: %s%s}
embedded:
  kafka: {listen: %q}
  clickhouse: {native_port: %s, http_port: %s}
%s
`, filepath.Join(c.dir, "data"), brokers, addresses, c.GRPC, c.HTTP, c.Query, c.options.Agent, agentConfig, inputs, c.Kafka, port(c.Native), port(c.ClickHouseHTTP), c.options.Config)
	if c.options.Kafka != "" {
		text = strings.Replace(text, fmt.Sprintf("  kafka: {listen: %q}\n", c.Kafka), "", 1)
	}
	c.config = filepath.Join(c.dir, "goshawk.yaml")
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// ConfigPath is the configuration file that every process reads.
func (c *Cluster) ConfigPath() string { return c.config }

// Launch starts the process of a role without waiting for it to be ready.
func (c *Cluster) Launch(role string) {
	c.t.Helper()
	args := []string{role, "--config", c.config}
	switch role {
	case "up":
		args = append(args, c.options.Args...)
	case "agent":
		args[1] = "--settings" // --config is the collector's
	}
	log, err := os.OpenFile(filepath.Join(c.dir, role+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(c.binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		c.t.Fatalf("starting goshawk %s: %v", role, err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		log.Close()
		close(p.exited)
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.procs[role] = p
}

// Pid returns the process id of a role.
func (c *Cluster) Pid(role string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.procs[role].cmd.Process.Pid
}

// Kill sends SIGKILL to a role and waits until it is gone.
func (c *Cluster) Kill(role string) {
	c.signal(role, syscall.SIGKILL)
	c.mu.Lock()
	p := c.procs[role]
	c.mu.Unlock()
	<-p.exited
}

// Terminate sends SIGTERM to a role and returns how it ended and how long that took.
func (c *Cluster) Terminate(role string, patience time.Duration) (time.Duration, error) {
	c.mu.Lock()
	p := c.procs[role]
	c.mu.Unlock()
	began := time.Now()
	c.signal(role, syscall.SIGTERM)
	select {
	case <-p.exited:
		return time.Since(began), p.err
	case <-time.After(patience):
		return time.Since(began), errors.New("still running")
	}
}

func (c *Cluster) signal(role string, s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.procs[role]; p != nil {
		_ = p.cmd.Process.Signal(s) // it may be gone already, which is the aim
	}
}

// WaitReady waits until a role answers, and fails the test with the end of its
// log where it does not.
func (c *Cluster) WaitReady(role string) {
	c.t.Helper()
	var check func() error
	switch role {
	case "broker":
		check = dial(c.Kafka)
	case "clickhouse":
		check = get("http://" + c.ClickHouseHTTP + "/ping")
	case "gateway":
		check = get("http://" + c.HTTP + "/readyz")
	case "query":
		check = get("http://" + c.Query + "/readyz")
	default:
		return
	}
	err := Eventually(60*time.Second, check)
	if err != nil {
		c.t.Fatalf("goshawk %s is not ready: %v\n%s", role, err, c.Logs())
	}
}

// Eventually calls check until it returns nil or the time is over, and returns
// the last error.
func Eventually(patience time.Duration, check func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Run runs a goshawk command with the cluster's configuration to its end and
// returns what it printed.
func (c *Cluster) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.binary, append(args, "--config", c.config)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Logs returns the ends of the logs of all processes.
func (c *Cluster) Logs() string {
	files, err := filepath.Glob(filepath.Join(c.dir, "*.log"))
	if err != nil {
		return err.Error()
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			text = []byte(err.Error())
		}
		if len(text) > 6000 {
			text = text[len(text)-6000:]
		}
		fmt.Fprintf(&all, "--- %s\n%s\n", filepath.Base(file), text)
	}
	return all.String()
}

func (c *Cluster) stop() {
	if c.t.Failed() {
		c.t.Log(c.Logs())
	}
	roles := append([]string{"up"}, "agent", "query", "process", "gateway", "clickhouse", "broker")
	for _, role := range roles {
		c.mu.Lock()
		p := c.procs[role]
		c.mu.Unlock()
		if p == nil {
			continue
		}
		c.signal(role, syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(10 * time.Second):
			c.t.Errorf("goshawk %s did not stop within 10 s of SIGTERM\n%s", role, c.Logs())
			c.Kill(role)
		}
	}
}

// port is the port of an address.
func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// Ports that tests take lie below those that the kernel gives to whoever asks for
// any: between the look whether one is free and its use nobody else gets it.
const firstPort, lastPort = 10_000, 32_000

// FreePorts returns loopback addresses that were free a moment ago.
func FreePorts(t TB, n int) []string {
	t.Helper()
	var addresses []string
	for tries := 0; len(addresses) < n; tries++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort)))
		if err == nil {
			defer l.Close()
			addresses = append(addresses, l.Addr().String())
		} else if tries > 1000 {
			t.Fatal(err)
		}
	}
	return addresses
}
