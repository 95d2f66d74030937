/**
 * The surroundings of a snippet of the documentation declare the names that it uses and does not declare itself.
 */

/** A declaration, and the names that it needs itself. */
type Declared = string | { readonly needs: readonly string[]; readonly code: string };

const sluice = [
  'Gate',
  'Limiter',
  'ManualClock',
  'Queue',
  'SluiceError',
  'Stock',
  'record',
  'traceContext',
].concat(['traceparent', 'u16', 'u32', 'u53', 'u64']);
const files = ['readFileSync', 'renameSync', 'writeFileSync'];
const imports = (names: readonly string[], from: string): [string, string][] =>
  names.map((name) => [name, `import { ${name} } from '${from}';`]);

const everywhere: Readonly<Record<string, Declared>> = {
  ...Object.fromEntries([
    ...imports(sluice, 'sluice'),
    ...imports(files, 'node:fs'),
    ...imports(['limit', 'limitUpgrade', 'addressKey'], 'sluice/http'),
    ...imports(['fastifyLimit'], 'sluice/fastify'),
    ...imports(['dispatch'], 'sluice/dispatch'),
    ...imports(['spill', 'lmdbStore', 'sqliteStore'], 'sluice/overflow'),
    ...imports(['WebSocketServer'], 'ws'),
  ]),
  delay: "import { setTimeout as delay } from 'node:timers/promises';",
  app: "import express from 'express'; const app = express();",
  fastify: "import Fastify from 'fastify'; const fastify = Fastify();",
  server: "import { createServer } from 'node:http'; const server = createServer();",
  Order: `import * as S from 'sluice';
    const Order = S.record({ orderId: S.u53, user: S.u53, sku: S.u32, quantity: S.u16 });`,
  fields: "const fields = { sku: 'sku', quantity: 'quantity', user: 'user', id: 'orderId' };",
  order: 'const order = { orderId: 1, user: 7, sku: 1001, quantity: 1 };',
  // A queue that is closed soon, so that loops that consume it end.
  queue: {
    needs: ['Order', 'Queue'],
    code: 'const queue = Queue.create(Order, { capacity: 10 }); setTimeout(() => queue.close(), 300);',
  },
  limiter: {
    needs: ['Limiter'],
    code: 'const limiter = Limiter.create({ ...Limiter.flashSale, keys: { max: 9 } });',
  },
  stock: {
    needs: ['Stock'],
    code: "const stock = Stock.create({ items: [1001, 1002, 'cap'].map((sku) => ({ sku, quantity: 100 })) });",
  },
  gate: {
    needs: ['Gate', 'queue', 'stock', 'fields'],
    code: 'const gate = Gate.create({ queue, stock, fields });',
  },
  reservation: {
    needs: ['stock'],
    code: `const { reservation } = stock.reserveAll(
      [{ sku: 1001, quantity: 2 }, { sku: 1002, quantity: 2 }], { user: 'anna', id: 'order-1' });`,
  },
  request: "const request = { ip: '192.0.2.1', headers: {} };",
  response: 'const response = { end() {}, writeHead() { return this; } };',
  charge: 'const charge = async () => true;',
  pay: 'const pay = async () => true;',
  shutdown: 'const { signal: shutdown } = new AbortController();',
  alreadyCharged: 'const alreadyCharged = async () => false;',
  save: 'const save = async () => {};',
  log: 'const log = console;',
  login: 'const login = () => {};',
};

/** The names that mean something else on a page. */
const onPages: Readonly<Record<string, Readonly<Record<string, Declared>>>> = {
  'guide/http.md': {
    everything: "import { Limiter as All } from 'sluice'; const everything = All.create(All.flashSale);",
    strict: "import { Limiter as Strict } from 'sluice'; const strict = Strict.create(Strict.flashSale);",
    key: "const key = { header: 'x-user' };",
    exported: "const exported = async () => 'exported';",
    healthy: "const healthy = async () => 'fine';",
    Bun: 'const Bun = { serve() {} };',
  },
  'guide/gate.md': {
    limiter: {
      needs: ['Limiter'],
      code: 'const limiter = Limiter.create({ queueDepth: { max: 100 }, keys: { max: 9 } });',
    },
    keyOf: 'const keyOf = ({ user }) => user;',
    ordersWithoutEnd: {
      needs: ['writeFileSync'],
      code: `import * as T from 'sluice';
        writeFileSync('stock', T.Stock.create({ items: [{ sku: 1001, quantity: 100 }] }).snapshot());
        const ordersWithoutEnd = async () => [{ orderId: 1, user: 7, sku: 1001, quantity: 1 }];`,
    },
  },
  'guide/dispatch.md': {
    connect:
      'const connect = async () => ({ hasCharged: async () => false, charge: async () => {}, end() {} });',
  },
  'guide/stock.md': {
    stock: {
      needs: ['Stock'],
      code: `const stock = Stock.create({ items: [{ sku: 1001, quantity: 9 }, { sku: 1002, quantity: 9 }] });
        stock.confirm(stock.reserve({ sku: 1001, quantity: 2, user: 'anna' }).reservation);`,
    },
    reservation: {
      needs: ['stock'],
      code: 'const { reservation } = stock.reserve({ sku: 1001, quantity: 2, user: "anna" });',
    },
    cart: {
      needs: ['stock'],
      code: "const cart = stock.reserveAll([1001, 1002].map((sku) => ({ sku, quantity: 1 })), { user: 'ben' }).reservation;",
    },
  },
  'guide/overflow.md': {
    overflow: {
      needs: ['spill', 'lmdbStore'],
      code: "const overflow = spill({ store: lmdbStore('./store-' + process.pid) });",
    },
    queue: {
      needs: ['Order', 'Queue', 'overflow'],
      code: 'const queue = Queue.create(Order, { capacity: 9, overflow });',
    },
    deadLetters: 'const deadLetters = [];',
  },
  'guide/redis.md': {
    url: 'const url = process.env.REDIS_URL;',
    Redis: "import { Redis } from 'ioredis';",
    ioRedis: "import { ioRedis } from 'sluice/redis';",
    client: `import { createClient } from 'redis';
      const client = createClient({ url: process.env.REDIS_URL, disableOfflineQueue: true }); await client.connect();`,
    redis: {
      needs: ['client'],
      code: "import * as R from 'sluice/redis'; const redis = R.nodeRedis(client);",
    },
    sell: 'const sell = () => {};',
    sellWithoutLimit: 'const sellWithoutLimit = () => {};',
    retryLater: 'const retryLater = () => {};',
  },
  'guide/observability.md': {
    gate: {
      needs: ['Gate', 'Queue', 'stock', 'fields'],
      code: `import * as T from 'sluice';
        const Traced = { orderId: T.u64, sku: T.u32, quantity: T.u16, user: T.u53, trace: T.traceContext() };
        const gate = Gate.create({ queue: Queue.create(T.record(Traced), { capacity: 9 }), stock, fields });`,
    },
    crew: {
      needs: ['dispatch', 'queue'],
      code: "const crew = dispatch(queue, { workers: 1, handler: new URL('./quiet.js', import.meta.url), deadLetters() {} });",
    },
    listening: `import { Server } from 'node:net'; const { listen } = Server.prototype;
      Server.prototype.listen = function () { return listen.call(this, 0, '127.0.0.1', () => this.close()); };`,
    exporter: `import { AggregationTemporality, InMemoryMetricExporter } from '@opentelemetry/sdk-metrics';
      const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);`,
    metrics: "import { metrics } from '@opentelemetry/api';",
    orderId: 'const [orderId, sku, quantity, user] = [1n, 1001, 1, 7];',
  },
};

/** Returns the code that goes before a snippet, and what goes after it. */
export function surroundings(page: string, snippet: string): { needed: string[]; after: string[] } {
  const known = { ...everywhere, ...onPages[page] };
  const needed = new Map<string, string>();
  const declares = (name: string) =>
    new RegExp(
      `(?:const |let |function |import (?:type )?\\{[^}]*|\\b(?:const|let) [{[][^=]*)\\b${name}\\b`,
    ).test(snippet);
  const add = (name: string): void => {
    const declared = known[name];
    if (declared === undefined || needed.has(name) || declares(name)) return;
    if (typeof declared === 'object') declared.needs.forEach(add);
    needed.set(name, typeof declared === 'object' ? declared.code : declared);
  };
  for (const name of Object.keys(known)) {
    if (new RegExp(`(?<![.\\w'/-])${name}\\b(?!:)`).test(snippet)) add(name);
  }
  if (snippet.includes('.listen(8080')) add('listening');
  const after = needed.has('fastify') ? ['await fastify.ready();'] : [];
  if (needed.has('client')) after.push('client.destroy();');
  if (needed.has('ioRedis')) after.push('await redis.close();');
  return { needed: [...needed.values()], after };
}
