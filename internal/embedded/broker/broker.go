// Package broker is a Kafka broker for one machine, inside this process: the
// broker of franz-go's kfake package, which was written for tests, within
// bounds that make it fit to keep data.
//
// It speaks the Kafka protocol on a port and nothing in goshawk treats it
// otherwise than a real cluster. What it adds to the package it is built on:
// no bytes on the port end the process (listener), no acknowledged record is
// lost by a crash or by retention before every consumer group has read it
// (keeper), offsets are never used twice (repair), and disk and memory are
// bounded (keeper, policy). There are no transactions, no replicas, no access
// control and no TLS.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/internal/embedded/dirlock"
)

// Environment holds settings of the Go runtime for a process that runs the
// broker and nothing else: they bound its memory.
func Environment() []string { return []string{"GOMEMLIMIT=96MiB"} }

// defaultPartitions is what a topic gets that is created without a number.
const defaultPartitions = 4

// Run serves the broker until ctx ends, then stops it in order and returns nil.
// Ready is called once, with the address that clients connect to. The data
// directory belongs to one broker at a time. The broker registers its metrics,
// but serves them nowhere: that is the business of the process.
func Run(ctx context.Context, cfg Config, reg prometheus.Registerer, log *slog.Logger, ready func(addr string)) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if cfg.DataDir == "" {
		return errors.New("embedded.kafka.data_dir is not set")
	}
	lock, err := dirlock.Lock(ctx, cfg.DataDir, "the broker's")
	if err != nil {
		return err
	}
	defer lock.Close()
	ln, err := listen(ctx, cfg, log)
	if err != nil {
		return fmt.Errorf("opening the broker's port: %w", err)
	}
	defer ln.Close()
	begun := time.Now()
	if err := repair(cfg.DataDir, log); err != nil {
		return fmt.Errorf("checking the broker's log in %s: %w", cfg.DataDir, err)
	}
	pol := &policy{cfg: cfg, room: newRoom(cfg)}
	if err := register(reg, pol.room, ln); err != nil {
		return fmt.Errorf("registering metrics of the broker: %w", err)
	}
	bridge := &brokerLog{log: log, dir: cfg.DataDir}
	cluster, err := kfake.NewCluster(options(cfg, ln, bridge)...)
	if err != nil {
		return fmt.Errorf("starting the broker on %s: %w", cfg.DataDir, err)
	}
	defer closeCluster(cluster, cfg.DataDir, log)
	pol.apply(cluster)
	members := &sessions{cluster: cluster, client: &internalClient{dial: ln.dial}, log: log, groups: map[string]*heardGroup{}}
	cluster.Fault(members.faults()...)
	k := &keeper{
		cfg: cfg, log: log, cluster: cluster, policy: pol, room: pol.room,
		client: &internalClient{dial: ln.dial}, segmentBytes: int64(cfg.SegmentBytes),
	}
	if err := k.look(); err != nil {
		return fmt.Errorf("measuring the broker's log: %w", err)
	}
	// What the check and the load of the log took is garbage now.
	debug.FreeOSMemory()
	log.Info("Kafka broker is up", "address", ln.Addr().String(), "log_bytes", pol.room.used.Load(),
		"start", time.Since(begun).Round(time.Millisecond))
	ln.serve()
	ready(ln.Addr().String())

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return k.run(ctx) })
	group.Go(func() error { return members.run(ctx) })
	group.Go(func() error { return syncEvery(ctx, cfg, pol, log) })
	group.Go(func() error { <-ctx.Done(); return nil })
	return group.Wait()
}

func options(cfg Config, ln net.Listener, bridge *brokerLog) []kfake.Opt {
	never := strconv.FormatInt(int64(100*365*24*time.Hour/time.Millisecond), 10)
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID(clusterID),
		kfake.DataDir(cfg.DataDir),
		kfake.DefaultNumPartitions(defaultPartitions),
		kfake.GroupMinSessionTimeout(time.Second),
		kfake.MaxVersions(servedVersions()),
		kfake.WithLogger(bridge),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return ln, nil }),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes": strconv.FormatUint(uint64(cfg.MaxRecordBytes), 10),
			segmentBytesConfig:  strconv.FormatUint(uint64(cfg.SegmentBytes), 10),
			// The keeper deletes; the broker must not.
			"log.retention.ms":       "-1",
			"log.retention.bytes":    "-1",
			"log.cleaner.backoff.ms": never,
			// A group that has not committed for long still knows where it was.
			"offset.retention.ms": strconv.FormatInt(math.MaxInt64/2, 10),
			// Bounds on what clients can make the broker remember.
			"group.max.size": "1000",
			"max.incremental.fetch.session.cache.slots": "256",
			"state.log.compact.bytes":                   strconv.Itoa(4 << 20),
		}),
	}
	if cfg.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	return opts
}

// closeCluster stops the broker, which writes its state down, and marks the
// directory as left in order.
func closeCluster(cluster *kfake.Cluster, dir string, log *slog.Logger) {
	cluster.Close()
	files, err := os.Open(dir)
	if err == nil {
		err = errors.Join(syncFiles(files), files.Close())
	}
	if err == nil {
		err = setCleanMark(dir)
	}
	if err != nil {
		log.Error("writing the Kafka log to the disk", "error", err)
	}
}

// syncEvery writes to the disk what was appended since the last time.
func syncEvery(ctx context.Context, cfg Config, pol *policy, log *slog.Logger) error {
	dir, err := os.Open(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("opening the broker's directory: %w", err)
	}
	defer dir.Close()
	tick := time.NewTicker(cfg.SyncInterval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !pol.dirty.Swap(false) {
			continue
		}
		err := syncFiles(dir)
		if err != nil {
			pol.dirty.Store(true)
			if !failing {
				log.Error("writing the Kafka log to the disk; a power failure now would lose records", "error", err)
			}
		}
		failing = err != nil
	}
}
