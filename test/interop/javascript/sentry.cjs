// A server's work as Sentry's client for Node.js tells of it: a transaction with a span in it, an error with its cause, a message,
// a log. What it was about is printed as JSON.
//
//   node sentry.cjs DSN SERVICE
const Sentry = require('@sentry/node');

const [dsn, service] = process.argv.slice(2);

function pay(order) {
  throw new RangeError(`order ${order} is closed`, { cause: new Error('no stock') });
}

async function main() {
  Sentry.init({
    dsn, release: '1.4.2', environment: 'prod', serverName: 'app-1', tracesSampleRate: 1, enableLogs: true,
    initialScope: { tags: { service, region: 'eu' }, user: { id: 'u7', email: 'ann@example.com' } },
  });
  const said = {};
  await Sentry.startSpan({ name: 'POST /pay', op: 'http.server' }, async (root) => {
    Object.assign(said, { trace: root.spanContext().traceId, root: root.spanContext().spanId });
    await Sentry.startSpan({ name: 'SELECT orders', op: 'db.query', attributes: { 'db.system.name': 'postgresql', rows: 3 } }, async (child) => {
      said.child = child.spanContext().spanId;
    });
    Sentry.addBreadcrumb({ category: 'cart', message: 'paid' });
    try {
      pay(4711);
    } catch (error) {
      said.error = Sentry.captureException(error);
    }
    said.message = Sentry.captureMessage('low stock', 'warning');
    Sentry.logger.info('order %d is paid', { order: 4712 });
  });
  if (!await Sentry.close(10000)) {
    throw new Error('not everything was sent');
  }
  console.log(JSON.stringify(said));
}

main().catch((error) => { console.error(error); process.exitCode = 1; });
