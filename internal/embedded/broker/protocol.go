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
// Produce ends at the last version that names topics by name. There are no
// transactions, no quotas and no access control lists; time and byte retention
// belong to this package alone.
var served = map[kmsg.Key]versionRange{
	kmsg.Produce:                 {3, 12},
	kmsg.Fetch:                   {4, 18},
	kmsg.ListOffsets:             {0, 10},
	kmsg.Metadata:                {0, 13},
	kmsg.OffsetCommit:            {0, 10},
	kmsg.OffsetFetch:             {0, 10},
	kmsg.FindCoordinator:         {0, 6},
	kmsg.JoinGroup:               {0, 9},
	kmsg.Heartbeat:               {0, 4},
	kmsg.LeaveGroup:              {0, 5},
	kmsg.SyncGroup:               {0, 5},
	kmsg.DescribeGroups:          {0, 6},
	kmsg.ListGroups:              {0, 5},
	kmsg.ApiVersions:             {0, 5},
	kmsg.CreateTopics:            {0, 7},
	kmsg.DeleteTopics:            {0, 6},
	kmsg.DeleteRecords:           {0, 2},
	kmsg.InitProducerID:          {0, 5},
	kmsg.OffsetForLeaderEpoch:    {3, 4},
	kmsg.DescribeConfigs:         {0, 4},
	kmsg.CreatePartitions:        {0, 3},
	kmsg.DeleteGroups:            {0, 3},
	kmsg.IncrementalAlterConfigs: {0, 1},
	kmsg.OffsetDelete:            {0, 0},
	kmsg.DescribeCluster:         {0, 2},
	kmsg.ConsumerGroupHeartbeat:  {0, 1},
	kmsg.ConsumerGroupDescribe:   {0, 1},
	kmsg.DescribeTopicPartitions: {0, 0},
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
	if !ok || h.version < r.min || h.version > r.max {
		// A client that is newer asks for the versions with a version that is
		// too new and takes the answer in the oldest form.
		if h.key != kmsg.ApiVersions || h.version < 0 {
			return h, fmt.Errorf("%w: %s version %d", errNotServed, kmsg.NameForKey(int16(h.key)), h.version)
		}
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
	reader := kbin.Reader{Src: request[headerSize:]}
	reader.NullableString()
	if decoded.IsFlexible() {
		kmsg.SkipTags(&reader)
	}
	if !reader.Ok() {
		return fmt.Errorf("%w: header", errMalformed)
	}
	if h.key == kmsg.Produce {
		if !walkProduce(&reader, h.version) {
			return fmt.Errorf("%w: %s version %d", errMalformed, kmsg.NameForKey(int16(h.key)), h.version)
		}
		return nil
	}
	if err := decoded.ReadFrom(reader.Src); err != nil {
		return fmt.Errorf("%w: %s version %d: %w", errMalformed, kmsg.NameForKey(int16(h.key)), h.version, err)
	}
	return nil
}

// walkProduce follows the structure of a produce request without allocating.
func walkProduce(r *kbin.Reader, version int16) bool {
	flexible := version >= 9
	skipString := func() {
		if flexible {
			r.UnsafeCompactNullableString()
		} else {
			r.UnsafeNullableString()
		}
	}
	length := func() int {
		if flexible {
			return int(r.CompactArrayLen())
		}
		return int(r.ArrayLen())
	}
	skipTags := func() {
		if flexible {
			kmsg.SkipTags(r)
		}
	}
	skipString() // transactional id
	r.Int16()    // acks
	r.Int32()    // timeout
	batches := 0
	topics := length()
	if topics > maxBatches {
		return false
	}
	for range topics {
		skipString()
		partitions := length()
		if batches += partitions; !r.Ok() || batches > maxBatches {
			return false
		}
		for range partitions {
			r.Int32()
			if flexible {
				r.CompactNullableBytes()
			} else {
				r.NullableBytes()
			}
			skipTags()
		}
		skipTags()
	}
	skipTags()
	return r.Ok()
}
