package broker_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
)

// link is a connection with one request under way at a time.
type link struct {
	t    *testing.T
	conn net.Conn
}

func newLink(t *testing.T, addr string) *link {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return &link{t, conn}
}

func (l *link) write(req kmsg.Request) {
	l.t.Helper()
	if _, err := l.conn.Write(sized(req.AppendTo(header(req.Key(), req.GetVersion(), req.IsFlexible())))); err != nil {
		l.t.Fatal(err)
	}
}

func (l *link) ask(req kmsg.Request) kmsg.Response {
	l.t.Helper()
	l.write(req)
	size := make([]byte, 4)
	if _, err := io.ReadFull(l.conn, size); err != nil {
		l.t.Fatalf("%T: %v", req, err)
	}
	answer := make([]byte, binary.BigEndian.Uint32(size))
	if _, err := io.ReadFull(l.conn, answer); err != nil {
		l.t.Fatalf("%T: %v", req, err)
	}
	response := req.ResponseKind()
	skip := 4
	if response.IsFlexible() {
		skip++
	}
	if err := response.ReadFrom(answer[skip:]); err != nil {
		l.t.Fatalf("%T: %v", req, err)
	}
	return response
}

const sessionGroup = "silent"

func joining(member string) *kmsg.JoinGroupRequest {
	subscription := kmsg.NewConsumerMemberMetadata()
	subscription.Topics = []string{"topic"}
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "range", subscription.AppendTo(nil)
	join := kmsg.NewPtrJoinGroupRequest()
	join.SetVersion(2)
	join.Group, join.MemberID, join.ProtocolType = sessionGroup, member, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 2000, 30_000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{protocol}
	return join
}

// member is one that joins and syncs as its leader.
type member struct {
	*link
	id         string
	generation int32
}

// join joins, and returns how many members the group has.
func (m *member) join() int {
	m.t.Helper()
	joined := m.ask(joining(m.id)).(*kmsg.JoinGroupResponse)
	if joined.ErrorCode != 0 || joined.LeaderID != joined.MemberID {
		m.t.Fatalf("joining: %+v", joined)
	}
	m.id, m.generation = joined.MemberID, joined.Generation
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.SetVersion(1)
	sync.Group, sync.MemberID, sync.Generation = sessionGroup, m.id, m.generation
	for _, other := range joined.Members {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID = other.MemberID
		sync.GroupAssignment = append(sync.GroupAssignment, a)
	}
	if synced := m.ask(sync).(*kmsg.SyncGroupResponse); synced.ErrorCode != 0 {
		m.t.Fatalf("syncing: %+v", synced)
	}
	return len(joined.Members)
}

// untilRebalance sends heartbeats until the group is to be formed anew.
func (m *member) untilRebalance() {
	m.t.Helper()
	heartbeat := kmsg.NewPtrHeartbeatRequest()
	heartbeat.SetVersion(1)
	heartbeat.Group, heartbeat.MemberID, heartbeat.Generation = sessionGroup, m.id, m.generation
	for {
		switch code := m.ask(heartbeat).(*kmsg.HeartbeatResponse).ErrorCode; code {
		case 0:
			time.Sleep(100 * time.Millisecond)
		case 27: // REBALANCE_IN_PROGRESS
			return
		default:
			m.t.Fatalf("heartbeat: code %d", code)
		}
	}
}

// TestSilentMember lets a member vanish while it waits for its group to be formed.
// It gets its share of the partitions, and must lose it.
func TestSilentMember(t *testing.T) {
	b := brokertest.Start(t)
	createTopic(t, client(t, b.Addr), "topic", 2)
	m := &member{link: newLink(t, b.Addr)}
	if n := m.join(); n != 1 {
		t.Fatalf("%d members", n)
	}
	gone := newLink(t, b.Addr)
	gone.write(joining(""))
	m.untilRebalance()
	gone.conn.Close()
	time.Sleep(300 * time.Millisecond) // the broker learns that the connection is gone
	if n := m.join(); n != 2 {
		t.Fatalf("%d members, want the one that is gone too", n)
	}
	m.untilRebalance()
	if n := m.join(); n != 1 {
		t.Errorf("%d members, want one", n)
	}
}
