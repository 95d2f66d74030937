import { bool, Gate, i32, Limiter, Queue, record, Stock, u8, u16, u32, u53, u64, utf8 } from 'sluice';
import { mistyped } from '../mistyped.js';
import { type OptionTable, only, real, whole } from './option-table.js';

const Order = record({
  sku: u32,
  quantity: u16,
  user: u53,
  id: u64,
  small: u8,
  signed: i32,
  text: utf8(8),
  flag: bool,
});
const fields = { sku: 'sku', quantity: 'quantity', user: 'user', id: 'id' } as const;
const order = { sku: 1, quantity: 1, user: 1, id: 1n, small: 1, signed: 1, text: '', flag: true };

const newQueue = () => Queue.create(Order, { capacity: 4 });
const newStock = () => Stock.create({ items: [{ sku: 1, quantity: 4, perUser: 4 }], maxReservations: 8 });

/** The rules for the name of a field that must be an unsigned whole number. */
const field = {
  good: ['sku', 'quantity', 'user', 'id', 'small'],
  wrong: [0, null, true, [], ['sku'], {}, '', 'nothing', 'signed', 'text', 'flag', 'toString', '__proto__'],
  outside: [],
};
/** The rules for the name of a field that has a key: an unsigned whole number or a text. */
const keyField = {
  ...field,
  good: [...field.good, 'text'],
  wrong: field.wrong.filter((name) => name !== 'text'),
};

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const gateTables: readonly OptionTable[] = [
  {
    where: 'Gate.create',
    // A queue has at most one gate, so each call makes a new queue.
    call: (options) => Gate.create(mistyped(isPlain(options) ? { queue: newQueue(), ...options } : options)),
    base: { stock: newStock(), fields },
    options: {
      queue: {
        good: [newQueue()],
        wrong: [null, undefined, 0, {}, newStock(), newQueue().handle],
        outside: [],
      },
      limiter: only(Limiter.create(Limiter.flashSale)),
      stock: only(newStock()),
      maxInHand: whole(1, 65_536, [1, 65_536]),
      commit: only(true, false),
    },
    required: ['fields'],
    unknown: ['stocks', 'ledger', 'key', 'lanes', 'onExpired'],
  },
  {
    where: 'Gate.create: fields',
    call: (options) => Gate.create({ queue: newQueue(), stock: newStock(), fields: mistyped(options) }),
    base: fields,
    required: ['sku', 'quantity', 'user'],
    options: { sku: keyField, quantity: field, user: keyField, id: keyField },
    unknown: ['userId', 'orderId', 'lines', 'key', 'holdMs'],
  },
  {
    where: 'Gate.admit',
    call: (options) =>
      Gate.create({ queue: newQueue(), stock: newStock(), fields }).admit(order, mistyped(options)),
    base: {},
    options: {
      holdMs: real(1, 86_400_000),
      key: { good: [undefined], wrong: [1, 'a', 1n, null, {}], outside: [] },
      lines: {
        good: [[{ sku: 1, quantity: 1 }], [{ sku: 'A', quantity: 2 ** 32 - 1 }]],
        wrong: [null, 1, 'A', {}, [null], [{}], [{ sku: 1 }], [{ sku: 1n, quantity: 1 }]],
        outside: [
          [],
          Array.from({ length: 65 }, (_, sku) => ({ sku, quantity: 1 })),
          [{ sku: 1, quantity: 0 }],
          [{ sku: -1, quantity: 1 }],
          [
            { sku: 1, quantity: 2 ** 31 },
            { sku: 1, quantity: 2 ** 31 },
          ],
        ],
      },
    },
    unknown: ['keys', 'cost', 'lane', 'ttlMs'],
  },
  {
    where: 'Gate.admit',
    call: (options) => {
      const limiter = Limiter.create({ queueDepth: { max: 4 }, keys: { max: 10 } });
      return Gate.create({ queue: newQueue(), limiter }).admit(order, mistyped(options));
    },
    base: { key: 1 },
    required: ['key'],
    options: {
      key: {
        good: ['', 'a', 0, -0, 0.5, Infinity, -1n, 2n ** 70n],
        wrong: [null, Number.NaN, true, {}, [], Symbol('1')],
        outside: [],
      },
      lines: { good: [undefined], wrong: [[{ sku: 1, quantity: 1 }], []], outside: [] },
    },
    unknown: ['keys', 'cost'],
  },
  {
    where: 'Gate.consume',
    call: (options) => {
      const queue = newQueue();
      queue.close();
      return Gate.create({ queue }).consume(() => {}, mistyped(options));
    },
    base: {},
    options: {
      batchSize: whole(1, 64, [1, 64]),
      concurrency: whole(1, 1_024, [1, 1_024]),
      signal: only(new AbortController().signal),
    },
    unknown: ['batch', 'timeoutMs', 'ordered'],
  },
];
