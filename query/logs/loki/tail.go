package loki

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/traces"
)

// Limits of following.
const (
	maxDelay = 5 * time.Second
	poll     = time.Second
	// late is how far back every look goes: lines are stored a while after their
	// time, and not in its order.
	late = 10 * time.Second
	// writeTimeout is how long a client may take for one answer.
	writeTimeout = 10 * time.Second
)

// tail answers /tail: lines as they come, over a WebSocket.
func (a *API) tail(w http.ResponseWriter, r *http.Request, tenant string) {
	p := parametersOf(w, r)
	cfg := a.store.Config()
	text := p.get("query")
	start := p.time("start", p.now.Add(-cfg.Lookback).UnixNano())
	limit := p.limit("limit", defaultLimit, cfg.MaxEntries, "query.logs.max_entries")
	var delay time.Duration
	if p.get("delay_for") != "" && p.get("delay_for") != "0" {
		delay = p.duration("delay_for")
	}
	if delay > maxDelay {
		p.fail("delay_for: %s is more than %s", delay, maxDelay)
	}
	e, err := logql.Parse(text)
	if p.err != nil {
		err = p.err
	}
	lines, ok := e.(*logql.LogExpr)
	if err == nil && !ok {
		err = logs.Invalid("only a query for lines can be followed")
	}
	if err != nil {
		status, message := a.store.Worded(r.Context(), err)
		refuse(w, status, message)
		return
	}
	end, ok := a.store.Follow()
	if !ok {
		refuse(w, http.StatusTooManyRequests, "too many clients follow logs (query.logs.max_tails)")
		return
	}
	defer end()
	// Which pages may ask was checked by the service, as for every request.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // it answered
	}
	t := &tailer{api: a, tenant: tenant, conn: conn, query: lines, limit: limit, delay: delay, since: start, seen: map[string]int{}}
	t.run(conn.CloseRead(r.Context()))
}

// tailer follows logs for one client.
type tailer struct {
	api    *API
	tenant string
	conn   *websocket.Conn
	query  *logql.LogExpr
	limit  int
	delay  time.Duration
	// since is the time of the oldest lines that may still come, Unix nanoseconds.
	since int64
	// seen counts the lines from there on that were sent, by time, labels and text.
	seen map[string]int
}

func (t *tailer) run(ctx context.Context) {
	defer func() { _ = t.conn.CloseNow() }() // the client is gone, or was told why
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		if err := t.look(ctx); err != nil {
			if ctx.Err() == nil {
				_, message := t.api.store.Worded(ctx, err)
				if len(message) > 120 {
					message = message[:120] // what a frame holds
				}
				_ = t.conn.Close(websocket.StatusInternalError, message) // the client may be gone
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look reads what came since, and sends what was not sent yet: at most as many
// lines as the limit says; of older ones it says that they were dropped.
func (t *tailer) look(ctx context.Context) error {
	now := time.Now().UnixNano()
	until := now - int64(t.delay)
	reader := t.api.store.For(t.tenant)
	var found []logs.Line
	most := t.api.store.Config().MaxEntries
	err := t.api.store.Do(ctx, "loki/tail", reader, func(ctx context.Context) (err error) {
		found, err = reader.Find(ctx, logs.Search{Query: t.query, In: logs.Range{From: t.since, To: until}, Limit: most})
		return err
	})
	if err != nil {
		return err
	}
	fresh, seen := t.fresh(found)
	t.seen = seen
	if since := until - int64(late); since > t.since {
		t.since = since
		for key := range t.seen {
			if timeOfKey(key) < since {
				delete(t.seen, key)
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	// They are newest first.
	sent, dropped := fresh[:min(t.limit, len(fresh))], fresh[min(t.limit, len(fresh)):]
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return t.conn.Write(ctx, websocket.MessageText, message(sent, dropped))
}

// fresh returns the lines that were not sent yet, and how often each was found.
func (t *tailer) fresh(found []logs.Line) (fresh []logs.Line, seen map[string]int) {
	seen = make(map[string]int, len(found))
	for i := range found {
		key := keyOf(&found[i])
		if seen[key]++; seen[key] > t.seen[key] {
			fresh = append(fresh, found[i])
		}
	}
	for key, n := range t.seen { // a part may be away for a moment
		seen[key] = max(seen[key], n)
	}
	return fresh, seen
}

// keyOf is a text that only the same line has. It begins with the time.
func keyOf(l *logs.Line) string {
	b := make([]byte, 8, 64+len(l.Text))
	for i := range 8 {
		b[i] = byte(l.Time >> (56 - 8*i))
	}
	b = append(l.Stream.AppendKey(b), 0xfe)
	b = append(l.Record.AppendKey(b), 0xfe)
	return string(append(b, l.Text...))
}

func timeOfKey(key string) (t int64) {
	for i := range 8 {
		t = t<<8 | int64(key[i])
	}
	return t
}

// message is what a client is sent: streams, and entries that were dropped.
func message(sent, dropped []logs.Line) []byte {
	w := &writer{b: []byte(`{"streams":[`)}
	for i, g := range w.grouped(sent) {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.stream(g)
	}
	w.b = append(w.b, ']')
	if len(dropped) > 0 {
		w.b = append(w.b, `,"dropped_entries":[`...)
		for i := range dropped {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.b = append(w.b, `{"labels":`...)
			w.labels(dropped[i].Stream)
			w.b = append(w.b, `,"timestamp":`...)
			w.b = traces.AppendQuotedInt(w.b, dropped[i].Time)
			w.b = append(w.b, '}')
		}
		w.b = append(w.b, ']')
	}
	return append(w.b, '}')
}
