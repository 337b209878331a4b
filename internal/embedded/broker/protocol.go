package broker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// versionRange is the oldest and newest version of a request that is served.
type versionRange struct{ min, max int16 }

// served are the requests that reach the broker. Anything else ends the
// connection: the broker's own handling of requests outside of what kafka-go,
// franz-go, librdkafka and the Java client use is not to be relied upon.
//
// All but one end at the last version before the "flexible" ones of Kafka 2.4:
// with those, the decoder behind takes a count of tags from the client and
// counts down from it, so that a request of 30 bytes costs half a minute of a
// processor. Clients of every later release take these versions. The exception
// is followed by hand, see walkInitProducerID: with an older version at the
// end, the broker would treat idempotent producers as Kafka did before 2.5.
//
// There are no transactions, no quotas and no access control lists; retention
// belongs to the keeper.
var served = map[kmsg.Key]versionRange{
	kmsg.Produce:                 {3, 8},
	kmsg.Fetch:                   {4, 11},
	kmsg.ListOffsets:             {0, 5},
	kmsg.Metadata:                {0, 8},
	kmsg.OffsetCommit:            {0, 7},
	kmsg.OffsetFetch:             {0, 5},
	kmsg.FindCoordinator:         {0, 2},
	kmsg.JoinGroup:               {0, 5},
	kmsg.Heartbeat:               {0, 3},
	kmsg.LeaveGroup:              {0, 3},
	kmsg.SyncGroup:               {0, 3},
	kmsg.DescribeGroups:          {0, 4},
	kmsg.ListGroups:              {0, 2},
	kmsg.ApiVersions:             {0, 2},
	kmsg.CreateTopics:            {0, 4},
	kmsg.DeleteTopics:            {0, 3},
	kmsg.DeleteRecords:           {0, 1},
	kmsg.InitProducerID:          {0, 4},
	kmsg.OffsetForLeaderEpoch:    {3, 3},
	kmsg.DescribeConfigs:         {0, 3},
	kmsg.CreatePartitions:        {0, 1},
	kmsg.DeleteGroups:            {0, 1},
	kmsg.IncrementalAlterConfigs: {0, 0},
	kmsg.OffsetDelete:            {0, 0},
}

// servedVersions is served in the form that the broker advertises.
func servedVersions() *kversion.Versions {
	versions := kversion.Stable()
	versions.EachMaxKeyVersion(func(key, _ int16) {
		if _, ok := served[kmsg.Key(key)]; !ok {
			versions.SetMaxKeyVersion(key, -1)
		}
	})
	for key, r := range served {
		versions.SetMaxKeyVersion(int16(key), r.max)
	}
	return versions
}

// Limits of one request. Decoding allocates up to a hundred bytes for every
// byte of an array that lies about its length, hence the smaller limit for
// requests that are decoded to be checked.
const (
	maxProduceRequest = 16 << 20
	maxOtherRequest   = 1 << 20
	// maxBatches bounds the partitions of one produce request.
	maxBatches = 4096
)

var (
	errNotServed = errors.New("the request is of a kind or version that is not served")
	errTooLarge  = errors.New("the request is too large")
	errMalformed = errors.New("the request is malformed")
)

// requestHeader is the part of a request before its body.
type requestHeader struct {
	key     kmsg.Key
	version int16
}

// headerSize is the size of the fixed part: key, version and correlation id.
const headerSize = 8

// parseHeader reads the fixed part of a request and checks what it announces
// against the limits. Size is the size of the whole request.
func parseHeader(fixed []byte, size int, maxRecord int) (requestHeader, error) {
	h := requestHeader{
		key:     kmsg.Key(binary.BigEndian.Uint16(fixed)),
		version: int16(binary.BigEndian.Uint16(fixed[2:])),
	}
	r, ok := served[h.key]
	if !ok || h.version < r.min || h.version > r.max && h.key != kmsg.ApiVersions {
		return h, fmt.Errorf("%w: %s version %d", errNotServed, kmsg.NameForKey(int16(h.key)), h.version)
	}
	limit := maxOtherRequest
	if h.key == kmsg.Produce {
		limit = max(maxProduceRequest, maxRecord+maxOtherRequest)
	}
	if size > limit {
		return h, fmt.Errorf("%w: %s of %d bytes", errTooLarge, kmsg.NameForKey(int16(h.key)), size)
	}
	return h, nil
}

// newerVersions is the request that stands in for any ApiVersions request of a
// version that is not served, whose body is not even looked at. The broker
// answers it as Kafka does, in the oldest form with the versions that it has.
var newerVersions = []byte{
	0, 18, 0, 3, 0, 0, 0, 0, // key, version, correlation id
	0xff, 0xff, 0, // client id, tags
	8, 'g', 'o', 's', 'h', 'a', 'w', 'k', 2, '1', 0, // software, version, tags
}

// standIn returns newerVersions in answer to the request.
func standIn(request []byte) []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(newerVersions)))
	frame = append(frame, newerVersions...)
	copy(frame[4+4:], request[4:headerSize])
	return frame
}

// checkRequest reports whether the broker can decode the request. The broker
// itself decodes in a goroutine that nothing can recover.
func checkRequest(h requestHeader, request []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %s version %d: %v", errMalformed, kmsg.NameForKey(int16(h.key)), h.version, r)
		}
	}()
	decoded := kmsg.RequestForKey(int16(h.key))
	if decoded == nil {
		return errNotServed
	}
	decoded.SetVersion(h.version)
	malformed := func() error {
		return fmt.Errorf("%w: %s version %d", errMalformed, kmsg.NameForKey(int16(h.key)), h.version)
	}
	reader := kbin.Reader{Src: request[headerSize:]}
	reader.UnsafeNullableString() // client id
	if !reader.Ok() {
		return malformed()
	}
	switch {
	case h.key == kmsg.Produce:
		if !walkProduce(&reader) {
			return malformed()
		}
	case h.key == kmsg.InitProducerID && decoded.IsFlexible():
		if !walkInitProducerID(&reader, h.version) {
			return malformed()
		}
	case decoded.IsFlexible():
		return errNotServed
	default:
		if err := decoded.ReadFrom(reader.Src); err != nil {
			return malformed()
		}
	}
	return nil
}

// walkInitProducerID follows the structure of the request from the tags of its
// header on, of which there may be none.
func walkInitProducerID(r *kbin.Reader, version int16) bool {
	if r.Uvarint() != 0 {
		return false
	}
	r.CompactNullableString() // transactional id
	r.Int32()                 // timeout
	if version >= 3 {
		r.Int64() // producer id
		r.Int16() // producer epoch
	}
	return r.Uvarint() == 0 && r.Ok()
}

// walkProduce follows the structure of a produce request without allocating.
func walkProduce(r *kbin.Reader) bool {
	r.UnsafeNullableString() // transactional id
	r.Int16()                // acks
	r.Int32()                // timeout
	batches := 0
	topics := r.ArrayLen()
	if topics > maxBatches {
		return false
	}
	for range topics {
		r.UnsafeString()
		partitions := r.ArrayLen()
		if batches += int(partitions); !r.Ok() || batches > maxBatches {
			return false
		}
		for range partitions {
			r.Int32()
			r.NullableBytes()
		}
	}
	return r.Ok()
}
