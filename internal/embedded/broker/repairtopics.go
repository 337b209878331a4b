package broker

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// clusterID is what clients see as the id of the cluster.
const clusterID = "goshawk"

type storedTopics struct {
	Version int           `json:"version"`
	Topics  []storedTopic `json:"topics"`
}

type storedTopic struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"`
	Partitions int               `json:"partitions"`
	Replicas   int               `json:"replicas"`
	Configs    map[string]string `json:"configs,omitempty"`
}

// repairTopics adds topics and partitions whose directories exist but which
// the list of topics does not know, because it is damaged or could not be
// written on a full disk.
func repairTopics(dir string, partitions map[partitionID][]segment, log *slog.Logger) error {
	path := filepath.Join(dir, topicsFile)
	stored := storedTopics{Version: storedVersion}
	if _, err := readJSON(path, &stored, log); err != nil {
		return err
	}
	index := map[string]int{}
	for i, t := range stored.Topics {
		index[t.Name] = i
	}
	changed := false
	for id := range partitions {
		i, ok := index[id.topic]
		if !ok {
			i = len(stored.Topics)
			index[id.topic] = i
			var random [16]byte
			_, _ = rand.Read(random[:])
			stored.Topics = append(stored.Topics, storedTopic{
				Name: id.topic, ID: base64.StdEncoding.EncodeToString(random[:]), Replicas: 1,
			})
			log.Warn("Kafka log: a topic was found that is in no list; its settings are the defaults now", "topic", id.topic)
		}
		if n := int(id.partition) + 1; n > stored.Topics[i].Partitions {
			stored.Topics[i].Partitions = n
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return writeJSON(path, stored)
}

// An entry of a log of groups or producers: length of what follows the
// checksum, checksum, version, JSON; numbers are little endian.
const frameHeader = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// eachFrame calls f for each whole entry and returns their total size.
func eachFrame(content []byte, f func(json []byte)) int {
	position := 0
	for position+frameHeader <= len(content) {
		length := int(binary.LittleEndian.Uint32(content[position:]))
		end := position + frameHeader + length
		if length < 2 || end > len(content) {
			break
		}
		body := content[position+frameHeader : end]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(content[position+4:]) {
			break
		}
		if f != nil {
			f(body[2:])
		}
		position = end
	}
	return position
}

// repairFrames cuts a log of entries behind the last whole one.
func repairFrames(path string, log *slog.Logger) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the broker's directory: %w", err)
	}
	whole := eachFrame(content, nil)
	if whole == len(content) {
		return nil
	}
	log.Error("Kafka log: cut a damaged end", "file", path, "bytes", len(content)-whole)
	if err := os.WriteFile(path+damaged, content[whole:], 0o600); err != nil {
		log.Warn("Kafka log: the cut end could not be kept", "error", err)
	}
	return os.Truncate(path, int64(whole))
}

// committedOffsets returns the greatest offset that any group has committed.
func committedOffsets(path string) (map[partitionID]int64, error) {
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the broker's directory: %w", err)
	}
	type key struct {
		group string
		id    partitionID
	}
	last := map[key]int64{}
	eachFrame(content, func(text []byte) {
		var entry struct {
			Type   string `json:"type"`
			Group  string `json:"g"`
			Topic  string `json:"t"`
			Part   int32  `json:"p"`
			Offset int64  `json:"o"`
		}
		if json.Unmarshal(text, &entry) != nil {
			return
		}
		k := key{entry.Group, partitionID{entry.Topic, entry.Part}}
		switch entry.Type {
		case "commit":
			last[k] = entry.Offset
		case "delete":
			delete(last, k)
		}
	})
	greatest := map[partitionID]int64{}
	for k, offset := range last {
		greatest[k.id] = max(greatest[k.id], offset)
	}
	return greatest, nil
}
