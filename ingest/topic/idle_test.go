package topic_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// patient is a processor that has something to do when so many idle records have
// come after one that brought something.
type patient struct {
	idle int

	mu   sync.Mutex
	left int64
	seen []telemetry.Record
}

func (p *patient) Process(_ context.Context, b *telemetry.Batch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range b.Records {
		if !r.Idle {
			p.left = int64(p.idle)
			continue
		}
		p.left = max(p.left-1, 0)
		p.seen = append(p.seen, r)
	}
	return nil
}

func (p *patient) Held() (items, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left, 0
}

func (p *patient) idles() []telemetry.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// asked notes what a source is asked for.
type asked struct {
	pipeline.Idler
	note func(silence time.Duration)
}

func (a asked) IdleAfter(silence time.Duration) {
	a.note(silence)
	a.Idler.IdleAfter(silence)
}

// TestIdleRecords has a processor wait in a silent partition: idle records come
// for as long as it does, and no longer.
func TestIdleRecords(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster, 1)
		p := &patient{idle: 3}
		h.processors, h.state = []pipeline.NamedProcessor{{Name: "patient", Processor: p}}, pipeline.StateConfig{IdleAfter: 100 * time.Millisecond}
		var mu sync.Mutex
		var last time.Duration
		m := h.join(func(s pipeline.Source) pipeline.Source {
			return asked{s.(pipeline.Idler), func(silence time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				last = silence
			}}
		})
		waiting := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return last > 0
		}
		began := time.Now()
		for round := range 2 {
			if err := h.produce(t.Context(), 0, []string{"one", "two"}[round]); err != nil {
				t.Fatal(err)
			}
			h.settle()
			deadline := time.Now().Add(60 * time.Second)
			for (len(p.idles()) < 3*(round+1) || waiting()) && time.Now().Before(deadline) {
				time.Sleep(20 * time.Millisecond)
			}
			if n := len(p.idles()); n != 3*(round+1) || waiting() {
				t.Fatalf("round %d: %d idle records have come, and a further one is asked for: %t", round, n, waiting())
			}
		}
		var after int64
		for _, r := range p.idles() {
			if r.Tenant != telemetry.DefaultTenant || r.Declared != 0 || len(r.Value) != 0 || r.Repeated {
				t.Errorf("idle record is %+v", r)
			}
			if r.ReceiveTime <= after || r.ReceiveTime < began.UnixNano() || r.ReceiveTime > time.Now().UnixNano() {
				t.Errorf("idle record was received at %d, the one before at %d; the test began at %d", r.ReceiveTime, after, began.UnixNano())
			}
			after = r.ReceiveTime
		}
		if n := m.value(t, "goshawk_source_idle_records_total"); n != 6 {
			t.Errorf("%v idle records are counted, want 6", n)
		}
		if n := m.value(t, "goshawk_source_foreign_records_total"); n != 0 {
			t.Errorf("%v records are taken for foreign ones", n)
		}
		// What others see of them: an empty value, which is a request without rows.
		answer, err := cluster.Client(t).API().Fetch(t.Context(), &kafkago.FetchRequest{Topic: h.topic, Offset: 1, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
		if err != nil || answer.Error != nil {
			t.Fatal(err, answer.Error)
		}
		record, err := answer.Records.ReadRecord()
		if err != nil {
			t.Fatal(err)
		}
		if record.Value == nil || record.Value.Len() != 0 {
			t.Errorf("the value of an idle record is %v, want one without bytes", record.Value)
		}
		if !slices.ContainsFunc(record.Headers, func(header kafkago.Header) bool { return header.Key == topic.HeaderIdle }) {
			t.Errorf("headers of an idle record are %v", record.Headers)
		}
	})
}
