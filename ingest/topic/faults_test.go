package topic_test

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
)

// TestFaults has a broker that fails commits, fetches and heartbeats at random:
// with codes, by closing the connection before or after the request took
// effect, and by being slow.
func TestFaults(t *testing.T) {
	cluster := kafkatest.Embedded(t)
	h := newHarness(t, cluster, 3)
	stop := h.load(3, 3)
	h.join(nil)
	h.join(nil)
	var hits atomic.Int64
	faulty := true
	after := errors.New("connection is cut")
	fail := func(one int, respond func(kmsg.Request, *kerr.Error) kmsg.Response, codes ...*kerr.Error) func(kmsg.Request) (kmsg.Response, error, bool) {
		return func(r kmsg.Request) (kmsg.Response, error, bool) {
			if !faulty {
				return nil, nil, false
			}
			cluster.Fake.KeepControl()
			if rand.N(one) != 0 {
				return nil, nil, false
			}
			hits.Add(1)
			switch n := rand.N(len(codes) + 2); n {
			case 0:
				return nil, after, true
			case 1:
				cluster.Fake.SleepControl(func() { time.Sleep(20 * time.Millisecond) })
				return nil, nil, false
			default:
				return respond(r, codes[n-2]), nil, true
			}
		}
	}
	cluster.Fake.ControlKey(int16(kmsg.OffsetCommit), fail(25, commitError,
		kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.RequestTimedOut, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.UnknownServerError))
	cluster.Fake.ControlKey(int16(kmsg.Fetch), fail(25, fetchError,
		kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError, kerr.UnknownServerError))
	cluster.Fake.ControlKey(int16(kmsg.Heartbeat), fail(40, func(r kmsg.Request, code *kerr.Error) kmsg.Response {
		response := r.ResponseKind().(*kmsg.HeartbeatResponse)
		response.ErrorCode = code.Code
		return response
	}, kerr.RebalanceInProgress, kerr.NotCoordinator))
	time.Sleep(8 * time.Second)
	stop()
	cluster.Fake.Control(func(kmsg.Request) (kmsg.Response, error, bool) { faulty = false; return nil, nil, false })
	h.settle()
	t.Logf("%d rows in %d blocks, %d replays, %d faults", h.sink.Len(), h.sink.Blocks, h.sink.Replays, hits.Load())
	if hits.Load() < 10 || h.sink.Len() < 100 {
		t.Errorf("%d faults and %d rows: the test tests nothing", hits.Load(), h.sink.Len())
	}
}

func commitError(r kmsg.Request, code *kerr.Error) kmsg.Response {
	request := r.(*kmsg.OffsetCommitRequest)
	response := request.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, rt := range request.Topics {
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition, p.ErrorCode = rp.Partition, code.Code
			t.Partitions = append(t.Partitions, p)
		}
		response.Topics = append(response.Topics, t)
	}
	return response
}

func fetchError(r kmsg.Request, code *kerr.Error) kmsg.Response {
	request := r.(*kmsg.FetchRequest)
	response := request.ResponseKind().(*kmsg.FetchResponse)
	for _, rt := range request.Topics {
		t := kmsg.NewFetchResponseTopic()
		t.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.ErrorCode = rp.Partition, code.Code
			t.Partitions = append(t.Partitions, p)
		}
		response.Topics = append(response.Topics, t)
	}
	return response
}
