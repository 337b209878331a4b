package broker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessions ends those of members of consumer groups that say nothing any more.
//
// The broker behind does so by itself, but for a member whose connection ended
// while it waited for its group to be formed: that one would keep its partitions,
// which nobody reads then, until the group is formed anew.
type sessions struct {
	cluster *kfake.Cluster
	client  *internalClient
	log     *slog.Logger

	mu      sync.Mutex
	groups  map[string]*heardGroup
	members int // of all groups
}

// heardGroup is a group of which somebody spoke.
type heardGroup struct {
	// timeout is the longest session timeout that a member has asked for.
	timeout time.Duration
	// members are when each of them was heard.
	members map[string]time.Time
	// generation is that of a group that is formed, and formed is since when.
	generation int32
	formed     time.Time
}

// sessionLook is the time between two looks at the groups, and maxHeard how many
// members are remembered from one look to the next.
const (
	sessionLook = time.Second
	maxHeard    = 20_000
)

// hear remembers that a member of a group spoke. A member that joins for the
// first time has no name yet.
func (s *sessions) hear(group, member string, timeout time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[group]
	if g == nil {
		if s.members >= maxHeard {
			return
		}
		g = &heardGroup{members: map[string]time.Time{}}
		s.groups[group] = g
		s.members++
	}
	g.timeout = max(g.timeout, timeout)
	if member == "" {
		return
	}
	if _, known := g.members[member]; !known {
		if s.members >= maxHeard {
			return
		}
		s.members++
	}
	g.members[member] = now
}

// faults make the broker tell what members say. They refuse nothing.
func (s *sessions) faults() []kfake.Fault {
	return []kfake.Fault{
		before(kmsg.JoinGroup, func(r kmsg.Request) {
			req := r.(*kmsg.JoinGroupRequest)
			s.hear(req.Group, req.MemberID, time.Duration(req.SessionTimeoutMillis)*time.Millisecond, time.Now())
		}),
		before(kmsg.SyncGroup, func(r kmsg.Request) {
			req := r.(*kmsg.SyncGroupRequest)
			s.hear(req.Group, req.MemberID, 0, time.Now())
		}),
		before(kmsg.Heartbeat, func(r kmsg.Request) {
			req := r.(*kmsg.HeartbeatRequest)
			s.hear(req.Group, req.MemberID, 0, time.Now())
		}),
	}
}

func (s *sessions) run(ctx context.Context) error {
	defer s.client.close()
	tick := time.NewTicker(sessionLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, name := range s.names() {
			for _, member := range s.silent(s.cluster.GroupInfo(name), name, time.Now()) {
				if err := s.end(name, member); err != nil && ctx.Err() == nil {
					s.log.Warn("ending the session of a silent member", "group", name, "member", member, "error", err)
				}
			}
		}
	}
}

func (s *sessions) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.groups))
}

// stable is the state of a group that is formed. In all others members wait for
// the broker and say nothing by right.
const stable = "Stable"

// silent returns the members of a group that have said nothing for the longest
// session timeout since the group was formed, and forgets who is no member.
func (s *sessions) silent(info *kfake.GroupInfo, name string, now time.Time) (members []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[name]
	if info == nil || len(info.Members) == 0 {
		s.members -= 1 + len(g.members)
		delete(s.groups, name)
		return nil
	}
	kept := make(map[string]time.Time, len(info.Members))
	for i := range info.Members {
		id := info.Members[i].MemberID
		if at, ok := g.members[id]; ok {
			kept[id] = at
		}
	}
	s.members -= len(g.members) - len(kept)
	g.members = kept
	if info.State != stable {
		g.formed = time.Time{}
		return nil
	}
	if g.formed.IsZero() || g.generation != info.Epoch {
		g.formed, g.generation = now, info.Epoch
	}
	if g.timeout == 0 {
		return nil // a group from before a restart, which nobody has joined since
	}
	for i := range info.Members {
		last := g.formed
		if at := g.members[info.Members[i].MemberID]; at.After(last) {
			last = at
		}
		if now.Sub(last) > g.timeout+sessionLook {
			members = append(members, info.Members[i].MemberID)
		}
	}
	return members
}

// end lets a member leave its group.
func (s *sessions) end(group, member string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.SetVersion(2)
	req.Group, req.MemberID = group, member
	response, err := request[*kmsg.LeaveGroupResponse](s.client, req)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(response.ErrorCode); err != nil {
		return fmt.Errorf("leaving: %w", err)
	}
	s.log.Info("a member of a consumer group was silent for longer than its session", "group", group, "member", member)
	return nil
}
