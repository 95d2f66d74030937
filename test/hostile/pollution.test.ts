import { type AdmitOptions, Gate, Limiter, ManualClock, Queue, record, Stock, u32 } from 'sluice';
import { fetchLimit } from 'sluice/fetch';
import { expect, it } from 'vitest';

const Order = record({ sku: u32, quantity: u32 });

/** Returns what `act` returns while Object.prototype has one more property. */
async function polluted<T>(name: string, value: unknown, act: () => Promise<T>): Promise<T> {
  // `name` must not be one that test frameworks read. They do not list it, because it is not enumerable.
  Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
  try {
    return await act();
  } finally {
    Reflect.deleteProperty(Object.prototype, name);
  }
}

it.each([
  ['holdMs', 1],
  ['key', 'anything'],
  ['lines', [{ sku: 1, quantity: 3 }]],
])('an order takes no option from Object.prototype: %s', (name, value) => {
  const clock = new ManualClock();
  const queue = Queue.create(Order, { capacity: 4, clock });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }], clock });
  const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity' } });
  const admit = (options: AdmitOptions) => gate.admit({ sku: 1, quantity: 1 }, options).outcome;
  let outcomes: string[];
  Object.defineProperty(Object.prototype, name, { value, enumerable: true, configurable: true });
  try {
    outcomes = [admit({}), admit({ holdMs: undefined }), admit(Object.create(null) as AdmitOptions)];
  } finally {
    Reflect.deleteProperty(Object.prototype, name);
  }
  expect(outcomes).toEqual(['admitted', 'admitted', 'admitted']);
  clock.advance(2);
  expect(stock.expire()).toBe(0);
  expect(stock.counts(1).reserved).toBe(3);
});

it.each([
  ['passed', {}],
  ['skip', () => true],
  ['plans', []],
  ['refuse', () => new Response('polluted')],
  ['onRefused', 'no function'],
  ['count', () => false],
  ['finalCost', () => 0],
  ['delay', true],
  ['block', { afterRefusals: 1, withinMs: 1, forMs: 1 }],
  ['wouldRefuse', 'token-bucket'],
  ['info', {}],
  ['refusal', {}],
  ['max', 5],
  ['names', ['polluted', 'too']],
  ['type', 'none of a stream'],
  ['start', 1],
  ['holdMs', 'no number'],
])('a limit of requests works as without the property: %s', async (name, value) => {
  const tokenBucket = { ratePerSecond: 0.001, burst: 1 };
  const answers = async () => {
    const shown: unknown[] = [];
    // The second limiter holds a place in flight until the response ends, so the response's body is wrapped.
    for (const tiers of [{ tokenBucket }, { tokenBucket, queueDepth: { max: 9 } }]) {
      const handler = fetchLimit(() => new Response('fine'), { limiter: Limiter.create(tiers) });
      for (let i = 0; i < 2; i++) {
        const response = await handler(new Request('http://localhost/'));
        shown.push([response.status, await response.text(), response.headers.get('RateLimit-Policy')]);
      }
    }
    return shown;
  };
  const bucket = '"bucket";q=1;w=1000';
  const both = `${bucket}, "concurrency";q=9;qu="concurrent-requests"`;
  expect(await polluted(name, value, answers)).toEqual([
    [200, 'fine', bucket],
    [429, '{"error":"rate limited"}', bucket],
    [200, 'fine', both],
    [429, '{"error":"rate limited"}', both],
  ]);
});

it.each([
  ['every', 'day'],
  ['timeZone', 'Asia/Tokyo'],
  ['exact', true],
  ['oversizedStatus', 400],
  ['oversized', true],
  ['windowMs', 5],
  ['hour12', true],
])('windows and costs work as without the property: %s', async (name, value) => {
  const answers = async () => {
    const slidingWindow = [
      { limit: 2, windowMs: 60_000 },
      { limit: 9, every: 'year' },
    ] as const;
    const limiter = Limiter.create({ slidingWindow, clock: new ManualClock() });
    let cost = 3;
    const handler = fetchLimit(() => new Response('fine'), { limiter, cost: () => cost });
    const statuses: unknown[] = [];
    for (cost of [3, 2, 1, 0]) statuses.push((await handler(new Request('http://localhost/'))).status);
    limiter.configure({ slidingWindow: [{}, { limit: 8 }] });
    return [...statuses, ...limiter.limits().windows];
  };
  expect(await polluted(name, value, answers)).toEqual([
    413,
    200,
    429,
    200,
    { limit: 2, windowMs: 60_000 },
    { limit: 8, every: 'year', timeZone: 'UTC' },
  ]);
});

it.each([
  ['numberingSystem', 'arab'],
  ['timeZoneName', 'long'],
  ['hour', 'numeric'],
])('offsets of a time zone are as without the property: %s', async (name, value) => {
  // Each test uses another zone, because sluice asks for the offsets of a zone only once.
  const timeZone = { numberingSystem: 'Asia/Tokyo', timeZoneName: 'Asia/Seoul', hour: 'Japan' }[name] ?? '';
  const answers = async () => {
    const limiter = Limiter.create({
      slidingWindow: { limit: 1, every: 'day', timeZone },
      clock: new ManualClock(),
    });
    limiter.allow();
    return limiter.peek().retryAfterMs;
  };
  expect(await polluted(name, value, answers)).toBe(15 * 3_600_000);
});

it('a refusal shows no property of Object.prototype', async () => {
  const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 1 } });
  limiter.block(undefined, 1_000);
  const handler = fetchLimit(() => new Response('fine'), { limiter, problem: true });
  const request = new Request('http://localhost/');
  expect((await polluted('statusText', 'polluted', () => handler(request))).statusText).toBe('');
  const limited = await polluted('blocked', 'polluted', () => handler(request));
  expect([...limited.headers].join()).not.toContain('polluted');
});

it('the listeners of a queue are called as without the property', async () => {
  const clock = new ManualClock();
  const queue = Queue.create(Order, { capacity: 4, ttlMs: 1, clock });
  const heard: unknown[] = [];
  queue.on('expired', (order) => heard.push(order));
  queue.on('closed', () => heard.push('closed'));
  queue.tryPush({ sku: 1, quantity: 2 });
  clock.advance(2);
  await polluted('listener', {}, async () => {
    queue.tryPop();
    queue.close();
    queue.on('closed', () => heard.push('late'));
    await Promise.resolve();
  });
  expect(heard).toEqual([{ sku: 1, quantity: 2 }, 'closed', 'late']);
});

it('find() takes no option from Array.prototype', () => {
  const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }] });
  stock.reserve({ sku: 1, quantity: 2, user: 7 });
  Object.defineProperty(Array.prototype, '0', { value: 'anything', configurable: true, writable: true });
  let found: unknown[];
  try {
    found = stock.find({ user: 7 });
  } finally {
    Reflect.deleteProperty(Array.prototype, '0');
  }
  expect(found).toMatchObject([{ state: 'held', user: 7n }]);
});

it.each(['limiter', 'stock'])('a gate without a %s is attached without one', async (name) => {
  const queue = Queue.create(Order, { capacity: 4 });
  const { handle } = Gate.create({ queue });
  const gate = await polluted(name, {}, async () => Gate.attach(Order, handle));
  expect(gate.admit({ sku: 1, quantity: 1 }).outcome).toBe('admitted');
  expect([gate.limiter, gate.stock]).toEqual([undefined, undefined]);
});

it('a property of Array.prototype is no window of a limiter', () => {
  const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 5 } });
  const value = { limit: 1, burst: 9 };
  Object.defineProperty(Array.prototype, '0', { value, configurable: true, writable: true });
  let limits: unknown;
  try {
    limits = limiter.limits();
  } finally {
    Reflect.deleteProperty(Array.prototype, '0');
  }
  expect(limits).toEqual({ ratePerSecond: 1, burst: 5, windows: [] });
});

it('a wait for a limiter works as without the property', async () => {
  const limiter = Limiter.create({ queueDepth: { max: 1 } });
  expect(limiter.allow()).toBe(true);
  const waits = limiter.acquire();
  limiter.release();
  expect(await polluted('reason', 'none', () => waits)).toMatchObject({ allowed: true });
});

it('an audit and find() work as without the property', async () => {
  const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }] });
  const reserved = stock.reserve({ sku: 1, quantity: 1 });
  if (!reserved.ok) throw new Error(reserved.reason);
  const { reservation } = reserved;
  expect(await polluted('mismatch', {}, async () => stock.audit())).toMatchObject({ held: 1 });
  const found = await polluted('user', 'somebody', async () => stock.find({ reservation }));
  expect(Object.keys(found ?? {})).toEqual(['reservation', 'state', 'expiresInMs', 'lines']);
});

it.each(['type', 'start', 'abort'])('a stream into a queue is as without the property: %s', async (name) => {
  const queue = Queue.create(Order, { capacity: 4 });
  const stream = await polluted(name, {}, async () => queue.writable({ close: true }));
  const writer = stream.getWriter();
  await writer.write({ sku: 1, quantity: 2 });
  await writer.close();
  expect(queue.tryPop()).toEqual({ sku: 1, quantity: 2 });
  expect(queue.closed).toBe(true);
});
