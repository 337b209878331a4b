package shop

// Span kinds of OTLP.
const (
	kindInternal = 1
	kindServer   = 2
	kindClient   = 3
	kindProducer = 4
	kindConsumer = 5
)

// visit is one request of a visitor, or one message that a consumer processes:
// everything that has one trace id. It is used again for the next.
type visit struct {
	client  *client
	product *product
	items   int
	cents   int64
	order   uint64
	session uint64
	search  string
	path    []byte
	query   []byte
	offset  int64
	trace   traceID
	// link is the producer's span, where a consumer processes its message.
	link     traceID
	linkSpan uint64

	// spans and lines are relative to the beginning of the visit until base is known.
	base  int64
	spans []span
	lines []line
}

// span is one span of a visit.
type span struct {
	operation  *operation
	instance   *instance // whose span it is
	peer       *instance // other side of a call
	id         uint64
	parent     int32 // index, -1 for the root
	start, end int64
	failure    *failure
	code       int32 // HTTP or gRPC status
	kind       uint8
	own        bool // the failure began here: it has the exception
}

// line is a log line of a visit.
type line struct {
	message *message
	span    int32
	at      int64
}

// begin starts a visit with what is the same for every kind.
func (s *Shop) begin() *visit {
	v := &s.visit
	v.spans, v.lines = v.spans[:0], v.lines[:0]
	v.trace = traceID{s.random.uint64(), s.random.uint64()}
	v.link, v.linkSpan = traceID{}, 0
	v.search = ""
	v.path, v.query = v.path[:0], v.query[:0]
	return v
}

func (s *Shop) addSpan(v *visit, o *operation, in, peer *instance, kind uint8, parent int32, at int64) int32 {
	v.spans = append(v.spans, span{operation: o, instance: in, peer: peer, id: s.random.uint64() | 1, parent: parent, start: at, kind: kind})
	return int32(len(v.spans) - 1)
}

// pick chooses an instance of a service.
func (s *Shop) pick(v *service) *instance {
	if len(v.instances) == 1 {
		return v.instances[0]
	}
	return v.instances[s.random.below(len(v.instances))]
}

// network is the time that a message takes from one host to another.
func (s *Shop) network(from, to *host) int64 {
	if from == to {
		return int64(s.random.logNormal(45e3, .3))
	}
	return int64(s.random.logNormal(210e3, .35)) + s.effects.delay[from.index][to.index]
}

// call makes an operation happen, seen from the span that calls it, and returns
// when it is over and how it failed.
func (s *Shop) call(v *visit, caller int32, o *operation, at int64) (int64, *failure) {
	from := v.spans[caller].instance
	switch o.protocol {
	case protocolHTTP, protocolGRPC:
		to := s.pick(o.service)
		c := s.addSpan(v, o, from, to, kindClient, caller, at)
		arrived := at + s.network(from.host, to.host)
		server := s.addSpan(v, o, to, from, kindServer, c, arrived)
		end, failed := s.serve(v, server, arrived)
		end += s.network(to.host, from.host)
		s.close(v, c, end, failed, false)
		return end, failed
	}
	kind := uint8(kindClient)
	switch o.protocol {
	case protocolInternal:
		kind = kindInternal
	case protocolPublish:
		kind = kindProducer
	}
	c := s.addSpan(v, o, from, nil, kind, caller, at)
	duration, failed := s.work(o, from)
	if o.protocol != protocolInternal && o.protocol != protocolExternal {
		duration += 2 * s.network(from.host, s.hosts[data1])
	}
	end := at + duration
	s.close(v, c, end, failed, failed != nil)
	if o.protocol == protocolPublish {
		s.publish(v, &v.spans[c])
	}
	return end, failed
}

// work is how long an operation itself takes, and whether it fails.
func (s *Shop) work(o *operation, in *instance) (int64, *failure) {
	e := &s.effects.operations[o.index]
	d := int64(s.random.logNormal(o.median, o.sigma) * e.slow * s.effects.load)
	if e.failure != nil && s.random.chance(e.fail) {
		return d, e.failure
	}
	if s.random.chance(o.fail) {
		return d, o.failure
	}
	if in.state.failing && s.random.chance(.55) {
		return d, outOfMemory
	}
	return d, nil
}

// serve runs the steps of an operation inside of its span.
func (s *Shop) serve(v *visit, index int32, at int64) (int64, *failure) {
	o, in := v.spans[index].operation, v.spans[index].instance
	own, failed := s.work(o, in)
	s.lines(v, index, o, at, true)

	// An operation that fails by itself does so at some point of its work.
	steps := o.steps
	if failed != nil && len(steps) > 0 && o.fail < 1 {
		steps = steps[:s.random.below(len(steps)+1)]
	}
	gap := own / int64(len(o.steps)+1)
	t := at + gap
	var cause *failure
	latest := t // end of what runs alongside
	for i := range steps {
		step := &steps[i]
		if step.chance < 1 && !s.random.chance(step.chance) {
			continue
		}
		n := step.min
		if step.max > n {
			n += s.random.below(step.max - n + 1)
		}
		begun := t
		for range n {
			end, err := s.call(v, index, step.operation, begun)
			latest = max(latest, end)
			if !step.parallel {
				begun = end
			}
			if err != nil && !step.optional {
				cause = err
				break
			}
		}
		if cause != nil {
			t = latest
			break
		}
		if step.parallel {
			t += gap / 4 // time to start the calls
		} else {
			t = begun + gap
		}
	}
	end := max(t, latest) + gap/2
	if cause == nil && failed == nil {
		s.close(v, index, end, nil, false)
		s.lines(v, index, o, end, false)
		return end, nil
	}
	if cause == nil {
		cause = failed
		s.close(v, index, end, cause, true)
		return end, cause
	}
	s.close(v, index, end, cause, false)
	return end, cause
}

// close ends a span with the status that its protocol gives to the failure.
func (s *Shop) close(v *visit, index int32, end int64, f *failure, own bool) {
	sp := &v.spans[index]
	sp.end, sp.failure, sp.own = end, f, own
	switch sp.operation.protocol {
	case protocolHTTP, protocolExternal:
		sp.code = 200
		if sp.operation.method == "POST" && sp.operation.route == "/cart" {
			sp.code = 201
		}
		if f != nil {
			sp.code = f.http
		}
	case protocolGRPC:
		if f != nil {
			sp.code = f.grpc
		}
	}
	if own && f.exception != "" {
		v.lines = append(v.lines, line{span: index, at: end})
	}
}

// lines writes down which log lines of an operation are written at a moment.
func (s *Shop) lines(v *visit, index int32, o *operation, at int64, early bool) {
	for i := range o.logs {
		if m := &o.logs[i]; m.early == early && s.random.chance(m.chance) {
			v.lines = append(v.lines, line{message: m, span: index, at: at})
		}
	}
}

// finish sets when the visit was, and emits its spans and log lines.
func (s *Shop) finish(v *visit, base int64) {
	v.base = base
	for i := range v.spans {
		s.emitSpan(v, &v.spans[i])
	}
	for i := range v.lines {
		s.emitLine(v, &v.lines[i])
	}
	for i := range v.spans {
		if sp := &v.spans[i]; sp.kind == kindServer || sp.kind == kindConsumer {
			s.observe(v, sp)
		}
	}
}

// delivery is a message on its way to its consumers.
type delivery struct {
	due      int64
	consumer *operation
	trace    traceID
	span     uint64
	order    uint64
	offset   int64
	cents    int64
	items    int
	client   *client
	product  *product
}

// publish puts a message on the queue, for every group of consumers. Its time
// is set when the visit's is known.
func (s *Shop) publish(v *visit, producer *span) {
	s.offsets++
	for _, o := range s.operations {
		if o.protocol == protocolConsume {
			s.queue = append(s.queue, delivery{
				consumer: o, trace: v.trace, span: producer.id, order: v.order, offset: s.offsets,
				cents: v.cents, items: v.items, client: v.client, product: v.product,
			})
		}
	}
}

// consumerLag is how far behind the model's time consumers are, so that what
// they do is over by then.
const consumerLag = 1e9

// deliver lets the consumers process what is due. A consumer that was stalled
// catches up at a bounded speed.
func (s *Shop) deliver(until int64) {
	left := 2 + int(.02*s.config.Rate*float64(s.tick)/1e9)
	kept := s.queue[:0]
	for _, d := range s.queue {
		if left == 0 || d.due+consumerLag > until || s.effects.operations[d.consumer.index].stalled {
			kept = append(kept, d)
			continue
		}
		left--
		s.consume(d, max(d.due, s.now-consumerLag))
	}
	s.queue = kept
}

// consume processes one message: a trace of its own, linked to the producer's.
func (s *Shop) consume(d delivery, at int64) {
	v := s.begin()
	v.client, v.product, v.items, v.cents, v.order, v.offset = d.client, d.product, d.items, d.cents, d.order, d.offset
	v.session = d.order >> 7
	v.link, v.linkSpan = d.trace, d.span
	root := s.addSpan(v, d.consumer, s.pick(d.consumer.service), nil, kindConsumer, -1, 0)
	s.serve(v, root, 0)
	s.finish(v, at)
}
