package broker_test

import (
	"encoding/binary"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
)

// abuseRounds is how many connections each kind of abuse makes. A longer run:
// GOSHAWK_ABUSE_ROUNDS=100000 go test -run Abuse.
func abuseRounds(n int) int {
	if text := os.Getenv("GOSHAWK_ABUSE_ROUNDS"); text != "" {
		if more, err := strconv.Atoi(text); err == nil {
			return more
		}
	}
	return n
}

// send writes b on a new connection and reads whatever comes for a moment.
func send(addr string, parts ...[]byte) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
	for _, b := range parts {
		if _, err := conn.Write(b); err != nil {
			return
		}
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
	if len(parts)%2 == 0 {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
}

func TestAbuseOfThePortEndsNothing(t *testing.T) {
	b := brokertest.StartProcess(t, func(c *broker.Config) {
		c.RequestTimeout = time.Second
		c.MaxConnections = 64
	})
	c := client(t, b.Addr)
	createTopic(t, c, "kept", 2)
	mustProduce(t, c, "kept", 0, []byte("kept"))
	commit(t, c, "held", "kept", 0, 1, "plan")
	createTopic(t, c, "topic", 2)

	kinds := map[string]func(h *hostile){
		"noise": func(h *hostile) {
			noise := make([]byte, 1+h.IntN(4000))
			for i := range noise {
				noise[i] = byte(h.Uint32())
			}
			send(b.Addr, noise)
		},
		"HTTP": func(h *hostile) { send(b.Addr, []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")) },
		"TLS": func(h *hostile) {
			send(b.Addr, []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, []byte("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))
		},
		"unknown key": func(h *hostile) {
			send(b.Addr, sized(append(header(int16(h.Uint32()), int16(h.IntN(3)), false), "body"...)))
		},
		"every key and version, empty body": func(h *hostile) {
			for key := range int16(93) {
				if req := kmsg.RequestForKey(key); req != nil {
					req.SetVersion(int16(h.IntN(int(req.MaxVersion()) + 2)))
					send(b.Addr, sized(header(key, req.GetVersion(), req.IsFlexible())))
				}
			}
		},
		"lying arrays": func(h *hostile) {
			body := header(int16(h.IntN(70)), int16(h.IntN(12)), h.IntN(2) == 0)
			for range h.IntN(200_000) {
				body = append(body, byte(h.IntN(3))*0x7f)
			}
			send(b.Addr, sized(body))
		},
		"tags without end": func(h *hostile) {
			key := int16(h.IntN(70))
			tags := binary.AppendUvarint(nil, math.MaxUint32)
			send(b.Addr, sized(append(header(key, int16(2+h.IntN(12)), false), tags...)))
			send(b.Addr, sized(append(header(18, 3, false), append([]byte{0, 1, 1}, tags...)...)))
			send(b.Addr, sized(append(header(22, 4, false), append([]byte{0, 0, 0, 0, 0, 1}, tags...)...)))
		},
		"arbitrary requests": func(h *hostile) { send(b.Addr, h.request(), h.request(), h.request()) },
		"damaged requests":   func(h *hostile) { send(b.Addr, h.mutate(h.request()), h.mutate(h.request())) },
	}
	for name, abuse := range kinds {
		t.Run(name, func(t *testing.T) {
			rounds := abuseRounds(60)
			switch name {
			case "every key and version, empty body":
				rounds = min(rounds, 20)
			case "arbitrary requests", "damaged requests":
				rounds = max(rounds, 1500)
			}
			for i := range rounds {
				abuse(newHostile(uint64(i)))
				select {
				case <-b.Done():
					t.Fatalf("the broker died in round %d\n%s", i, b.Output())
				default:
				}
			}
		})
	}
	if first, end := offsets(t, c, "kept", 0); first != 0 || end < 1 {
		t.Errorf("partition holds [%d,%d) after the abuse, want the first record kept", first, end)
	}
	if offset, metadata := committed(t, c, "held", "kept", 0); offset != 1 || metadata != "plan" {
		t.Errorf("commit is %d %q after the abuse", offset, metadata)
	}
	b.Restart(t)
	if first, end := offsets(t, c, "kept", 0); first != 0 || end < 1 {
		t.Errorf("partition holds [%d,%d) after a restart, want the first record kept", first, end)
	}
}

func TestSlowAndManyConnections(t *testing.T) {
	b := brokertest.StartProcess(t, func(c *broker.Config) {
		c.RequestTimeout = 500 * time.Millisecond
		c.MaxConnections = 20
	})
	// Each announces a request of 10 MiB, sends a part and waits: a slow loris.
	var lazy []net.Conn
	for range 50 {
		conn, err := net.Dial("tcp", b.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		part := header(0, 9, true)
		binary.BigEndian.PutUint32(part, 10<<20)
		_, _ = conn.Write(part)
		lazy = append(lazy, conn)
	}
	for i, conn := range lazy {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
			t.Fatalf("connection %d: read %d bytes, %v; want it closed by the broker", i, n, err)
		}
	}
	c := client(t, b.Addr)
	createTopic(t, c, "topic", 1)
	mustProduce(t, c, "topic", 0, []byte("served again"))
}

func TestForbiddenRequestsAreAnswered(t *testing.T) {
	b := brokertest.Start(t)
	c := client(t, b.Addr)
	createTopic(t, c, "topic", 1)
	mustProduce(t, c, "topic", 0, []byte("kept"))

	ask := func(req kmsg.Request) kmsg.Response {
		t.Helper()
		l := newLink(t, b.Addr)
		defer l.conn.Close()
		return l.ask(req)
	}

	trim := kmsg.NewPtrDeleteRecordsRequest()
	trim.SetVersion(1)
	trim.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "topic", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: -1}}}}
	if code := ask(trim).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode; code != 44 {
		t.Errorf("deleting records: code %d, want POLICY_VIOLATION", code)
	}
	create := func(name string, partitions int32) int16 {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.SetVersion(4)
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
		req.Topics = append(req.Topics, topic)
		return ask(req).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode
	}
	for _, test := range []struct {
		name       string
		partitions int32
		want       int16
	}{
		{"many", math.MaxInt32, 37}, {"..", 1, 17}, {"a/b", 1, 17}, {"", 1, 17}, {"none", 0, 37}, {"fine", 3, 0},
	} {
		if got := create(test.name, test.partitions); got != test.want {
			t.Errorf("creating topic %q with %d partitions: code %d, want %d", test.name, test.partitions, got, test.want)
		}
	}
	// Both of these would end the process of the broker behind.
	for _, names := range [][]string{{"range", "range"}, {}} {
		join := kmsg.NewPtrJoinGroupRequest()
		join.SetVersion(2)
		join.Group, join.ProtocolType, join.SessionTimeoutMillis = "g", "consumer", 10_000
		for _, name := range names {
			protocol := kmsg.NewJoinGroupRequestProtocol()
			protocol.Name = name
			join.Protocols = append(join.Protocols, protocol)
		}
		if code := ask(join).(*kmsg.JoinGroupResponse).ErrorCode; code != 23 {
			t.Errorf("joining with the protocols %q: code %d, want INCONSISTENT_GROUP_PROTOCOL", names, code)
		}
	}
	transaction := kmsg.NewPtrInitProducerIDRequest()
	transaction.SetVersion(4)
	transaction.TransactionalID = kmsg.StringPtr("tx")
	if code := ask(transaction).(*kmsg.InitProducerIDResponse).ErrorCode; code != 53 {
		t.Errorf("beginning a transaction: code %d, want TRANSACTIONAL_ID_AUTHORIZATION_FAILED", code)
	}
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	alter.SetVersion(0)
	for _, resource := range []struct {
		kind kmsg.ConfigResourceType
		of   string
		key  string
		want int16
	}{
		{kmsg.ConfigResourceTypeBroker, "", "log.retention.bytes", 44},
		{kmsg.ConfigResourceTypeBroker, "", "log.segment.bytes", 44},
		{kmsg.ConfigResourceTypeGroupConfig, "g", "consumer.session.timeout.ms", 42},
		{kmsg.ConfigResourceTypeTopic, "topic", "segment.bytes", 44},
		{kmsg.ConfigResourceTypeTopic, "topic", "retention.ms", 0},
	} {
		one := kmsg.NewIncrementalAlterConfigsRequestResource()
		one.ResourceType, one.ResourceName = resource.kind, resource.of
		change := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		change.Name, change.Value = resource.key, kmsg.StringPtr("600000")
		one.Configs = append(one.Configs, change)
		alter.Resources = []kmsg.IncrementalAlterConfigsRequestResource{one}
		if code := ask(alter).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode; code != resource.want {
			t.Errorf("setting %s of %s %q: code %d, want %d", resource.key, resource.kind, resource.of, code, resource.want)
		}
	}
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.SetVersion(0)
	for _, key := range ask(versions).(*kmsg.ApiVersionsResponse).ApiKeys {
		switch name := kmsg.NameForKey(key.ApiKey); name {
		case "EndTxn", "AddPartitionsToTxn", "CreateACLs", "ShareFetch", "AlterConfigs":
			t.Errorf("%s is advertised", name)
		}
	}
}
