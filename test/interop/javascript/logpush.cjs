// A server's logs, sent by the official client of Elasticsearch and by pino's transport for Loki. How many lines each sent is
// printed as JSON.
//
//   node logpush.cjs ADDRESS SERVICE
const { once } = require('node:events');
const { setTimeout } = require('node:timers/promises');
const { Client } = require('@elastic/elasticsearch');
const pino = require('pino');

const [address, service] = process.argv.slice(2);

async function elasticsearch() {
  const client = new Client({ node: `${address}/elasticsearch`, maxRetries: 0 });
  const info = await client.info();
  const documents = Array.from({ length: 250 }, (_, n) => ({
    '@timestamp': new Date().toISOString(), message: `order ${n} of Zoë`, log: { level: n % 10 ? 'info' : 'error' },
    service: { name: service }, host: { name: 'app-1' }, order: n,
  }));
  const result = await client.helpers.bulk({ datasource: documents, onDocument: () => ({ create: { _index: 'orders' } }), flushBytes: 5000 });
  return { lines: result.successful, failed: result.failed, product: info.tagline };
}

async function loki() {
  const transport = pino.transport({
    target: 'pino-loki', options: { host: address, labels: { app: service, via: 'loki' }, batching: { interval: 1 }, structuredMetadata: { region: 'eu' } },
  });
  const log = pino({}, transport);
  for (let n = 0; n < 50; n++) {
    log[n % 10 ? 'info' : 'error']({ order: n }, 'order of Zoë');
    if (n === 24) {
      await setTimeout(5); // pino's clock has milliseconds, and the lines must not all have the same one
    }
  }
  const alive = setInterval(() => {}, 1000); // the transport's thread does not keep node from ending
  transport.end(); // sends what is waiting
  await once(transport, 'close');
  clearInterval(alive);
  return { lines: 50 };
}

(async () => {
  console.log(JSON.stringify({ elasticsearch: await elasticsearch(), loki: await loki() }));
  process.exit(0);
})();
