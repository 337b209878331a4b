package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// keeper keeps the log within its bounds: it deletes the oldest segments, but
// none with a record that a consumer group has yet to read, and says how much
// room there is.
//
// The broker's own retention is switched off. It knows nothing of consumers,
// and it may empty a partition, whose offsets would then start again at 0 after
// a crash. The keeper never deletes a partition's last segment.
type keeper struct {
	cfg     Config
	log     *slog.Logger
	cluster *kfake.Cluster
	client  *internalClient
	policy  *policy
	room    *room

	segmentBytes int64
	full         string // why writes are refused, "" when they are not
	refusedAt    int64
	held         map[string]int64 // bytes above the target, by group that holds them
}

// lookInterval is the time between two looks at the log while it grows, and
// minLookInterval while it grows fast or is full; idleLooks is how many pass
// without one while it does not grow.
const (
	lookInterval    = 500 * time.Millisecond
	minLookInterval = 100 * time.Millisecond
	idleLooks       = 20
)

// segmentBytesConfig is the broker's setting for the size of a segment.
const segmentBytesConfig = "log.segment.bytes"

func (k *keeper) run(ctx context.Context) error {
	defer k.client.close()
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	skipped := 0
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-k.room.look:
			skipped = idleLooks
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(minLookInterval):
			}
		}
		// Others may fill the disk while the log does not grow.
		if free, err := freeBytes(k.cfg.DataDir); err == nil {
			k.room.free.Store(free + k.room.pending.Load())
		}
		if k.room.pending.Load() == 0 && k.full == "" && skipped < idleLooks {
			skipped++
			continue
		}
		skipped = 0
		err := k.look()
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil && !failing {
			k.log.Error("keeping the Kafka log within its bounds", "error", err)
		}
		failing = err != nil
	}
}

// look measures the log and deletes what may and must go.
func (k *keeper) look() error {
	pending := k.room.pending.Load()
	partitions, err := scan(k.cfg.DataDir)
	if err != nil {
		return err
	}
	free, err := freeBytes(k.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("measuring the room on the disk: %w", err)
	}
	count, err := k.countPartitions()
	if err != nil {
		return err
	}
	k.policy.partitions.Store(count)
	if err := k.sizeSegments(count); err != nil {
		return err
	}
	used := totalCost(partitions)
	k.room.disk.Store(diskBytes(partitions))
	freed, err := k.trim(partitions, used)
	if err != nil {
		return err
	}
	k.room.looked(used-freed, free+freed, pending)
	k.report(used - freed)
	return nil
}

func totalCost(partitions map[partitionID][]segment) int64 {
	var sum int64
	for _, segments := range partitions {
		for _, s := range segments {
			sum += s.cost()
		}
	}
	return sum
}

func (k *keeper) countPartitions() (int64, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.SetVersion(8)
	metadata, err := request[*kmsg.MetadataResponse](k.client, req)
	if err != nil {
		return 0, fmt.Errorf("counting partitions: %w", err)
	}
	var count int64
	for _, t := range metadata.Topics {
		count += int64(len(t.Partitions))
	}
	return count, nil
}

// sizeSegments keeps the last segments of all partitions, which are never
// deleted, below a quarter of the log.
func (k *keeper) sizeSegments(partitions int64) error {
	size := int64(k.cfg.SegmentBytes)
	if partitions > 0 {
		size = min(size, max(k.room.limit/4/partitions, 64<<10))
	}
	if size == k.segmentBytes {
		return nil
	}
	value := strconv.FormatInt(size, 10)
	k.policy.expectSegmentBytes(value)
	defer k.policy.expectSegmentBytes("")
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.SetVersion(0)
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType = kmsg.ConfigResourceTypeBroker
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = segmentBytesConfig, &value
	resource.Configs = append(resource.Configs, config)
	req.Resources = append(req.Resources, resource)
	response, err := request[*kmsg.IncrementalAlterConfigsResponse](k.client, req)
	if err != nil {
		return fmt.Errorf("setting the size of segments: %w", err)
	}
	for _, r := range response.Resources {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return fmt.Errorf("setting the size of segments: %w", err)
		}
	}
	k.segmentBytes = size
	return nil
}

// candidate is a segment that may be deleted once those before it are.
type candidate struct {
	id   partitionID
	end  int64 // the base of the segment after it
	seg  segment
	must bool // the topic's own retention wants it gone
}

// trim deletes segments until the log is down to three quarters of its limit,
// the oldest of all partitions first, and returns what that frees.
func (k *keeper) trim(partitions map[partitionID][]segment, used int64) (int64, error) {
	target := k.room.limit / 4 * 3
	k.held = nil
	var settings map[string]topicSettings
	over := used > target
	settings = k.topicSettings(partitions)
	if !over && !anyRetention(settings) {
		return 0, nil
	}
	holds, err := k.holds(partitions)
	if err != nil {
		return 0, err
	}
	var candidates []candidate
	held := map[string]int64{}
	now := time.Now()
	for id, segments := range partitions {
		topic := settings[id.topic]
		if topic.compacted {
			continue
		}
		var after int64 // bytes from the segment on
		for _, s := range segments {
			after += s.size
		}
		hold, holder := holds.of(id)
		for i, s := range segments[:max(len(segments)-1, 0)] {
			end := segments[i+1].base
			if end > hold {
				for _, rest := range segments[i : len(segments)-1] {
					held[holder] += rest.cost()
				}
				break
			}
			must := topic.retention > 0 && now.Sub(s.modified) > topic.retention ||
				topic.bytes > 0 && after-s.size >= topic.bytes
			candidates = append(candidates, candidate{id, end, s, must})
			after -= s.size
		}
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		if c := a.seg.modified.Compare(b.seg.modified); c != 0 {
			return c
		}
		return cmp.Compare(a.seg.base, b.seg.base)
	})
	trims := map[partitionID]int64{}
	var freed int64
	for _, c := range candidates {
		if used-freed > target || c.must {
			trims[c.id] = max(trims[c.id], c.end)
			freed += c.seg.cost()
		}
	}
	if used-freed > target {
		k.held = held
	}
	return freed, k.deleteRecords(trims)
}

func (k *keeper) deleteRecords(trims map[partitionID]int64) error {
	if len(trims) == 0 {
		return nil
	}
	k.policy.expectTrims(trims)
	defer k.policy.expectTrims(nil)
	byTopic := map[string][]kmsg.DeleteRecordsRequestTopicPartition{}
	for id, to := range trims {
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = id.partition, to
		byTopic[id.topic] = append(byTopic[id.topic], p)
	}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.SetVersion(1)
	for topic, partitions := range byTopic {
		t := kmsg.NewDeleteRecordsRequestTopic()
		t.Topic, t.Partitions = topic, partitions
		req.Topics = append(req.Topics, t)
	}
	response, err := request[*kmsg.DeleteRecordsResponse](k.client, req)
	if err != nil {
		return fmt.Errorf("deleting old segments: %w", err)
	}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			// The topic may have been deleted meanwhile.
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
				return fmt.Errorf("deleting old segments of %s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// topicSettings are the settings of a topic that bear on deletion.
type topicSettings struct {
	retention time.Duration
	bytes     int64
	compacted bool
}

func anyRetention(settings map[string]topicSettings) bool {
	for _, s := range settings {
		if s.retention > 0 || s.bytes > 0 {
			return true
		}
	}
	return false
}

func (k *keeper) topicSettings(partitions map[partitionID][]segment) map[string]topicSettings {
	settings := map[string]topicSettings{}
	for id := range partitions {
		if _, ok := settings[id.topic]; ok {
			continue
		}
		info := k.cluster.TopicInfo(id.topic)
		if info == nil {
			continue
		}
		text := func(name string) string {
			if v := info.Configs[name]; v != nil {
				return *v
			}
			return ""
		}
		number := func(name string) int64 {
			n, _ := strconv.ParseInt(text(name), 10, 64)
			return n
		}
		policy := text("cleanup.policy")
		millis := min(number("retention.ms"), int64(100*365*24*time.Hour/time.Millisecond))
		settings[id.topic] = topicSettings{
			retention: time.Duration(millis) * time.Millisecond,
			bytes:     number("retention.bytes"),
			compacted: strings.Contains(policy, "compact") && !strings.Contains(policy, "delete"),
		}
	}
	return settings
}

// report says when writes begin and cease to be refused, and by whom the room
// is held.
func (k *keeper) report(used int64) {
	reason := k.room.full()
	refused := k.room.refused.Load()
	switch {
	case reason != "" && k.full == "":
		attributes := []any{"reason", reason, "log_bytes", used, "free_bytes", k.room.free.Load()}
		if holder, bytes := largest(k.held); bytes > 0 {
			attributes = append(attributes, "waiting_for_group", holder, "unread_bytes", bytes)
		}
		k.log.Warn("Kafka log is full: producers are refused", attributes...)
	case reason == "" && k.full != "":
		k.log.Info("Kafka log has room again", "log_bytes", used, "free_bytes", k.room.free.Load(),
			"refused_requests", refused-k.refusedAt)
		k.refusedAt = refused
	}
	k.full = reason
}

func largest(held map[string]int64) (string, int64) {
	var name string
	var most int64
	for n, bytes := range held {
		if bytes > most {
			name, most = n, bytes
		}
	}
	return name, most
}
