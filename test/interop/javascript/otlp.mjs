// Two services, each a process of its own: front answers a request and calls back, which fails. Both record spans with the
// OpenTelemetry SDK and export them over OTLP. What the SDK says of the spans that have ended is printed as JSON.
//
//   node otlp.mjs proto|json|grpc w3c|b3|b3multi URL SERVICE
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { context, createTraceState, diag, DiagConsoleLogger, DiagLogLevel, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter as Grpc } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as Json } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as Proto } from '@opentelemetry/exporter-trace-otlp-proto';
import { B3InjectEncoding, B3Propagator } from '@opentelemetry/propagator-b3';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

const [protocol, propagator, url, service, role] = process.argv.slice(2);
diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);

const exporters = { proto: Proto, json: Json, grpc: Grpc };
const propagators = {
  w3c: () => new W3CTraceContextPropagator(),
  b3: () => new B3Propagator(),
  b3multi: () => new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER }),
};

const nanoseconds = ([seconds, rest]) => String(BigInt(seconds) * 1000000000n + BigInt(rest));

// ended is what the SDK says of the spans that have ended here.
const ended = [];
const recorder = {
  onStart() {},
  onEnd(span) {
    const { traceId, spanId } = span.spanContext();
    ended.push({
      name: span.name, trace: traceId, id: spanId, parent: span.parentSpanContext?.spanId ?? '0000000000000000',
      remote: span.parentSpanContext?.isRemote === true, time: nanoseconds(span.startTime), end: nanoseconds(span.endTime),
      eventTimes: span.events.map((event) => nanoseconds(event.time)),
    });
  },
  async forceFlush() {},
  async shutdown() {},
};

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': service + (role === 'back' ? '-back' : '-front'), 'service.version': '1.2.3', 'shop.floor': 2 }),
  spanProcessors: [recorder, new BatchSpanProcessor(new exporters[protocol]({ url }))],
});
provider.register({ propagator: propagators[propagator]() });
const tracer = trace.getTracer('shop', '0.9');

function fail(span, error) {
  span.recordException(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}

// back serves one request, which fails inside.
function back() {
  const server = createServer(async (request, response) => {
    const parent = propagation.extract(ROOT_CONTEXT, request.headers);
    const span = tracer.startSpan('GET /stock', { kind: SpanKind.SERVER, attributes: { 'http.route': '/stock' } }, parent);
    context.with(trace.setSpan(parent, span), () => {
      tracer.startActiveSpan('find', (inner) => {
        fail(inner, new RangeError('out of stock'));
        inner.end();
      });
    });
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
    await provider.shutdown();
    response.writeHead(500).end(() => {
      process.send({ ended, headers: request.headers });
      server.close();
      process.disconnect();
    });
  });
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
}

async function front() {
  const child = fork(fileURLToPath(import.meta.url), [protocol, propagator, url, service, 'back']);
  const messages = [];
  let wake = () => {};
  child.on('message', (message) => { messages.push(message); wake(); });
  child.on('exit', () => wake());
  const message = async () => {
    while (messages.length === 0 && child.connected) await new Promise((resolve) => { wake = resolve; });
    return messages.shift() ?? Promise.reject(new Error('the other service has ended'));
  };
  const { port } = await message();

  const root = tracer.startSpan('GET /order', {
    kind: SpanKind.SERVER, root: true,
    attributes: {
      text: 'grün €', empty: '', whole: 42, negative: -7, large: Number.MAX_SAFE_INTEGER, fraction: 2.5, yes: true, no: false,
      texts: ['a', 'b"c'], numbers: [1, -2, 3], fractions: [0.5, 1.25], flags: [true, false], none: [],
    },
    links: [{
      context: { traceId: '0102030405060708090a0b0c0d0e0f10', spanId: '1112131415161718', traceFlags: 1, traceState: createTraceState('vendor=a1') },
      attributes: { reason: 'retry', attempt: 2 },
    }],
  });
  root.addEvent('packed', { items: 3, box: 'small' });
  await context.with(trace.setSpan(ROOT_CONTEXT, root), () => tracer.startActiveSpan('GET', { kind: SpanKind.CLIENT }, async (call) => {
    const headers = {};
    propagation.inject(context.active(), headers);
    const { status } = await fetch(`http://127.0.0.1:${port}/stock`, { headers });
    call.setAttribute('http.response.status_code', status);
    fail(call, new Error('status ' + status));
    call.end();
  }));
  tracer.startSpan('publish', { kind: SpanKind.PRODUCER, attributes: { 'messaging.system': 'kafka' } }, trace.setSpan(ROOT_CONTEXT, root)).end();
  root.setStatus({ code: SpanStatusCode.OK });
  root.end();
  await provider.shutdown();
  const other = await message();
  console.log(JSON.stringify({ front: ended, back: other.ended, headers: other.headers }));
}

await (role === 'back' ? back() : front());
