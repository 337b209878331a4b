// Two services in one process that talk over HTTP and are traced by Zipkin's library, which passes the context on in B3 headers
// and gives both sides of a call the same span id. The spans that were reported are printed as JSON, as version 2 has them.
//
//   node zipkin.cjs URL SERVICE
const { createServer } = require('node:http');
const { Annotation, BatchRecorder, ExplicitContext, Instrumentation, Tracer, jsonEncoder, option } = require('zipkin');
const { HttpLogger } = require('zipkin-transport-http');

const [endpoint, service] = process.argv.slice(2);

async function main() {
  const reported = [];
  const http = new HttpLogger({ endpoint, jsonEncoder: jsonEncoder.JSON_V2, httpInterval: 60000 });
  const logger = { logSpan(span) { reported.push(JSON.parse(jsonEncoder.JSON_V2.encode(span))); http.logSpan(span); } };
  const recorder = new BatchRecorder({ logger });
  const tracerOf = (name) => new Tracer({ ctxImpl: new ExplicitContext(), recorder, localServiceName: name, traceId128Bit: true });
  const front = tracerOf(service + '-front');
  const back = tracerOf(service + '-back');

  let received;
  const server = createServer((request, response) => {
    received = request.headers;
    const serving = new Instrumentation.HttpServer({ tracer: back, port: 8080 });
    const header = (name) => (request.headers[name.toLowerCase()] === undefined ? option.None : new option.Some(request.headers[name.toLowerCase()]));
    back.scoped(() => {
      const id = serving.recordRequest('GET', request.url, header);
      back.letId(id, () => back.recordAnnotation(new Annotation.Message('looked up')));
      serving.recordResponse(id, 500);
    });
    response.writeHead(500).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}/stock`;

  const calling = new Instrumentation.HttpClient({ tracer: front, remoteServiceName: 'stock' });
  const root = front.createRootId();
  await front.letId(root, async () => {
    front.recordServiceName(service + '-front');
    front.recordRpc('checkout');
    front.recordAnnotation(new Annotation.LocalOperationStart('checkout'));
    front.recordBinary('order.items', '3');
    const { headers } = calling.recordRequest({ headers: {} }, url, 'GET');
    const id = front.id;
    const { status } = await fetch(url, { headers });
    front.scoped(() => calling.recordResponse(id, status));
    front.letId(root, () => front.recordAnnotation(new Annotation.LocalOperationStop()));
  });
  server.close();
  server.closeAllConnections();
  await new Promise((resolve, reject) => {
    http.on('success', resolve);
    http.on('error', reject);
    http.processQueue(fetch); // what it does at intervals
  });
  console.log(JSON.stringify({ reported, headers: received }));
}

main().catch((error) => { console.error(error); process.exitCode = 1; });
