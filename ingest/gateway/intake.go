package gateway

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Producer is the way into Kafka. It is safe for concurrent use.
type Producer interface {
	// Partitions returns how many partitions the topic has.
	Partitions(ctx context.Context, topic string) (int, error)
	// Produce writes the parts and returns nil only when Kafka acknowledged all
	// of them. The parts and their values belong to the producer until it
	// returns. An error wraps [topic.ErrFull] where the producer's buffers have
	// no room, [topic.ErrRefused] where Kafka will never take the parts, and
	// [topic.ErrUnavailable] where it did not acknowledge in time.
	Produce(ctx context.Context, parts []topic.Part) error
}

// intake is what all protocols have in common: it turns the body of an OTLP
// request into Kafka records and waits until they are safe.
type intake struct {
	producer Producer
	topics   [len(telemetry.Signals)]string
	limits   otlp.Limits
	timeout  time.Duration
	memory   *memory
	// maxOutput bounds what the splitter of another format makes of a request.
	maxOutput int64
	metrics   *metrics
	log       *slog.Logger
	// quiet keeps a broker that is away from filling the log.
	quiet quiet
	// lastSafe is when Kafka last acknowledged anything, and lastUnsafe when a
	// request was last refused because Kafka was away; Unix nanoseconds.
	lastSafe, lastUnsafe atomic.Int64
	// away is set while the broker does not answer. Requests are then refused
	// at once, instead of holding memory until they time out.
	away atomic.Bool

	works *works // for OTLP
}

// works are the splitters of one format that wait to be used again.
type works struct {
	new  func() *work
	pool sync.Pool // of *work
}

// work is the memory that one request needs besides its body.
type work struct {
	splitter Splitter
	budget   *budget
	parts    []topic.Part
}

func newWorks(m *memory, limit int64, splitter func(*budget) Splitter) *works {
	return &works{new: func() *work {
		b := &budget{memory: m, limit: limit}
		return &work{splitter: splitter(b), budget: b}
	}}
}

func (ws *works) get() *work {
	if w, ok := ws.pool.Get().(*work); ok {
		return w
	}
	return ws.new()
}

// put ends the use of a work: its memory counts as free, and what the splitter
// holds of the body is let go of, or the pool would keep it.
func (ws *works) put(w *work) {
	w.splitter.Reset()
	w.budget.free()
	ws.pool.Put(w)
}

// budget is what one request may use for output, and how much of that it uses.
type budget struct {
	memory         *memory
	limit, claimed int64
}

func (b *budget) claim(n int64) error {
	if n > b.limit-b.claimed {
		return refuse(tooLarge, "the body becomes too large when it is converted")
	}
	if !b.memory.reserve(n) {
		return errOverloaded
	}
	b.claimed += n
	return nil
}

func (b *budget) free() {
	b.memory.free(b.claimed)
	b.claimed = 0
}

// otlpSplitter cuts bodies that are OTLP. The parts of a request that has to be
// cut are a copy of it.
type otlpSplitter struct {
	*otlp.Splitter
	budget *budget
}

func (s *otlpSplitter) Split(signal telemetry.Signal, body []byte, partitions int, received int64) error {
	if err := s.budget.claim(int64(len(body))); err != nil {
		return err
	}
	if err := s.Splitter.Split(signal, body, partitions, received); err != nil {
		return err
	}
	if parts := s.Parts(); len(parts) == 1 && len(parts[0].Value) == len(body) {
		s.budget.free() // the only part is the body itself
	}
	return nil
}

func (in *intake) otlpWorks() *works {
	return newWorks(in.memory, math.MaxInt64, func(b *budget) Splitter {
		return &otlpSplitter{Splitter: otlp.NewSplitter(in.limits), budget: b}
	})
}

// result is what the sender of a request is told.
type result struct {
	outcome outcome
	// message says what is wrong; it is empty where nothing is.
	message string
	// rejected is the number of events that were refused in a partial success.
	rejected int64
	// header are fields of the answer and body is its body, where a splitter words
	// them.
	header http.Header
	body   []byte
}

// delivery is a body that is to be delivered.
type delivery struct {
	// route and request are nil where nothing but the body matters.
	route   *Route
	request *http.Request
	signal  telemetry.Signal
	tenant  string
	body    []byte
}

// deliver takes the body of one Export request of the tenant.
func (in *intake) deliver(sender context.Context, signal telemetry.Signal, tenant string, body []byte) result {
	return in.deliverBy(sender, in.works, delivery{signal: signal, tenant: tenant, body: body})
}

// deliverBy takes a body that the splitters of ws cut. It keeps nothing of the
// body after it returns. The context of the sender ends when nobody waits for
// the answer any more.
func (in *intake) deliverBy(sender context.Context, ws *works, d delivery) result {
	if in.away.Load() {
		return result{outcome: unavailable, message: "kafka cannot be reached; send again later"}
	}
	ctx, cancel := context.WithTimeout(sender, in.timeout)
	defer cancel()

	w := ws.get()
	defer ws.put(w)
	received := time.Now().UnixNano()
	identity, err := w.split(ctx, in, &d, received)
	var away *awayError
	switch {
	case errors.As(err, &away):
		return in.notSafe(sender, away.error)
	case err != nil:
		var r *refusal
		if errors.As(err, &r) {
			return refused(r)
		}
		return result{outcome: malformed, message: err.Error()}
	}
	if parts := w.splitter.Parts(); len(parts) > 0 {
		same := d.body
		if s, ok := w.splitter.(IdentifiedSplitter); ok {
			same = s.Identity()
		}
		id := topic.RequestID(d.tenant+identity, same)
		mixed, _ := w.splitter.(MixedSplitter)
		w.parts = w.parts[:0]
		for i, p := range parts {
			signal := d.signal
			if mixed != nil {
				signal = mixed.SignalOf(i)
			}
			w.parts = append(w.parts, topic.Part{
				Topic:     in.topics[signal],
				Partition: int32(p.Partition),
				Value:     p.Value,
				Tenant:    d.tenant,
				BatchID:   id.Part(i),
				Received:  received,
				Events:    p.Events,
			})
		}
		err := in.producer.Produce(ctx, w.parts)
		clear(w.parts) // let go of the body
		if err != nil {
			return in.notSafe(sender, err)
		}
		in.lastSafe.Store(time.Now().UnixNano())
	}
	return in.safe(d.signal, w.splitter)
}

// awayError says that Kafka could not be asked.
type awayError struct{ error }

// split has the splitter cut the body. It returns what tells the request from
// others with the same body.
func (w *work) split(ctx context.Context, in *intake, d *delivery, received int64) (identity string, err error) {
	if s, ok := w.splitter.(RequestSplitter); ok && d.request != nil {
		if identity, err = s.Describe(d.request); err != nil {
			return "", err
		}
		identity = "\x00" + identity
	}
	var partitions [len(telemetry.Signals)]int
	ask := func(signal telemetry.Signal) {
		if err == nil {
			if partitions[signal], err = in.producer.Partitions(ctx, in.topics[signal]); err != nil {
				err = &awayError{err}
			}
		}
	}
	ask(d.signal)
	mixed, ok := w.splitter.(MixedSplitter)
	if !ok {
		if err != nil {
			return "", err
		}
		return identity, w.splitter.Split(d.signal, d.body, partitions[d.signal], received)
	}
	for _, signal := range d.route.Also {
		ask(signal)
	}
	if err != nil {
		return "", err
	}
	return identity, mixed.SplitMixed(d.body, partitions, received)
}

// safe counts and answers a request whose accepted events Kafka has.
func (in *intake) safe(signal telemetry.Signal, s Splitter) result {
	if mixed, ok := s.(MixedSplitter); ok {
		for _, each := range telemetry.Signals {
			in.metrics.accepted[each].Add(float64(mixed.AcceptedOf(each)))
		}
	} else {
		in.metrics.accepted[signal].Add(float64(s.Accepted()))
	}
	res := result{outcome: accepted, rejected: s.Rejected(), message: s.Message()}
	if h, ok := s.(HeaderSplitter); ok {
		res.header = h.Header()
	}
	if a, ok := s.(WordedSplitter); ok {
		res.body = a.Answer()
	}
	if res.rejected > 0 {
		res.outcome = partial
		for reason, events := range s.RejectedBy() {
			in.metrics.reject(signal, reason, events)
		}
	}
	return res
}

// notSafe answers a request that Kafka did not acknowledge, and so may or may
// not have: the sender has to repeat it, and a repeat is recognised by its id.
func (in *intake) notSafe(sender context.Context, err error) result {
	if sender.Err() != nil {
		return result{outcome: clientGone, message: "the sender did not wait for the answer"}
	}
	in.quiet.warn(in.log, "telemetry is refused because kafka does not take it", "error", err)
	switch {
	case errors.Is(err, topic.ErrFull):
		return result{outcome: overloaded, message: "the buffers in front of kafka are full; send again later"}
	case errors.Is(err, topic.ErrRefused):
		return result{outcome: internalError, message: "kafka refused the records; the log of the gateway says why"}
	}
	in.lastUnsafe.Store(time.Now().UnixNano())
	return result{outcome: unavailable, message: "kafka did not acknowledge in time; send again later"}
}
