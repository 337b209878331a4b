package pipelinetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// Conform checks that a processor keeps the contract of pipeline.Processor. It
// takes its input and settings from the processor's scripts.
func Conform(t *testing.T, entry pipeline.Registration, dir string) {
	for file, s := range LoadScripts(t, dir) {
		var inputs []string
		for _, step := range s.Steps {
			inputs = append(inputs, step.In)
		}
		for _, violation := range Violations(t, entry, s.Config, inputs) {
			t.Errorf("%s: %s", file, violation)
		}
	}
}

// Violations lists how a processor breaks the contract, for the given settings
// and batches.
func Violations(t *testing.T, entry pipeline.Registration, settings string, inputs []string) []string {
	var found []string
	report := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	run := func(inputs []string, spoil bool) []string {
		out, err := process(entry, settings, inputs, spoil)
		if err != nil {
			report("%v", err)
		}
		return out
	}
	reference := run(inputs, false)
	if diff := cmp.Diff(reference, run(inputs, false)); diff != "" {
		report("is not deterministic: the same batches give other rows:\n%s", diff)
	}
	if diff := cmp.Diff(reference, run(inputs, true)); diff != "" {
		report("keeps memory of a batch after Process has returned:\n%s", diff)
	}
	whole := strings.Join(inputs, "\n")
	for name, batches := range map[string][]string{"one batch": {whole}, "batches of one record": splitRecords(whole)} {
		if diff := cmp.Diff(reference, run(batches, false)); diff != "" {
			report("depends on how records are batched: %s gives other rows:\n%s", name, diff)
		}
	}
	for _, violation := range stateViolations(entry, settings, splitRecords(whole), reference) {
		report("%s", violation)
	}
	if out := run([]string{""}, false); len(out) != 0 {
		report("makes rows of an empty batch: %q", out)
	}
	leaked := goleak.IgnoreCurrent()
	run(inputs, false)
	if err := goleak.Find(leaked); err != nil {
		report("leaves a goroutine behind: %v", err)
	}
	if reason := readsClock(t, entry, settings, inputs, reference); reason != "" {
		report("%s", reason)
	}
	return found
}

// readsClock runs the processor at another time, in a world where time stands
// still unless somebody waits for it.
func readsClock(t *testing.T, entry pipeline.Registration, settings string, inputs, reference []string) (reason string) {
	for _, at := range []time.Duration{time.Hour, 24*time.Hour + 7*time.Second} {
		synctest.Test(t, func(*testing.T) {
			time.Sleep(at)
			start := time.Now()
			out, err := process(entry, settings, inputs, false)
			switch {
			case err != nil:
				reason = err.Error()
			case !time.Now().Equal(start):
				reason = "waits for the wall clock"
			case !slices.Equal(out, reference):
				reason = "reads the wall clock:\n" + cmp.Diff(reference, out)
			}
		})
	}
	return reason
}

// stateViolations lists how a processor that has a state breaks the contract of
// pipeline.Stateful.
func stateViolations(entry pipeline.Registration, settings string, records, reference []string) (found []string) {
	p, err := newProcessor(entry, settings)
	if _, ok := p.(pipeline.Stateful); err != nil || !ok {
		return nil
	}
	var state []byte
	out, err := processWith(records, true, func(p pipeline.Processor) (pipeline.Processor, error) {
		if p != nil {
			state = p.(pipeline.Stateful).Snapshot(nil)
		}
		fresh, err := newProcessor(entry, settings)
		if err != nil {
			return nil, err
		}
		spoiled := slices.Clone(state)
		err = fresh.(pipeline.Stateful).Restore(spoiled)
		for i := range spoiled {
			spoiled[i] = poison
		}
		return fresh, err
	})
	if err != nil {
		found = append(found, err.Error())
	} else if diff := cmp.Diff(reference, out); diff != "" {
		found = append(found, "goes on differently when its state is restored after every record:\n"+diff)
	}
	for n := 1; n < len(state); n++ {
		if p.(pipeline.Stateful).Restore(state[:n]) == nil {
			found = append(found, fmt.Sprintf("takes %d of %d bytes of a state for all", n, len(state)))
			break
		}
	}
	return found
}

// process runs the batches through a new processor. It returns the lines of
// what comes out, records with consecutive offsets, rows in any order. Spoil
// overwrites all memory of a batch once it was processed.
func process(entry pipeline.Registration, settings string, inputs []string, spoil bool) ([]string, error) {
	return processWith(inputs, spoil, func(p pipeline.Processor) (pipeline.Processor, error) {
		if p != nil {
			return p, nil
		}
		return newProcessor(entry, settings)
	})
}

// processWith is process with the processor that next returns for each batch:
// it is given the one before, nil for the first.
func processWith(inputs []string, spoil bool, next func(pipeline.Processor) (pipeline.Processor, error)) ([]string, error) {
	var p pipeline.Processor
	var lines []string
	offset := int64(0)
	for i, in := range inputs {
		b, memory, err := Parse(in)
		if err != nil {
			return nil, fmt.Errorf("batch %d: %w", i+1, err)
		}
		b.Block = telemetry.Block{Topic: "test", From: offset}
		for j := range b.Records {
			b.Records[j].Offset = offset
			offset++
		}
		b.To = offset
		if p, err = next(p); err != nil {
			return nil, fmt.Errorf("batch %d: %w", i+1, err)
		}
		if err := p.Process(context.Background(), b); err != nil {
			return nil, fmt.Errorf("batch %d: %w", i+1, err)
		}
		for line := range strings.Lines(Format(b)) {
			// Resources are context, not content.
			if !strings.HasPrefix(line, "resource") {
				lines = append(lines, strings.Clone(line))
			}
		}
		if spoil {
			spoilBatch(b, memory)
		}
	}
	lines = addUp(lines)
	slices.Sort(lines)
	return lines, nil
}

// spoilBatch overwrites everything that a processor must not keep.
func spoilBatch(b *telemetry.Batch, memory []byte) {
	for i := range memory {
		memory[i] = poison
	}
	const gone = "this memory belongs to another batch now"
	for i := range b.Attrs {
		b.Attrs[i] = telemetry.Attr{Key: gone, Value: telemetry.StringValue(gone)}
	}
	for i := range b.Resources {
		b.Resources[i] = telemetry.Resource{Service: gone}
	}
	for i := range b.Records {
		b.Records[i] = telemetry.Record{Tenant: gone}
	}
	spoilAll(b.Logs, telemetry.Log{Body: telemetry.StringValue(gone)})
	spoilAll(b.Spans, telemetry.Span{Name: gone})
	spoilAll(b.Metrics, telemetry.Metric{Name: gone})
	spoilAll(b.Numbers, telemetry.NumberPoint{Value: -1})
	spoilAll(b.TraceSpans, telemetry.TraceSpan{})
	spoilAll(b.Words, gone)
	spoilAll(b.TraceServices, gone)
	spoilAll(b.Buckets, sketch.Bucket{})
	for i := range b.Derived {
		value := b.Derived[i].Value
		for j := range value {
			value[j] = poison
		}
	}
	spoilAll(b.Derived, telemetry.Derived{})
	spoilAll(b.Visits, telemetry.WebHit{Client: gone})
	spoilAll(b.WebHits, telemetry.WebHit{Client: gone})
}

func spoilAll[T any](rows []T, with T) {
	rows = rows[:cap(rows)]
	for i := range rows {
		rows[i] = with
	}
}

// splitRecords cuts the text of a batch into one for each record.
func splitRecords(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "record") || len(all) == 0 {
			all = append(all, "")
		}
		all[len(all)-1] += line
	}
	return slices.DeleteFunc(all, func(s string) bool { return !strings.Contains(s, "record") })
}
