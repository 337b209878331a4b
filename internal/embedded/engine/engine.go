// Package engine runs ClickHouse inside this process, from a shared library,
// and serves its native and HTTP protocols on loopback. To the rest of goshawk
// it is a ClickHouse server at an address and nothing else.
//
// A process runs the engine once in its life and for nothing else: Run takes
// over the file descriptors 0 and 1, and a fault in the library ends the
// process. The command `goshawk clickhouse` is that process; `goshawk up`
// supervises it.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/embedded/dirlock"
)

// Addresses are where a running engine is reached.
type Addresses struct {
	Native string `json:"native"`
	HTTP   string `json:"http"`
}

// startTimeout bounds the time from the call of the library to an answer on
// both ports. A large set of tables after a crash takes seconds to load.
const startTimeout = 2 * time.Minute

// Run serves the engine until ctx ends, then stops it and returns nil. Ready
// is called once, when both ports answer. The data directory belongs to one
// engine at a time.
func Run(ctx context.Context, cfg Config, log *slog.Logger, ready func(Addresses)) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if cfg.DataDir == "" {
		return errors.New("embedded.clickhouse.data_dir is not set")
	}
	path, err := FindLibrary(cfg.Library)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(cfg.DataDir, "store"), 0o700); err != nil {
		return fmt.Errorf("making the engine's data directory: %w", err)
	}
	lock, err := dirlock.Lock(ctx, cfg.DataDir, "the engine's data")
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, port := range []int{cfg.NativePort, cfg.HTTPPort} {
		if err := checkPort(ctx, cfg.Listen, port); err != nil {
			return err
		}
	}
	password, err := Password(cfg.DataDir)
	if err != nil {
		return err
	}
	sandbox := cfg.Sandbox && sandboxable()
	if !sandbox {
		log.Warn("ClickHouse engine is not confined to its files: reader needs a password", "configured", cfg.Sandbox,
			"password_file", filepath.Join(cfg.DataDir, readerPasswordFile))
	}
	readerPassword, err := setReaderPassword(cfg.DataDir, !sandbox)
	if err != nil {
		return err
	}
	configFile, err := writeServerFiles(cfg, password, readerPassword)
	if err != nil {
		return fmt.Errorf("writing the engine's configuration: %w", err)
	}
	if err := repairTokens(filepath.Join(cfg.DataDir, "store"), log); err != nil {
		return err
	}
	lib, err := load(path)
	if err != nil {
		return err
	}
	e := &running{cfg: cfg, log: log, lib: lib, configFile: configFile, password: password}
	if sandbox {
		e.confine = func() error { return confine(cfg.DataDir) }
	}
	return e.serve(ctx, ready)
}

// running is the engine of this process.
type running struct {
	cfg        Config
	log        *slog.Logger
	lib        *library
	configFile string
	password   string
	confine    func() error
}

func (e *running) serve(ctx context.Context, ready func(Addresses)) error {
	cfg, log, lib := e.cfg, e.log, e.lib
	console, err := captureOutput(filepath.Join(cfg.DataDir, "engine.log"), int64(cfg.MaxLogBytes))
	if err != nil {
		return err
	}
	go console.drain()
	term, err := openTerminal()
	if err != nil {
		return err
	}
	go term.drain()

	portsFile, err := filepath.Abs(filepath.Join(cfg.DataDir, "store", "ports"))
	if err != nil {
		return err
	}
	if err := os.Remove(portsFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("starting the engine: %w", err)
	}
	ended := make(chan error, 1)
	if cfg.NativePort != 0 && cfg.HTTPPort != 0 {
		portsFile = "" // nothing to find out
	}
	go func() { ended <- lib.run(arguments(cfg, e.configFile, portsFile), e.confine) }()

	started, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	up := make(chan Addresses, 1)
	failed := make(chan error, 1)
	go func() {
		addresses, err := waitReady(started, cfg, portsFile)
		if err == nil {
			err = createDatabase(started, addresses.HTTP, e.password)
		}
		if err != nil {
			failed <- err
			return
		}
		up <- addresses
	}()
	for {
		select {
		case addresses := <-up:
			log.Info("ClickHouse engine is up", "version", lib.version(), "native", addresses.Native, "http", addresses.HTTP)
			ready(addresses)
		case err := <-failed:
			if ctx.Err() == nil {
				return fmt.Errorf("starting the engine: %w; its output is in %s", err, console.path)
			}
		case err := <-ended:
			if err == nil {
				err = errors.New("it ended by itself")
			}
			return fmt.Errorf("running the engine: %w; its output is in %s", err, console.path)
		case <-ctx.Done():
			return stop(cfg, term, ended, log)
		}
	}
}

// stop ends the session and waits for the engine to write out what it holds.
func stop(cfg Config, term *terminal, ended <-chan error, log *slog.Logger) error {
	grace := time.NewTimer(cfg.StopGrace)
	defer grace.Stop()
	term.endOfInput()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("stopping the engine: %w", err)
			}
			return nil
		case <-again.C:
			// One control-D may come before the prompt does.
			term.endOfInput()
		case <-grace.C:
			log.Info("ClickHouse engine waits for its clients; ending without them", "grace", cfg.StopGrace)
			return nil
		}
	}
}

func arguments(cfg Config, configFile, portsFile string) []string {
	query := "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP"
	if portsFile != "" {
		query += "; SELECT getServerPort('tcp_port'), getServerPort('http_port') INTO OUTFILE '" +
			strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(portsFile) + "' FORMAT TSV"
	}
	return []string{
		"clickhouse",
		"--config-file", configFile,
		"--path", filepath.Join(filepath.Dir(configFile), "store"),
		"--listen_host=" + cfg.Listen,
		"--tcp_port=" + strconv.Itoa(cfg.NativePort),
		"--http_port=" + strconv.Itoa(cfg.HTTPPort),
		"--log-level=fatal",
		"--interactive", "--disable_suggestion",
		"--progress=off", "--progress-table=off",
		"--history_file=/dev/null",
		"--query", query,
	}
}

// probeClient leaves no connection behind.
var probeClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// waitReady returns the addresses once both ports answer.
func waitReady(ctx context.Context, cfg Config, portsFile string) (Addresses, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("it opened no port")
	for {
		addresses, err := probe(ctx, cfg, portsFile)
		if err == nil {
			return addresses, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			last = err
		}
		select {
		case <-ctx.Done():
			return Addresses{}, last
		case <-tick.C:
		}
	}
}

func probe(ctx context.Context, cfg Config, portsFile string) (Addresses, error) {
	native, web := strconv.Itoa(cfg.NativePort), strconv.Itoa(cfg.HTTPPort)
	if portsFile != "" {
		text, err := os.ReadFile(portsFile)
		if err != nil {
			return Addresses{}, err
		}
		var ok bool
		native, web, ok = strings.Cut(strings.TrimSuffix(string(text), "\n"), "\t")
		if !ok || !strings.HasSuffix(string(text), "\n") {
			return Addresses{}, errors.New("it has not named its ports yet")
		}
	}
	addresses := Addresses{Native: net.JoinHostPort(cfg.Listen, native), HTTP: net.JoinHostPort(cfg.Listen, web)}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addresses.Native)
	if err != nil {
		return Addresses{}, err
	}
	_ = conn.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addresses.HTTP+"/ping", nil)
	if err != nil {
		return Addresses{}, err
	}
	response, err := probeClient.Do(request)
	if err != nil {
		return Addresses{}, err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return Addresses{}, fmt.Errorf("ping answered %s", response.Status)
	}
	return addresses, nil
}

// createDatabase makes the database that reader has a right to, so that its
// queries fail for want of a table, not of a database.
func createDatabase(ctx context.Context, address, password string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/",
		strings.NewReader("CREATE DATABASE IF NOT EXISTS "+Database))
	if err != nil {
		return err
	}
	request.SetBasicAuth(User, password)
	response, err := probeClient.Do(request)
	if err != nil {
		return fmt.Errorf("creating database %s: %w", Database, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
		return fmt.Errorf("creating database %s: %s", Database, strings.TrimSpace(string(text)))
	}
	return nil
}

// checkPort says early and clearly that a port is taken.
func checkPort(ctx context.Context, host string, port int) error {
	if port == 0 {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("opening the engine's port: %w", err)
	}
	return listener.Close()
}
