package logbatch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

func TestResource(t *testing.T) {
	t.Parallel()
	resource := Resource(logwriter.Attribute{Key: "host.name", Value: "a"}, logwriter.Attribute{Key: "service.name", Value: ""}, logwriter.Attribute{Key: "host.name", Value: "b"})
	r := plogotlp.NewExportRequest()
	if err := r.UnmarshalProto(logwriter.AppendLogs(nil, resource, "scope", nil)); err != nil {
		t.Fatal(err)
	}
	if got := r.Logs().ResourceLogs().At(0).Resource().Attributes().AsRaw(); len(got) != 1 || got["host.name"] != "b" {
		t.Errorf("resource is %v", got)
	}
}

// script is a producer that answers one error after the other.
type script struct {
	*topictest.Recorder
	errs []error
}

func (s *script) Produce(ctx context.Context, parts []topic.Part) error {
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		if err != nil {
			return err
		}
	}
	return s.Recorder.Produce(ctx, parts)
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	p := &script{Recorder: topictest.NewRecorder()}
	target := &Target{Producer: p, Topic: "t", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	d := NewDelivery(target)
	parts := []topic.Part{{Events: 1}, {Events: 2}, {Events: 3}}
	refused := map[int]bool{}
	note := func(i int, _ error) { refused[i] = true }

	p.errs = []error{topic.ErrUnavailable, topic.ErrFull}
	if err := d.Deliver(t.Context(), parts, note); err != nil || len(refused) > 0 || len(p.Take()) != 3 {
		t.Errorf("%v, %d are refused", err, len(refused))
	}
	p.errs = []error{topic.ErrRefused, nil, topic.ErrUnavailable, topic.ErrRefused}
	if err := d.Deliver(t.Context(), parts, note); err != nil || len(refused) != 1 || !refused[1] || len(p.Take()) != 2 {
		t.Errorf("%v, %v are refused", err, refused)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.Fail(topic.ErrUnavailable, topic.ErrUnavailable)
	cancel()
	if err := d.Deliver(ctx, parts, note); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want that of the context", err)
	}
	if _, err := d.Partition(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want that of the context", err)
	}
	p.Fail(nil, nil)
	resource := Resource(logwriter.Attribute{Key: "host.name", Value: "a"})
	if got, err := d.Partition(t.Context(), resource); err != nil || int(got) != otlp.PartitionOfResource(resource, 4) {
		t.Errorf("partition %d: %v", got, err)
	}
}
