import { ManualClock, Queue, record, u32 } from 'sluice';
import { mistyped } from '../mistyped.js';
import { type OptionTable, only, real, whole } from './option-table.js';

const Row = record({ number: u32 });

function closed(): Queue<{ number: number }> {
  const queue = Queue.create(Row, { capacity: 4 });
  queue.close();
  return queue;
}

function waiting(): Queue<{ number: number }> {
  return Queue.create(Row, { capacity: 4, lanes: 3, ttlMs: 1_000 });
}

const lane = whole(0, 2);
const signal = only(new AbortController().signal);
const timeoutMs = { ...real(0, 2_147_483_647), outside: [-1, 2_147_483_648, Number.NaN, Infinity] };
const ttlMs = {
  ...real(0.001, 86_400_000, [0.001, 0.5, 86_400_000, Infinity]),
  outside: [0, -1, 86_400_001, Number.NaN, -Infinity],
};

export const queueTables: readonly OptionTable[] = [
  {
    where: 'Queue.create',
    call: (options) => Queue.create(Row, mistyped(options)),
    base: { capacity: 4 },
    required: ['capacity'],
    options: {
      capacity: whole(1, 2 ** 24, [1, 3, 65_536]),
      lanes: whole(1, 8, [1, 2, 8]),
      weights: only([1], [1_000]),
      maxWaiting: whole(0, 65_536, [0, 1, 65_536]),
      ttlMs,
      overflow: only('reject', 'drop-oldest'),
      shed: {
        good: [{}, { targetMs: 1 }, { intervalMs: 50 }],
        wrong: [null, 1, 'on', [], true],
        outside: [],
      },
      latency: only(true, false),
      commit: only(true, false),
      clock: only(new ManualClock()),
    },
    unknown: ['Capacity', 'capactiy', 'lane', 'ttl', 'maxwaiting', 'name', 'toString', '__proto__'],
  },
  {
    where: 'Queue.tryPush',
    call: (options) => waiting().tryPush({ number: 1 }, mistyped(options)),
    base: {},
    options: { lane, ttlMs },
    unknown: ['lanes', 'ttl', 'timeoutMs', 'signal'],
  },
  {
    where: 'Queue.tryPushMany',
    call: (options) => waiting().tryPushMany([{ number: 1 }], mistyped(options)),
    base: {},
    options: { lane, ttlMs },
    unknown: ['lanes', 'ttl', 'timeoutMs', 'signal'],
  },
  {
    where: 'Queue.push',
    call: (options) => waiting().push({ number: 1 }, mistyped(options)),
    base: {},
    options: { lane, ttlMs, timeoutMs, signal },
    unknown: ['lanes', 'timeout', 'timeoutMS', 'abort'],
  },
  {
    where: 'Queue.pushSync',
    call: (options) => waiting().pushSync({ number: 1 }, 0, mistyped(options)),
    base: {},
    options: { lane, ttlMs },
    unknown: ['lanes', 'timeoutMs', 'signal'],
  },
  {
    where: 'Queue.reserve',
    call: (options) => waiting().reserve(1, mistyped(options)),
    base: {},
    options: { lane, timeoutMs, signal },
    unknown: ['lanes', 'timeout', 'ttlMs', 'count'],
  },
  {
    where: 'Queue.tryReserve',
    call: (options) => waiting().tryReserve(1, mistyped(options)),
    base: {},
    options: { lane },
    unknown: ['lanes', 'timeoutMs', 'signal'],
  },
  {
    where: 'Queue.batcher',
    call: (options) => waiting().batcher(mistyped(options)),
    base: {},
    options: { lane, max: whole(1, 4_096, [1, 4_096]) },
    unknown: ['lanes', 'size', 'ttlMs'],
  },
  {
    where: 'Queue.drained',
    call: (options) => closed().drained(mistyped(options)),
    base: {},
    options: { timeoutMs, signal },
    unknown: ['timeout', 'lane'],
  },
  {
    where: 'Queue.writable',
    call: (options) => waiting().writable(mistyped(options)),
    base: {},
    options: { close: only(true, false) },
    unknown: ['closes', 'signal'],
  },
  {
    where: 'Queue.consume',
    call: (options) => closed().consume(() => {}, mistyped(options)),
    base: {},
    options: {
      batchSize: whole(1, 65_536, [1, 65_536]),
      concurrency: whole(1, 65_536, [1, 65_536]),
      spin: whole(0, 1_000_000, [0, 1]),
      signal,
    },
    unknown: ['batchsize', 'maxBatch', 'timeoutMs', 'lane'],
  },
];
