package broker

import (
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// holds says up to where each partition has been read by every group that
// reads its topic; a partition that such a group has no commit for is unread.
type holds map[partitionID]hold

type hold struct {
	offset int64
	group  string
}

// noGroup stands for the group that is yet to come.
const noGroup = "(none yet)"

// of returns the offset below which the partition may be deleted, and the group
// that allows no more.
func (h holds) of(id partitionID) (int64, string) {
	if got, ok := h[id]; ok {
		return got.offset, got.group
	}
	return math.MaxInt64, ""
}

// holds asks for the state of every consumer group that holds records. A group
// reads a topic if it has ever committed an offset of it or has a member now
// that wants it.
func (k *keeper) holds(partitions map[partitionID][]segment) (holds, error) {
	h := holds{}
	for id := range partitions {
		if matchesAny(k.cfg.HoldTopics, id.topic) {
			h[id] = hold{0, noGroup}
		}
	}
	req := kmsg.NewPtrListGroupsRequest()
	req.SetVersion(2)
	response, err := request[*kmsg.ListGroupsResponse](k.client, req)
	if err == nil {
		err = kerr.ErrorForCode(response.ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("listing consumer groups: %w", err)
	}
	for _, g := range response.Groups {
		if !matchesAny(k.cfg.HoldGroups, g.Group) {
			continue
		}
		info := k.cluster.GroupInfo(g.Group)
		if info == nil {
			continue
		}
		topics := map[string]bool{}
		for topic := range info.Commits {
			topics[topic] = true
		}
		for _, m := range info.Members {
			for topic := range m.Assignment {
				topics[topic] = true
			}
			for _, topic := range m.SubscribedTopics {
				topics[topic] = true
			}
		}
		for id := range partitions {
			if !topics[id.topic] {
				continue
			}
			offset := int64(0)
			if c, ok := info.Commits[id.topic][id.partition]; ok {
				offset = c.Offset
			}
			if got, ok := h[id]; !ok || got.group == noGroup || offset < got.offset {
				h[id] = hold{offset, g.Group}
			}
		}
	}
	return h, nil
}
