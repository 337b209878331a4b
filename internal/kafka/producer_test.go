package kafka_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
)

func newProducer(t testing.TB, client *kafka.Client, change func(*kafka.ProducerConfig)) *kafka.Producer {
	t.Helper()
	cfg := kafka.DefaultProducerConfig()
	if change != nil {
		change(&cfg)
	}
	p, err := kafka.NewProducer(client, cfg, quiet, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// read returns everything that is in a partition.
func read(t testing.TB, client *kafka.Client, topic string, partition int32) []kafka.FetchedRecord {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	bounds, err := client.PartitionOffsets(ctx, topic, partition)
	if err != nil {
		t.Fatal(err)
	}
	var all []kafka.FetchedRecord
	for offset := bounds.First; offset < bounds.Next; {
		f, err := client.Fetch(ctx, kafka.FetchRequest{
			Topic: topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		for {
			batch, memory, err := f.ReadBatch(func(r *kafka.FetchedRecord) {
				if r.Offset >= offset {
					c := *r
					c.Value, c.Key = bytes.Clone(r.Value), bytes.Clone(r.Key)
					all = append(all, c)
				}
			})
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			offset = max(offset, batch.Next)
			if memory != nil {
				memory.Release()
			}
		}
		f.Release()
	}
	return all
}

func TestProduceAndFetch(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		client := cluster.Client(t)
		for _, codec := range []kafka.Compression{kafka.None, kafka.Snappy, kafka.LZ4, kafka.Zstd} {
			t.Run(codec.String(), func(t *testing.T) {
				topic := cluster.Topic(t, 2)
				p := newProducer(t, client, func(c *kafka.ProducerConfig) { c.Compression = codec })
				var records []kafka.Record
				for i := range 40 {
					r := kafka.Record{
						Topic: topic, Partition: int32(i % 2), Timestamp: 1_700_000_000_000 + int64(i%7),
						Value: bytes.Repeat(fmt.Appendf(nil, "value %d ", i), i*i+1),
					}
					if i%3 == 0 {
						r.Key = fmt.Appendf(nil, "key %d", i)
						r.Headers = []kafka.Header{{"a", []byte("x")}, {"empty", []byte{}}, {"null", nil}}
					}
					records = append(records, r)
				}
				if err := p.Produce(t.Context(), records); err != nil {
					t.Fatal(err)
				}
				for partition := range int32(2) {
					got := read(t, client, topic, partition)
					if len(got) != 20 {
						t.Fatalf("partition %d has %d records, want 20", partition, len(got))
					}
					for j, g := range got {
						want := records[2*j+int(partition)]
						if !bytes.Equal(g.Value, want.Value) || !bytes.Equal(g.Key, want.Key) || (g.Key == nil) != (want.Key == nil) {
							t.Errorf("record %d differs: key %q, %d bytes", j, g.Key, len(g.Value))
						}
						if g.Timestamp != want.Timestamp || g.Offset != int64(j) {
							t.Errorf("record %d: timestamp %d, offset %d", j, g.Timestamp, g.Offset)
						}
					}
				}
				// The other implementation of the format agrees.
				readWithKafkaGo(t, client, topic, records)
			})
		}
	})
}

func readWithKafkaGo(t *testing.T, client *kafka.Client, topic string, want []kafka.Record) {
	t.Helper()
	for n := 0; n < 20; {
		f, err := client.API().Fetch(t.Context(), &kafkago.FetchRequest{
			Topic: topic, Partition: 0, Offset: int64(n), MinBytes: 1, MaxBytes: 8 << 20, MaxWait: time.Second,
		})
		if err == nil {
			err = f.Error
		}
		if err != nil {
			t.Fatal(err)
		}
		for {
			r, err := f.Records.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			value, err := kafkago.ReadAll(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			w := want[2*n]
			if !bytes.Equal(value, w.Value) || len(r.Headers) != len(w.Headers) || r.Time.UnixMilli() != w.Timestamp {
				t.Fatalf("kafka-go reads record %d differently", n)
			}
			for i := range r.Headers {
				if r.Headers[i].Key != w.Headers[i].Key || !bytes.Equal(r.Headers[i].Value, w.Headers[i].Value) {
					t.Fatalf("kafka-go reads header %d of record %d differently", i, n)
				}
			}
			n++
		}
	}
}

// TestProduceOrder has many callers and small requests: every caller's records
// must be there once and in the order in which it produced them.
func TestProduceOrder(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		client := cluster.Client(t)
		topic := cluster.Topic(t, 3)
		p := newProducer(t, client, func(c *kafka.ProducerConfig) { c.MaxBatch, c.MaxRequest = 2<<10, 4<<10 })
		const callers, each = 24, 60
		var wg sync.WaitGroup
		for caller := range callers {
			wg.Go(func() {
				for i := range each {
					v := binary.BigEndian.AppendUint32(nil, uint32(caller))
					v = binary.BigEndian.AppendUint32(v, uint32(i))
					v = append(v, make([]byte, 300)...)
					if err := p.Produce(t.Context(), []kafka.Record{{Topic: topic, Partition: int32(caller % 3), Value: v}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		next := make([]uint32, callers)
		for partition := range int32(3) {
			for _, r := range read(t, client, topic, partition) {
				caller, i := binary.BigEndian.Uint32(r.Value), binary.BigEndian.Uint32(r.Value[4:])
				if next[caller] != i {
					t.Fatalf("caller %d: record %d came, want %d", caller, i, next[caller])
				}
				next[caller]++
			}
		}
		for caller, n := range next {
			if n != each {
				t.Errorf("caller %d: %d records, want %d", caller, n, each)
			}
		}
	})
}

func TestProduceRetries(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.UnknownServerError, kerr.KafkaStorageError, kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.RequestTimedOut} {
		t.Run(code.Message, func(t *testing.T) {
			cluster := kafkatest.Embedded(t)
			client, topic := cluster.Client(t), cluster.Topic(t, 1)
			p := newProducer(t, client, nil)
			left := 3
			cluster.Fake.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
				if left == 0 {
					return nil, nil, false
				}
				left--
				cluster.Fake.KeepControl()
				return produceError(r, code), nil, true
			})
			if err := p.Produce(t.Context(), []kafka.Record{{Topic: topic, Value: []byte("x")}}); err != nil {
				t.Fatal(err)
			}
			if left != 0 {
				t.Errorf("%d errors were not seen", left)
			}
			if got := len(read(t, client, topic, 0)); got != 1 {
				t.Errorf("%d records, want 1", got)
			}
		})
	}
}

func produceError(r kmsg.Request, code *kerr.Error) kmsg.Response {
	request := r.(*kmsg.ProduceRequest)
	response := request.ResponseKind().(*kmsg.ProduceResponse)
	for _, rt := range request.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.ErrorCode = rp.Partition, code.Code
			t.Partitions = append(t.Partitions, part)
		}
		response.Topics = append(response.Topics, t)
	}
	return response
}

func TestProduceRefused(t *testing.T) {
	cluster := kafkatest.Embedded(t)
	client, topic := cluster.Client(t), cluster.Topic(t, 1)
	p := newProducer(t, client, nil)
	cluster.Fake.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		return produceError(r, kerr.MessageTooLarge), nil, true
	})
	if err := p.Produce(t.Context(), []kafka.Record{{Topic: topic, Value: []byte("x")}}); !errors.Is(err, kafka.ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	large := make([]byte, 2<<20)
	if err := p.Produce(t.Context(), []kafka.Record{{Topic: topic, Value: large}}); !errors.Is(err, kafka.ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	if err := p.Produce(t.Context(), []kafka.Record{{Topic: topic, Value: []byte("x")}}); err != nil {
		t.Errorf("after errors: %v", err)
	}
}

func TestProduceUnknownTopic(t *testing.T) {
	cluster := kafkatest.Embedded(t)
	client, topic := cluster.Client(t), cluster.Topic(t, 1)
	p := newProducer(t, client, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	missing := make(chan error, 1)
	go func() { missing <- p.Produce(ctx, []kafka.Record{{Topic: "no-such-topic", Value: []byte("x")}}) }()
	// A topic that is not there does not hold up one that is.
	if err := p.Produce(t.Context(), []kafka.Record{{Topic: topic, Value: []byte("x")}}); err != nil {
		t.Error(err)
	}
	if err := <-missing; !errors.Is(err, kafka.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want ErrUnavailable and the deadline", err)
	}
}

// TestAbandonedMemory lets callers give up while their records are queued, being
// encoded and under way, and overwrites the memory as soon as Produce returns.
// The race detector watches; what is stored must never be a mixture.
func TestAbandonedMemory(t *testing.T) {
	cluster := kafkatest.Embedded(t)
	client, topic := cluster.Client(t), cluster.Topic(t, 2)
	p := newProducer(t, client, nil)
	slow := 0
	cluster.Fake.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.Fake.KeepControl()
		slow++
		switch slow % 4 {
		case 0:
			return produceError(r, kerr.NotEnoughReplicas), nil, true
		case 1:
			cluster.Fake.SleepControl(func() { time.Sleep(5 * time.Millisecond) })
		}
		return nil, nil, false
	})
	var wg sync.WaitGroup
	var acknowledged sync.Map
	for caller := range 16 {
		wg.Go(func() {
			value := make([]byte, 64<<10)
			for i := range 20 {
				fill := byte(1 + (caller*20+i)%254)
				for j := range value {
					value[j] = fill
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(caller+i)%9)*time.Millisecond)
				err := p.Produce(ctx, []kafka.Record{{Topic: topic, Partition: int32(caller % 2), Value: value}})
				cancel()
				clear(value)
				if err == nil {
					acknowledged.Store(caller*20+i, fill)
				} else if !errors.Is(err, kafka.ErrUnavailable) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	stored := 0
	for partition := range int32(2) {
		for _, r := range read(t, client, topic, partition) {
			stored++
			if r.Value[0] == 0 || !bytes.Equal(r.Value, bytes.Repeat(r.Value[:1], len(r.Value))) {
				t.Fatal("a stored record is not what a caller produced")
			}
		}
	}
	want := 0
	acknowledged.Range(func(any, any) bool { want++; return true })
	if stored < want {
		t.Errorf("%d records are stored, %d were acknowledged", stored, want)
	}
}

func TestProduceFull(t *testing.T) {
	cluster := kafkatest.Embedded(t)
	client, topic := cluster.Client(t), cluster.Topic(t, 1)
	p := newProducer(t, client, func(c *kafka.ProducerConfig) { c.MaxBatch, c.MaxRequest, c.MaxBuffered = 1<<10, 1<<10, 4<<10 })
	release := make(chan struct{})
	cluster.Fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.Fake.KeepControl()
		cluster.Fake.SleepControl(func() { <-release })
		return nil, nil, false
	})
	var wg sync.WaitGroup
	outcomes := make(chan error, 10)
	for range 10 {
		wg.Go(func() {
			outcomes <- p.Produce(t.Context(), []kafka.Record{{Topic: topic, Value: make([]byte, 900)}})
		})
	}
	full := 0
	for range 6 { // four fit
		if err := <-outcomes; !errors.Is(err, kafka.ErrFull) {
			t.Fatalf("got %v, want ErrFull", err)
		}
		full++
	}
	close(release)
	wg.Wait()
	close(outcomes)
	for err := range outcomes {
		if err != nil {
			t.Error(err)
		}
	}
	if got := len(read(t, client, topic, 0)); got+full != 10 {
		t.Errorf("%d stored and %d refused, want 10 together", got, full)
	}
}

func TestProducerClose(t *testing.T) {
	cluster := kafkatest.Embedded(t)
	client, topic := cluster.Client(t), cluster.Topic(t, 1)
	p := newProducer(t, client, nil)
	cluster.Fake.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.Fake.KeepControl()
		return produceError(r, kerr.NotEnoughReplicas), nil, true
	})
	outcome := make(chan error, 1)
	go func() { outcome <- p.Produce(t.Context(), []kafka.Record{{Topic: topic, Value: []byte("x")}}) }()
	time.Sleep(50 * time.Millisecond)
	p.Close()
	if err := <-outcome; !errors.Is(err, kafka.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if err := p.Produce(t.Context(), []kafka.Record{{Topic: topic, Value: []byte("x")}}); !errors.Is(err, kafka.ErrUnavailable) {
		t.Errorf("after Close: got %v, want ErrUnavailable", err)
	}
}

// TestProduceDuringRestart produces without pause while the broker goes away
// and comes back, on the same port and directory.
func TestProduceDuringRestart(t *testing.T) {
	dir := t.TempDir()
	cluster := kafkatest.Embedded(t, kfake.DataDir(dir))
	client, topic := cluster.Client(t), cluster.Topic(t, 2)
	p := newProducer(t, client, nil)
	var port int
	if _, err := fmt.Sscanf(cluster.Addrs[0], "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var acknowledged [8]int
	for caller := range acknowledged {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				v := binary.BigEndian.AppendUint32(nil, uint32(caller))
				v = binary.BigEndian.AppendUint32(v, uint32(i))
				if err := p.Produce(t.Context(), []kafka.Record{{Topic: topic, Partition: int32(caller % 2), Value: v}}); err != nil {
					t.Error(err)
					return
				}
				acknowledged[caller] = i + 1
			}
		})
	}
	for range 3 {
		time.Sleep(200 * time.Millisecond)
		cluster.Fake.Close()
		time.Sleep(100 * time.Millisecond)
		cluster = kafkatest.Embedded(t, kfake.DataDir(dir), kfake.Ports(port))
	}
	time.Sleep(200 * time.Millisecond)
	close(stop)
	wg.Wait()
	seen := map[[2]uint32]bool{}
	for partition := range int32(2) {
		for _, r := range read(t, client, topic, partition) {
			seen[[2]uint32{binary.BigEndian.Uint32(r.Value), binary.BigEndian.Uint32(r.Value[4:])}] = true
		}
	}
	total := 0
	for caller, n := range acknowledged {
		total += n
		for i := range n {
			if !seen[[2]uint32{uint32(caller), uint32(i)}] {
				t.Fatalf("caller %d: acknowledged record %d is not stored", caller, i)
			}
		}
	}
	if total < 100 {
		t.Errorf("only %d records were acknowledged", total)
	}
}

// TestProduceLeaderGivesUp lets the caller that sends for others run out of time
// while the broker is slow: it returns, and what the others gave is written.
func TestProduceLeaderGivesUp(t *testing.T) {
	cluster := kafkatest.Embedded(t)
	client, topic := cluster.Client(t), cluster.Topic(t, 1)
	p := newProducer(t, client, nil)
	record := func(text string) []kafka.Record { return []kafka.Record{{Topic: topic, Value: []byte(text)}} }
	if err := p.Produce(t.Context(), record("warm")); err != nil {
		t.Fatal(err) // the next caller finds a connection
	}
	slow, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	cluster.Fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		once.Do(func() {
			cluster.Fake.SleepControl(func() { close(slow); <-answer })
		})
		return nil, nil, false
	})
	leaving, leave := context.WithCancel(t.Context())
	left, stayed := make(chan error, 1), make(chan error, 1)
	go func() { left <- p.Produce(leaving, record("leader")) }()
	<-slow
	go func() { stayed <- p.Produce(t.Context(), record("behind")) }()
	leave()
	if err := <-left; !errors.Is(err, kafka.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v, want ErrUnavailable and why", err)
	}
	close(answer)
	if err := <-stayed; err != nil {
		t.Errorf("who waited got %v", err)
	}
	var values []string
	for _, r := range read(t, client, topic, 0) {
		values = append(values, string(r.Value))
	}
	if got := fmt.Sprint(values); got != "[warm leader behind]" {
		t.Errorf("stored are %s", got)
	}
}

// TestProduceHandsOver has many callers at once over few requests: whoever
// sends goes when his own record is settled, and somebody else goes on.
func TestProduceHandsOver(t *testing.T) {
	cluster := kafkatest.Embedded(t)
	client, topic := cluster.Client(t), cluster.Topic(t, 3)
	p := newProducer(t, client, nil)
	const callers, each = 24, 50
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := range each {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				err := p.Produce(ctx, []kafka.Record{
					{Topic: topic, Partition: int32(caller % 3), Value: []byte{byte(caller), byte(i)}},
					{Topic: topic, Partition: int32((caller + i) % 3), Value: []byte{byte(caller), byte(i)}},
				})
				cancel()
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	stored := 0
	for partition := range int32(3) {
		stored += len(read(t, client, topic, partition))
	}
	if stored != 2*callers*each {
		t.Errorf("%d records are stored, want %d", stored, 2*callers*each)
	}
}
