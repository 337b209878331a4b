package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A version with tags would let a client of 30 bytes keep a processor busy.
func TestNoServedVersionHasTags(t *testing.T) {
	for key, r := range served {
		req := kmsg.RequestForKey(int16(key))
		for v := r.min; v <= r.max; v++ {
			req.SetVersion(v)
			if req.IsFlexible() && key != kmsg.InitProducerID {
				t.Errorf("%s version %d", kmsg.NameForKey(int16(key)), v)
			}
		}
	}
}

// The requests that are followed by hand must be taken and refused as the
// decoder would.
func TestWalkersAgreeWithTheDecoder(t *testing.T) {
	produce := kmsg.NewPtrProduceRequest()
	for i := range 3 {
		topic := kmsg.NewProduceRequestTopic()
		topic.Topic = "topic"
		for range i {
			partition := kmsg.NewProduceRequestTopicPartition()
			partition.Records = make([]byte, 10*i)
			topic.Partitions = append(topic.Partitions, partition)
		}
		produce.Topics = append(produce.Topics, topic)
	}
	initProducer := kmsg.NewPtrInitProducerIDRequest()
	initProducer.TransactionalID = kmsg.StringPtr("transaction")
	for _, test := range []struct {
		req  kmsg.Request
		from int16
		walk func(body []byte, version int16) bool
	}{
		{produce, 3, func(body []byte, _ int16) bool { return walkProduce(&kbin.Reader{Src: body}) }},
		{initProducer, 2, func(body []byte, version int16) bool {
			return walkInitProducerID(&kbin.Reader{Src: append([]byte{0}, body...)}, version)
		}},
	} {
		for v := test.from; v <= served[kmsg.Key(test.req.Key())].max; v++ {
			test.req.SetVersion(v)
			body := test.req.AppendTo(nil)
			for n := range len(body) + 1 {
				decoder := kmsg.RequestForKey(test.req.Key())
				decoder.SetVersion(v)
				want := decoder.ReadFrom(body[:n]) == nil
				if got := test.walk(body[:n], v); got != want {
					t.Errorf("%T version %d, the first %d of %d bytes: %v, the decoder says %v", test.req, v, n, len(body), got, want)
				}
			}
		}
	}
}
