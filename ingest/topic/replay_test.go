package topic_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// noting is a source that notes the records that are taken, and goes back first.
type noting struct {
	pipeline.Source
	note func(b *telemetry.Batch)
}

func (s noting) Take(ctx context.Context, b *telemetry.Batch) error {
	err := s.Source.Take(ctx, b)
	if err == nil {
		s.note(b)
	}
	return err
}

// TestRewind lets a member go back to offsets before what is committed: it gets
// the same records, with the same ones known as repeats, and nothing of that is
// stored or counted again.
func TestRewind(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster, 1)
		var mu sync.Mutex
		var taken, replayed []string
		var from int64
		goBack := false
		wrap := func(s pipeline.Source) pipeline.Source {
			if goBack {
				at := s.(pipeline.Rewinder).Position()
				if at.Topic != h.topic || at.Partition != 0 || at.First != 0 || at.Committed == 0 || at.Epoch == 0 || at.Fresh {
					t.Errorf("position is %+v", at)
				}
				s.(pipeline.Rewinder).Rewind(from)
			}
			return noting{s, func(b *telemetry.Batch) {
				mu.Lock()
				defer mu.Unlock()
				for _, r := range b.Records {
					line := fmt.Sprintf("%d %s %t", r.Offset, r.Value, r.Repeated)
					if b.Replayed {
						replayed = append(replayed, line)
					} else {
						taken = append(taken, line)
					}
				}
			}}
		}
		m := h.join(wrap)
		produce := func(n int) {
			for range n {
				row := fmt.Sprintf("row %d", len(h.rows))
				if err := h.produce(t.Context(), 0, row); err != nil {
					t.Fatal(err)
				}
				// Every third comes again, at once and once more later.
				if len(h.rows)%3 == 0 {
					parts := []topic.Part{h.part(0, row), h.part(0, h.rows[len(h.rows)/2])}
					if err := h.producer.Produce(t.Context(), parts); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		produce(90)
		h.settle()
		m.stop()
		first := slices.Clone(taken)
		for _, from = range []int64{0, 1, 77, int64(len(first)) - 1, int64(len(first))} {
			taken, replayed, goBack = nil, nil, true
			m = h.join(wrap)
			produce(5)
			h.settle()
			stored := m.value(t, "goshawk_source_records_total")
			m.stop()
			if diff := cmp.Diff(first[from:], replayed, cmpEmpty); diff != "" {
				t.Errorf("from %d (-first time +again):\n%s", from, diff)
			}
			if len(taken) == 0 || int(stored) != len(taken) {
				t.Errorf("from %d: %d new records, %v are counted", from, len(taken), stored)
			}
			first = append(first, taken...)
		}
	})
}

// cmpEmpty takes a list without elements for none.
var cmpEmpty = cmp.Transformer("empty", func(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
})
