package broker

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// policy decides about requests that are well-formed. The broker calls it in
// the goroutine that handles all requests, once or more for each request.
type policy struct {
	cfg  Config
	room *room
	// dirty is set by requests that write; the syncer clears it.
	dirty atomic.Bool
	// partitions counts the partitions of all topics. It may run ahead of the
	// truth by creations that failed and is set right by the keeper.
	partitions atomic.Int64

	// The last produce request and what was decided about it.
	last   kmsg.Request
	refuse bool
	// The same for the last request that adds partitions.
	lastAdd   kmsg.Request
	refuseAdd bool

	mu sync.Mutex
	// trims are the deletions the keeper is about to ask for. Nobody else may
	// delete records.
	trims map[partitionID]int64
	// segmentBytes is the one change of the broker's configuration that is
	// allowed, made by the keeper.
	segmentBytes string
}

// before lets do look at every request of a kind before it is handled, and change it.
func before(key kmsg.Key, do func(kmsg.Request)) kfake.Fault {
	return kfake.Fault{Keys: []kmsg.Key{key}, TopLevel: true, Count: -1, When: func(r kmsg.Request) bool {
		do(r)
		return false
	}}
}

// apply installs the policy. The broker answers a request with the error of a
// fault whose When returns true; a TopLevel fault's When is called before the
// request is handled, and may change it.
func (p *policy) apply(cluster *kfake.Cluster) {
	deny := func(key kmsg.Key, err *kerr.Error, when func(kmsg.Request) bool) kfake.Fault {
		return kfake.Fault{Keys: []kmsg.Key{key}, Err: err, Count: -1, When: when}
	}
	cluster.Fault(
		before(kmsg.Fetch, p.clampFetch),
		before(kmsg.JoinGroup, p.clampJoin),
		before(kmsg.CreateTopics, p.dropConfigs),
		before(kmsg.IncrementalAlterConfigs, hideConfigs),
		before(kmsg.OffsetCommit, func(kmsg.Request) { p.dirty.Store(true) }),
		kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.InconsistentGroupProtocol, Count: -1, When: badProtocols},
		deny(kmsg.Produce, kerr.KafkaStorageError, p.refuseProduce),
		deny(kmsg.CreateTopics, kerr.InvalidTopicException, badTopicName),
		deny(kmsg.CreateTopics, kerr.InvalidPartitions, p.tooManyCreated),
		deny(kmsg.CreatePartitions, kerr.InvalidPartitions, p.tooManyAdded),
		deny(kmsg.DeleteRecords, kerr.PolicyViolation, p.foreignTrim),
		deny(kmsg.IncrementalAlterConfigs, kerr.PolicyViolation, p.foreignConfig),
		deny(kmsg.InitProducerID, kerr.TransactionalIDAuthorizationFailed, transactional),
	)
}

// Bounds on what a consumer may ask for.
const (
	maxFetchBytes      = 8 << 20
	maxPartitionBytes  = 1 << 20
	maxFetchWaitMillis = 30_000
	maxRebalanceMillis = 10 * 60_000
	// maxPartitionsAtATime bounds the partitions of one topic.
	maxPartitionsAtATime = 256
)

// clampFetch bounds one response, of which the broker holds up to three copies
// in memory for each connection, and the time that a request waits in the
// broker after its client has gone.
func (p *policy) clampFetch(r kmsg.Request) {
	req := r.(*kmsg.FetchRequest)
	req.MaxBytes = min(req.MaxBytes, maxFetchBytes)
	req.MaxWaitMillis = min(req.MaxWaitMillis, maxFetchWaitMillis)
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			q := &req.Topics[i].Partitions[j]
			q.PartitionMaxBytes = min(q.PartitionMaxBytes, maxPartitionBytes)
		}
	}
}

func (p *policy) clampJoin(r kmsg.Request) {
	req := r.(*kmsg.JoinGroupRequest)
	req.RebalanceTimeoutMillis = min(req.RebalanceTimeoutMillis, maxRebalanceMillis)
}

// badProtocols says whether a member names no protocol or one of them twice.
// The broker counts names to find one that all members share, and ends the
// process when the count comes out wrong.
func badProtocols(r kmsg.Request) bool {
	req := r.(*kmsg.JoinGroupRequest)
	seen := make(map[string]bool, len(req.Protocols))
	for _, p := range req.Protocols {
		if seen[p.Name] {
			return true
		}
		seen[p.Name] = true
	}
	return len(seen) == 0
}

// refuseProduce decides once for each request and counts what it lets through.
func (p *policy) refuseProduce(r kmsg.Request) bool {
	if r == p.last {
		return p.refuse
	}
	req := r.(*kmsg.ProduceRequest)
	var cost int64
	reserved := true
	for i := range req.Topics {
		t := &req.Topics[i]
		reserved = reserved && matchesAny(p.cfg.ReserveTopics, t.Topic)
		for j := range t.Partitions {
			cost += int64(len(t.Partitions[j].Records)) + batchCost
		}
	}
	p.last, p.refuse = r, !p.room.take(cost, reserved)
	p.dirty.Store(true)
	return p.refuse
}

// dropConfigs removes the settings of a topic that only this package sets.
func (p *policy) dropConfigs(r kmsg.Request) {
	req := r.(*kmsg.CreateTopicsRequest)
	for i := range req.Topics {
		t := &req.Topics[i]
		kept := t.Configs[:0]
		for _, c := range t.Configs {
			if !ownConfig(c.Name) {
				kept = append(kept, c)
			}
		}
		t.Configs = kept
	}
}

// ownConfig says whether a setting of a topic is not for clients to change: the
// size of segments follows from the size of the log.
func ownConfig(name string) bool {
	return name == "segment.bytes" || strings.HasPrefix(name, "kfake.")
}

// badTopicName holds names to Kafka's rules; the broker behind takes any.
func badTopicName(r kmsg.Request) bool {
	for _, t := range r.(*kmsg.CreateTopicsRequest).Topics {
		if !validTopicName(t.Topic) {
			return true
		}
	}
	return false
}

func validTopicName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

func (p *policy) tooManyCreated(r kmsg.Request) bool {
	req := r.(*kmsg.CreateTopicsRequest)
	counts := make([]int64, len(req.Topics))
	for i := range req.Topics {
		counts[i] = int64(req.Topics[i].NumPartitions)
		if n := len(req.Topics[i].ReplicaAssignment); n > 0 {
			counts[i] = int64(n)
		}
	}
	return p.addPartitions(r, counts, req.ValidateOnly)
}

func (p *policy) tooManyAdded(r kmsg.Request) bool {
	req := r.(*kmsg.CreatePartitionsRequest)
	counts := make([]int64, len(req.Topics))
	for i := range req.Topics {
		counts[i] = int64(req.Topics[i].Count)
	}
	return p.addPartitions(r, counts, req.ValidateOnly)
}

// addPartitions decides once for each request, which is asked about for each of
// its topics.
func (p *policy) addPartitions(r kmsg.Request, counts []int64, dry bool) (tooMany bool) {
	if r == p.lastAdd {
		return p.refuseAdd
	}
	var sum int64
	for _, n := range counts {
		if n > maxPartitionsAtATime {
			tooMany = true
		}
		sum += max(n, 1)
	}
	tooMany = tooMany || p.partitions.Load()+sum > int64(p.cfg.MaxPartitions)
	if !tooMany && !dry {
		p.partitions.Add(sum)
	}
	p.dirty.Store(true)
	p.lastAdd, p.refuseAdd = r, tooMany
	return tooMany
}

// transactional refuses transactions, whose state is not kept over a crash.
func transactional(r kmsg.Request) bool {
	return r.(*kmsg.InitProducerIDRequest).TransactionalID != nil
}

// foreignTrim says whether a deletion of records is any but the keeper's.
// Deletion to the end would lose the partition's last offset in a crash.
func (p *policy) foreignTrim(r kmsg.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range r.(*kmsg.DeleteRecordsRequest).Topics {
		for _, q := range t.Partitions {
			if to, ok := p.trims[partitionID{t.Topic, q.Partition}]; !ok || to != q.Offset {
				return true
			}
		}
	}
	return false
}

// foreignConfig says whether a change of configuration goes beyond the settings
// of topics that clients may change and is not the keeper's.
func (p *policy) foreignConfig(r kmsg.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, resource := range r.(*kmsg.IncrementalAlterConfigsRequest).Resources {
		for _, c := range resource.Configs {
			switch {
			case resource.ResourceType == kmsg.ConfigResourceTypeTopic && !ownConfig(c.Name):
			case resource.ResourceType == kmsg.ConfigResourceTypeBroker && c.Name == segmentBytesConfig &&
				c.Op == kmsg.IncrementalAlterConfigOpSet && c.Value != nil && *c.Value == p.segmentBytes:
			default:
				return true
			}
		}
	}
	return false
}

// hideConfigs makes every kind of configuration but topics' and the broker's
// an unknown one, which the broker refuses by itself.
func hideConfigs(r kmsg.Request) {
	req := r.(*kmsg.IncrementalAlterConfigsRequest)
	for i := range req.Resources {
		switch req.Resources[i].ResourceType {
		case kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker:
		default:
			req.Resources[i].ResourceType = kmsg.ConfigResourceTypeUnknown
		}
	}
}

func (p *policy) expectTrims(trims map[partitionID]int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trims = trims
}

func (p *policy) expectSegmentBytes(value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.segmentBytes = value
}
