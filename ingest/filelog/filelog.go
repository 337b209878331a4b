// Package filelog reads log files as they grow and writes their lines to Kafka,
// each exactly once, also over rotations and kill -9.
//
// What is read next is decided and remembered before it is produced: the batch
// of a file has the range of its bytes in its id, so that what is produced
// again after a crash is recognised behind Kafka. A range is done once Kafka
// has acknowledged it. See docs/adr/0011-agent-logs.md.
//
// It must not know what is in a line.
package filelog

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/internal/embedded/dirlock"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// Options say what is read and where it goes.
type Options struct {
	Config Config
	// Dir keeps the checkpoint. It belongs to one tailer at a time.
	Dir      string
	Target   logbatch.Target
	Registry prometheus.Registerer
}

// Tailer reads files. It runs in one goroutine, beside one that waits for Kafka.
type Tailer struct {
	cfg      Config
	dir      string
	target   logbatch.Target
	log      *slog.Logger
	metrics  *metrics
	delivery *logbatch.Delivery
	inputs   []*input

	checkpoint *checkpoint
	tails      map[inode]*tail
	// order has the tails as they were found; next is whose turn it is.
	order  []*tail
	next   int
	held   map[inode]*hold
	opened int
	clock  uint64
	// now is the time of the last look, met set once what was moved while no
	// agent ran has been looked for.
	now     time.Time
	met     bool
	warned  map[string]time.Time
	batches []*batch
}

// input is an input with what is made of its settings.
type input struct {
	Input
	// key names it in the checkpoint.
	key        string
	first      firstLine
	flushAfter time.Duration
	resource   []logwriter.Attribute
	// attributes and cutAttributes are encoded: those of log records, and of
	// pieces.
	attributes, cutAttributes []byte
}

// New returns a tailer. It opens nothing yet.
func New(o Options) (*Tailer, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, fmt.Errorf("filelog: %w", err)
	}
	const slack = 2*maxAttributes + 4<<10
	if least := 2*int(o.Config.MaxLine) + slack; o.Target.MaxRecord < least {
		return nil, fmt.Errorf("filelog: max_line: %s does not fit into a kafka record of %d bytes; %d are needed", o.Config.MaxLine, o.Target.MaxRecord, least)
	}
	t := &Tailer{
		cfg: o.Config, dir: o.Dir, target: o.Target, log: o.Target.Log, metrics: newMetrics(o.Registry),
		tails: map[inode]*tail{}, held: map[inode]*hold{}, warned: map[string]time.Time{},
	}
	t.delivery = logbatch.NewDelivery(&t.target)
	for _, in := range o.Config.Inputs {
		t.inputs = append(t.inputs, newInput(in))
	}
	return t, nil
}

func newInput(in Input) *input {
	made := &input{Input: in, key: strings.Join(in.Include, "\n"), first: in.Multiline.firstLine(), flushAfter: in.Multiline.FlushAfter}
	if made.flushAfter == 0 {
		made.flushAfter = time.Second
	}
	for _, key := range slices.Sorted(maps.Keys(in.Resource)) {
		made.resource = append(made.resource, logwriter.Attribute{Key: key, Value: in.Resource[key]})
	}
	for _, key := range slices.Sorted(maps.Keys(in.Attributes)) {
		made.attributes = logwriter.AppendString(made.attributes, key, in.Attributes[key])
	}
	made.cutAttributes = logwriter.AppendBool(slices.Clone(made.attributes), truncatedAttribute, true)
	return made
}

// truncatedAttribute marks the pieces of a line that was too long.
const truncatedAttribute = "log.record.truncated"

// Run reads until ctx ends, or the checkpoint cannot be read. Ready, which may
// be nil, is called once the files that are there have been found.
func (t *Tailer) Run(ctx context.Context, ready func()) error {
	lock, err := dirlock.Lock(ctx, t.dir, "the file input's")
	if err != nil {
		return err
	}
	defer lock.Close()
	if t.checkpoint, err = openCheckpoint(filepath.Join(t.dir, "checkpoint")); err != nil {
		return err
	}
	defer func() {
		for _, tl := range t.order {
			t.closeFile(tl)
		}
		_ = t.checkpoint.close()
	}()
	t.scan()
	if ready != nil {
		ready()
	}
	for {
		idle, err := t.round(ctx)
		if err != nil || ctx.Err() != nil {
			return endOf(ctx, err)
		}
		if !idle && time.Since(t.now) < t.cfg.PollInterval {
			continue
		}
		if idle {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(max(t.pause()-time.Since(t.now), time.Millisecond)):
			}
		}
		t.scan()
	}
}

// endOf is how Run ends: without an error where it was asked to.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// pause is the time from one look to the next. Many files are looked at less
// often: it takes some microseconds for each.
func (t *Tailer) pause() time.Duration {
	const perFile = 100 * time.Microsecond
	return max(t.cfg.PollInterval, time.Duration(len(t.order))*perFile)
}

// note writes to the checkpoint. It reports whether it succeeded; if not, the
// next note writes everything.
func (t *Tailer) note(sync bool, entries ...entry) bool {
	if len(entries) == 0 {
		return true
	}
	if err := t.checkpoint.write(sync, entries...); err != nil {
		t.warn("the checkpoint cannot be written; no more is read until it can", "path", t.checkpoint.path, "error", err)
		return false
	}
	return true
}

// warnEvery bounds how often the log is told the same.
const warnEvery = 10 * time.Second

func (t *Tailer) warn(message string, attributes ...any) {
	if now := time.Now(); now.Sub(t.warned[message]) >= warnEvery {
		t.warned[message] = now
		t.log.Warn(message, attributes...)
	}
}

// measure sets the gauges.
func (t *Tailer) measure() {
	lag := int64(0)
	for _, tl := range t.order {
		lag += max(tl.size-tl.Offset, 0)
	}
	t.metrics.lag.Set(float64(lag))
	t.metrics.files.Set(float64(len(t.order)))
	t.metrics.open.Set(float64(t.opened))
}
