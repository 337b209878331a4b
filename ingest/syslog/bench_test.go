package syslog

import (
	"testing"

	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
)

// BenchmarkAdd parses messages and adds them to a batch.
func BenchmarkAdd(b *testing.B) {
	for name, text := range map[string]string{
		"5424":       `<165>1 2026-11-21T11:59:59.003123Z web-1 nginx 4711 ID47 - request 4711 of user 42 took 17 ms and was answered with status 200 from cache node abcdefghijklmnopqrstuvwxyz`,
		"structured": `<165>1 2026-11-21T11:59:59.003123Z web-1 nginx 4711 ID47 [x@32473 iut="3" source="application" id="1011"] request 4711 of user 42 took 17 ms`,
		"3164":       `<34>Nov 21 11:59:59 web-1 sshd[4711]: Accepted publickey for root from 203.0.113.7 port 51234 ssh2: ED25519 SHA256:abcdefghijklmnopqrstuvwxyz`,
	} {
		b.Run(name, func(b *testing.B) {
			s := newServer(b, topictest.NewRecorder(), nil)
			h, ctx, message := s.shards[0], b.Context(), []byte(text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				h.add(ctx, message, nil, false, noon)
				if open := h.batch; open.size > 800<<10 {
					open.clear()
				}
			}
		})
	}
}
