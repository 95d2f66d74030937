import { record, u16, u53 } from 'sluice';
import { RedisQueue } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { clients, connect, disconnect } from './clients.js';
import { deadLetters, newStream, Order, order, queueOf, running, untilDone, workersOf } from './scene.js';
import { endServers, noRedis, Server } from './servers.js';

let server: Server;
beforeAll(async () => {
  if (!noRedis) server = await Server.start();
});
afterEach(disconnect);
afterAll(endServers);

const schema = Order.schema.toString(16).padStart(16, '0');
const body = (change: (bytes: Buffer) => void = () => {}): Buffer => {
  const bytes = Buffer.alloc(Order.bytes);
  bytes.writeDoubleLE(5, Order.offsetOf('orderId'));
  change(bytes);
  return bytes;
};
const entry = (order: Buffer): Array<string | Buffer> => [
  'sluice',
  '1',
  'schema',
  schema,
  'id',
  '5',
  'order',
  order,
];
const noteAt = Order.offsetOf('note') ?? 0;

const badReservations = ['', '-1', '1.5', '0x10', '07', ' 7', '1e3', '18446744073709551616', 'x'.repeat(99)];
type Hostile = readonly [what: string, fields: Array<string | Buffer>, error: RegExp];

/** Entries that anyone who may write to the stream can write, and what the reason says. */
const hostile: readonly Hostile[] = [
  ['other names', ['a', 'b'], /expected 4 or 5 names and values, got 1/],
  ['another fifth name', [...entry(body()), 'more', 'x'], /the name reservation at place 5/],
  ['six names', [...entry(body()), 'reservation', '7', 'more', 'x'], /4 or 5 names and values, got 6/],
  ...badReservations.map(
    (digits): Hostile => [
      `the reservation ${digits}`,
      [...entry(body()), 'reservation', digits],
      /number of a reservation/,
    ],
  ),
  [
    'names in another order',
    ['schema', schema, 'sluice', '1', 'id', '5', 'order', body()],
    /the name sluice/,
  ],
  ['another version', ['sluice', '2', 'schema', schema, 'id', '5', 'order', body()], /version 1/],
  ['another schema', ['sluice', '1', 'schema', '0123', 'id', '5', 'order', body()], /the schema/],
  ['a short body', entry(body().subarray(1)), /of 40 bytes, got 39/],
  ['a long body', entry(Buffer.concat([body(), body()])), /of 40 bytes, got 80/],
  ['no body', entry(Buffer.alloc(0)), /of 40 bytes, got 0/],
  ['NaN', entry(body((bytes) => bytes.writeDoubleLE(Number.NaN, Order.offsetOf('orderId')))), /orderId/],
  ['a fraction', entry(body((bytes) => bytes.writeDoubleLE(0.5, Order.offsetOf('orderId')))), /orderId/],
  ['a text too long', entry(body((bytes) => bytes.writeUInt16LE(25, noteAt))), /note|bytes|range/],
  ['a text far too long', entry(body((bytes) => bytes.writeUInt16LE(65_535, noteAt))), /note|bytes|range/],
  [
    'bytes after the text',
    entry(body((bytes) => bytes.writeUInt8(1, noteAt + 9))),
    /no values of its fields/,
  ],
  [
    'no UTF-8',
    entry(
      body((bytes) => {
        bytes.writeUInt16LE(2, noteAt);
        bytes.writeUInt16LE(0xfffe, noteAt + 2);
      }),
    ),
    /note|no values/,
  ],
  ['thousands of names', Array.from({ length: 20_000 }, (_, i) => `f${i}`), /got 10000/],
];

it.skipIf(noRedis).each(clients)(
  'workers move entries that are no orders to the dead letters: %s',
  async (client) => {
    const redis = await connect(server.port, client);
    const stream = newStream();
    for (const [, fields] of hostile) await redis.send(['XADD', stream, '*', ...fields]);
    const other = new RedisQueue({ redis, stream, record: record({ orderId: u53, n: u16 }), id: 'orderId' });
    await other.push({ orderId: 1, n: 2 });
    await queueOf(redis, stream).push(order(9, 'ours'));
    expect(await queueOf(redis, stream).audit()).toMatchObject({ entries: hostile.length + 2 });
    const workers = workersOf(redis, stream);
    const seen: unknown[] = [];
    const run = running(workers, (one) => seen.push(one), { concurrency: 4 });
    await untilDone(workers);
    await run.end();
    expect(seen).toEqual([order(9, 'ours')]);
    const letters = await deadLetters(redis, stream);
    expect(letters).toHaveLength(hostile.length + 1);
    for (const [i, [what, , error]] of hostile.entries()) {
      expect(letters[i]?.['sluice:reason'], what).toBe('foreign');
      expect(letters[i]?.['sluice:error'], what).toMatch(error);
    }
    expect(letters.at(-1)?.['sluice:error']).toMatch(/the schema/);
    expect(Object.keys(letters.at(-2) ?? {})).toContain('packed'); // nothing of it is lost
    expect(workers.stats()).toMatchObject({ handled: 1, failed: 0, deadLetters: hostile.length + 1 });
  },
);
