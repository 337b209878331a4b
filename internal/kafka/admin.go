package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// Topic is what a topic should be.
type Topic struct {
	Name        string
	Partitions  int
	Replication int
	// Configs are the topic's own settings, such as retention.ms.
	Configs map[string]string
}

// Difference is something about an existing topic that is not as it should be.
// It is reported and left alone: fewer partitions would lose data, more would
// move keys, and settings may have been changed on purpose.
type Difference struct {
	Topic, Setting string
	Have, Want     string
}

// String says what differs.
func (d Difference) String() string {
	return fmt.Sprintf("topic %s: %s is %s, configured is %s", d.Topic, d.Setting, d.Have, d.Want)
}

// EnsureTopics creates the topics that do not exist, waits until the cluster
// knows all of them, and returns what differs in those that existed.
func (c *Client) EnsureTopics(ctx context.Context, topics []Topic) ([]Difference, error) {
	counts, err := c.partitionCounts(ctx, names(topics))
	if err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	var create []kafkago.TopicConfig
	var existing []Topic
	for _, t := range topics {
		if counts[t.Name] > 0 {
			existing = append(existing, t)
			continue
		}
		tc := kafkago.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.Replication}
		for name, value := range t.Configs {
			tc.ConfigEntries = append(tc.ConfigEntries, kafkago.ConfigEntry{ConfigName: name, ConfigValue: value})
		}
		create = append(create, tc)
	}
	if len(create) > 0 {
		response, err := c.api.CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: create})
		if err != nil {
			return nil, fmt.Errorf("creating topics: %w", err)
		}
		for name, err := range response.Errors {
			// Another process may have been faster.
			if err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
				return nil, fmt.Errorf("creating topic %s: %w", name, err)
			}
		}
	}
	for missing := topics; len(missing) > 0; {
		counts, err := c.partitionCounts(ctx, names(missing))
		if err != nil {
			return nil, fmt.Errorf("waiting for topics: %w", err)
		}
		missing = slices.DeleteFunc(slices.Clone(missing), func(t Topic) bool { return counts[t.Name] > 0 })
		if len(missing) == 0 {
			break
		}
		c.Reset()
		pause(ctx, resetInterval)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("waiting for topics %s: %w", strings.Join(names(missing), ", "), ctx.Err())
		}
	}
	return c.differences(ctx, existing, counts)
}

func names(topics []Topic) []string {
	all := make([]string, len(topics))
	for i := range topics {
		all[i] = topics[i].Name
	}
	return all
}

func (c *Client) differences(ctx context.Context, topics []Topic, counts map[string]int) ([]Difference, error) {
	var found []Difference
	request := &kafkago.DescribeConfigsRequest{}
	for _, t := range topics {
		if counts[t.Name] != t.Partitions {
			found = append(found, Difference{t.Name, "partitions", fmt.Sprint(counts[t.Name]), fmt.Sprint(t.Partitions)})
		}
		if len(t.Configs) > 0 {
			resource := kafkago.DescribeConfigRequestResource{ResourceType: kafkago.ResourceTypeTopic, ResourceName: t.Name}
			for name := range t.Configs {
				resource.ConfigNames = append(resource.ConfigNames, name)
			}
			request.Resources = append(request.Resources, resource)
		}
	}
	if len(request.Resources) == 0 {
		return found, nil
	}
	response, err := c.api.DescribeConfigs(ctx, request)
	if err != nil {
		return found, fmt.Errorf("reading the settings of topics: %w", err)
	}
	have := make(map[[2]string]string)
	for _, r := range response.Resources {
		for _, e := range r.ConfigEntries {
			have[[2]string{r.ResourceName, e.ConfigName}] = e.ConfigValue
		}
	}
	for _, t := range topics {
		for name, want := range t.Configs {
			if got, ok := have[[2]string{t.Name, name}]; ok && got != want {
				found = append(found, Difference{t.Name, name, got, want})
			}
		}
	}
	slices.SortFunc(found, func(a, b Difference) int {
		return strings.Compare(a.Topic+"\x00"+a.Setting, b.Topic+"\x00"+b.Setting)
	})
	return found, nil
}

func (c *Client) partitionCounts(ctx context.Context, topics []string) (map[string]int, error) {
	metadata, err := retryOnce(c, func() (*kafkago.MetadataResponse, error) {
		return c.api.Metadata(ctx, &kafkago.MetadataRequest{Topics: topics})
	})
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int)
	for _, t := range metadata.Topics {
		switch {
		case t.Error == nil:
			counts[t.Name] = len(t.Partitions)
		case !errors.Is(t.Error, kafkago.UnknownTopicOrPartition) && !errors.Is(t.Error, kafkago.LeaderNotAvailable):
			return nil, fmt.Errorf("topic %s: %w", t.Name, t.Error)
		}
	}
	return counts, nil
}

// Partitions returns the number of partitions of a topic.
func (c *Client) Partitions(ctx context.Context, topic string) (int, error) {
	counts, err := c.partitionCounts(ctx, []string{topic})
	if err != nil {
		return 0, fmt.Errorf("counting partitions of %s: %w", topic, err)
	}
	if counts[topic] == 0 {
		return 0, fmt.Errorf("counting partitions of %s: %w", topic, kafkago.UnknownTopicOrPartition)
	}
	return counts[topic], nil
}

// Offsets are the bounds of one partition: what is in it is [First, Next).
type Offsets struct{ First, Next int64 }

// Offsets returns the bounds of all partitions of a topic.
func (c *Client) Offsets(ctx context.Context, topic string) ([]Offsets, error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	all := make([]Offsets, n)
	// One request for each bound: brokers take a partition once in a request.
	for _, at := range []int64{kafkago.FirstOffset, kafkago.LastOffset} {
		requests := make([]kafkago.OffsetRequest, n)
		for i := range requests {
			requests[i] = kafkago.OffsetRequest{Partition: i, Timestamp: at}
		}
		listed, err := c.listOffsets(ctx, topic, requests)
		if err != nil {
			return nil, err
		}
		for _, p := range listed {
			if p.Partition < 0 || p.Partition >= n {
				continue
			}
			if at == kafkago.FirstOffset {
				all[p.Partition].First = p.FirstOffset
			} else {
				all[p.Partition].Next = p.LastOffset
			}
		}
	}
	return all, nil
}

// PartitionOffsets returns the bounds of one partition.
func (c *Client) PartitionOffsets(ctx context.Context, topic string, partition int32) (Offsets, error) {
	var o Offsets
	first, err := c.listOffsets(ctx, topic, []kafkago.OffsetRequest{kafkago.FirstOffsetOf(int(partition))})
	if err != nil {
		return o, err
	}
	last, err := c.listOffsets(ctx, topic, []kafkago.OffsetRequest{kafkago.LastOffsetOf(int(partition))})
	if err != nil {
		return o, err
	}
	o.First, o.Next = first[0].FirstOffset, last[0].LastOffset
	return o, nil
}

// OffsetAt returns the offset of the first record that is not older than at, or
// -1 where there is none.
func (c *Client) OffsetAt(ctx context.Context, topic string, partition int32, at time.Time) (int64, error) {
	listed, err := c.listOffsets(ctx, topic, []kafkago.OffsetRequest{kafkago.TimeOffsetOf(int(partition), at)})
	if err != nil {
		return 0, err
	}
	for offset := range listed[0].Offsets {
		return offset, nil
	}
	return -1, nil
}

func (c *Client) listOffsets(ctx context.Context, topic string, requests []kafkago.OffsetRequest) ([]kafkago.PartitionOffsets, error) {
	response, err := retryOnce(c, func() (*kafkago.ListOffsetsResponse, error) {
		return c.api.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{topic: requests}})
	})
	if err != nil {
		return nil, fmt.Errorf("listing offsets of %s: %w", topic, err)
	}
	listed := response.Topics[topic]
	if len(listed) != len(requests) {
		return nil, fmt.Errorf("listing offsets of %s: answer names %d partitions, want %d", topic, len(listed), len(requests))
	}
	for _, p := range listed {
		if p.Error != nil {
			return nil, fmt.Errorf("listing offsets of %s/%d: %w", topic, p.Partition, p.Error)
		}
	}
	return listed, nil
}

// Committed returns the offsets that a group has committed, by partition; -1
// where it has committed none.
func (c *Client) Committed(ctx context.Context, group, topic string, partitions ...int) ([]kafkago.OffsetFetchPartition, error) {
	request := &kafkago.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}}
	var response *kafkago.OffsetFetchResponse
	var err error
	for attempt := range coordinatorAttempts {
		response, err = retryOnce(c, func() (*kafkago.OffsetFetchResponse, error) { return c.api.OffsetFetch(ctx, request) })
		if err == nil {
			err = response.Error
		}
		if !coordinatorMoves(err) || ctx.Err() != nil {
			break
		}
		pause(ctx, time.Duration(attempt+1)*50*time.Millisecond)
	}
	if errors.Is(err, kafkago.GroupIdNotFound) {
		none := make([]kafkago.OffsetFetchPartition, len(partitions))
		for i, p := range partitions {
			none[i] = kafkago.OffsetFetchPartition{Partition: p, CommittedOffset: -1}
		}
		return none, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading offsets of group %s in %s: %w", group, topic, err)
	}
	committed := response.Topics[topic]
	if len(committed) != len(partitions) {
		return nil, fmt.Errorf("reading offsets of group %s in %s: answer names %d partitions, want %d", group, topic, len(committed), len(partitions))
	}
	for _, p := range committed {
		if p.Error != nil {
			return nil, fmt.Errorf("reading offsets of group %s in %s/%d: %w", group, topic, p.Partition, p.Error)
		}
	}
	return committed, nil
}

// coordinatorAttempts is how often a group's coordinator is asked again while it
// is being found: the first group of a new cluster waits for the topic in which
// offsets are kept.
const coordinatorAttempts = 10

func coordinatorMoves(err error) bool {
	return errors.Is(err, kafkago.NotCoordinatorForGroup) || errors.Is(err, kafkago.GroupCoordinatorNotAvailable) ||
		errors.Is(err, kafkago.GroupLoadInProgress)
}

// Lag returns, for every partition of a topic, how many offsets a group has not
// committed yet.
func (c *Client) Lag(ctx context.Context, group, topic string) ([]int64, error) {
	bounds, err := c.Offsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	partitions := make([]int, len(bounds))
	for i := range partitions {
		partitions[i] = i
	}
	committed, err := c.Committed(ctx, group, topic, partitions...)
	if err != nil {
		return nil, err
	}
	lag := make([]int64, len(bounds))
	for _, p := range committed {
		if p.Partition >= 0 && p.Partition < len(lag) {
			at := max(p.CommittedOffset, bounds[p.Partition].First)
			lag[p.Partition] = max(bounds[p.Partition].Next-at, 0)
		}
	}
	return lag, nil
}

// retryOnce makes a read-only call a second time after it failed on the way: a
// pooled connection may have died while nobody used it.
func retryOnce[T any](c *Client, call func() (T, error)) (T, error) {
	result, err := call()
	var code kafkago.Error
	if err == nil || errors.As(err, &code) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return result, err
	}
	c.Reset()
	return call()
}
