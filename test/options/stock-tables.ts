import { ManualClock, Stock } from 'sluice';
import { mistyped } from '../mistyped.js';
import { key, type OptionRules, type OptionTable, only, real, sku, whole } from './option-table.js';

const u32Max = 2 ** 32 - 1;
const base = { items: [{ sku: 1, quantity: 10 }], maxReservations: 8, maxUsers: 8, maxIds: 8 };
const reserve = { sku: 1, quantity: 1, user: 1 };

/** The rules for the name of a group. `unknown`: names that no group has. */
function groupName(good: readonly string[], unknown: readonly string[]): OptionRules {
  const outside = ['', '\ud800', 'x'.repeat(33), ...unknown];
  return { good, wrong: [null, true, 1, 1n, [], {}, Symbol('1')], outside };
}

/** A ledger with one item that has a limit per user. */
function ledger(): Stock {
  return Stock.create({ ...base, items: [{ sku: 1, quantity: 10, perUser: 10 }] });
}

/** A ledger with units that a user has bought. */
function bought(): Stock {
  const stock = ledger();
  const answer = stock.reserve({ sku: 1, quantity: 5, user: 1 });
  if (answer.ok) stock.confirm(answer.reservation);
  return stock;
}

const carts = {
  good: [[{ sku: 1, quantity: 1 }]],
  wrong: [null, 0, 'lines', {}, new Set()],
  outside: [[], Array.from({ length: 65 }, (_, sku) => ({ sku, quantity: 1 }))],
};

export const stockTables: readonly OptionTable[] = [
  {
    where: 'Stock.create',
    call: (options) => Stock.create(mistyped(options)),
    base,
    required: ['items'],
    options: {
      items: {
        good: [
          [],
          [{ sku: 0, quantity: 0 }],
          Array.from({ length: 500 }, (_, sku) => ({ sku, quantity: sku })),
        ],
        wrong: [null, 0, 'items', {}, new Map()],
        outside: [Array.from({ length: 65_537 }, (_, sku) => ({ sku, quantity: 1 }))],
      },
      groups: {
        good: [[], [{ name: 'g', perUser: 1 }]],
        wrong: [null, 0, 'g', {}],
        outside: [Array.from({ length: 65 }, (_, i) => ({ name: `g${i}`, perUser: 1 }))],
      },
      maxItems: whole(1, 65_536, [1, 1_000]),
      maxReservations: whole(1, 2 ** 24, [1, 1_000]),
      maxUsers: whole(1, 2 ** 26, [1, 1_000]),
      maxIds: whole(1, 2 ** 26, [1, 1_000]),
      holdMs: real(1, 86_400_000),
      movements: whole(0, 2 ** 24, [0, 1, 1_000]),
      commit: only(true, false),
      clock: only(new ManualClock()),
    },
    unknown: ['item', 'maxreservations', 'hold', 'perUser', 'skus'],
  },
  {
    where: 'Stock.create: items[1]',
    call: (options) =>
      Stock.create({
        items: [{ sku: 7, quantity: 1 }, mistyped(options)],
        groups: [{ name: 'g', perUser: 1 }],
      }),
    base: { sku: 1, quantity: 10, perUser: 1 },
    required: ['sku', 'quantity'],
    options: {
      sku: sku(),
      quantity: whole(0, u32Max, [0, u32Max]),
      perUser: whole(1, u32Max, [1, u32Max]),
      backorder: whole(0, u32Max - 10, [0, u32Max - 10]),
      group: groupName(['g'], ['none']),
      shards: whole(1, 16, [1, 16]),
    },
    unknown: ['id', 'peruser', 'price', 'total'],
  },
  {
    where: 'Stock.addItem',
    call: (options) => {
      const stock = ledger();
      stock.addGroup({ name: 'g', perUser: 1 });
      return stock.addItem(mistyped(options));
    },
    base: { sku: 2, quantity: 10 },
    required: ['sku', 'quantity'],
    options: {
      sku: sku(),
      quantity: whole(0, u32Max, [0, u32Max]),
      perUser: whole(1, u32Max, [1, u32Max]),
      backorder: whole(0, u32Max - 10, [0, u32Max - 10]),
      group: groupName(['g'], ['none']),
      shards: whole(1, 16, [1, 16]),
    },
    unknown: ['id', 'peruser', 'closed'],
  },
  {
    where: 'Stock.reserve',
    call: (options) => ledger().reserve(mistyped(options)),
    base: reserve,
    required: ['sku', 'quantity', 'user'],
    options: {
      sku: sku(),
      quantity: whole(1, u32Max, [1, u32Max]),
      user: key(64),
      id: key(256),
      holdMs: real(1, 86_400_000),
    },
    unknown: ['userId', 'lines', 'timeoutMs', 'ttlMs', 'key'],
  },
  {
    where: 'Stock.reserveAll',
    call: (options) => ledger().reserveAll([{ sku: 1, quantity: 1 }], mistyped(options)),
    base: { user: 1 },
    required: ['user'],
    options: { user: key(64), id: key(256), holdMs: real(1, 86_400_000) },
    unknown: ['sku', 'quantity', 'lines', 'key'],
  },
  {
    where: 'Stock.reserveAll: lines[1]',
    call: (options) => ledger().reserveAll([{ sku: 1, quantity: 1 }, mistyped(options)], { user: 1 }),
    base: { sku: 2, quantity: 1 },
    required: ['sku', 'quantity'],
    options: { sku: sku(), quantity: whole(1, u32Max, [1, u32Max]) },
    unknown: ['user', 'id', 'holdMs'],
  },
  {
    where: 'Stock.confirm',
    call: (options) => ledger().confirm(1n, mistyped(options)),
    base: {},
    options: {
      quantity: whole(1, u32Max, [1, u32Max]),
      rest: {
        good: ['release', 'hold'],
        wrong: [null, 0, true, {}, [], Symbol('hold')],
        outside: ['', 'Hold', 'held', 'keep'],
      },
    },
    unknown: ['partial', 'line', 'sku', 'keep'],
  },
  {
    where: 'Stock.confirm',
    call: (options) => ledger().confirm(1n, mistyped(options)),
    base: {},
    options: { lines: carts },
    unknown: [],
  },
  {
    where: 'Stock.reservations',
    call: (options) => ledger().reservations(mistyped(options)),
    base: {},
    options: {
      user: key(64),
      limit: whole(1, Number.MAX_SAFE_INTEGER, [1, 2 ** 53 - 1]),
      state: {
        good: ['held', 'confirmed', 'cancelled', 'expired', [], ['held', 'expired']],
        wrong: [null, 0, {}, true, [0]],
        outside: ['', 'Held', 'unknown'],
      },
    },
    unknown: ['id', 'states', 'from', 'max'],
  },
  {
    where: 'Stock.cancel',
    call: (options) => ledger().cancel(1n, mistyped(options)),
    base: {},
    options: { quantity: whole(1, u32Max, [1, u32Max]) },
    unknown: ['rest', 'line', 'sku'],
  },
  {
    where: 'Stock.change',
    call: (options) => ledger().change(1n, mistyped(options)),
    base: { quantity: 1 },
    required: ['quantity'],
    options: { quantity: whole(1, u32Max, [1, u32Max]) },
    unknown: ['rest', 'line', 'sku', 'id', 'user'],
  },
  {
    where: 'Stock.change: lines[1]',
    call: (options) => ledger().change(1n, { lines: [{ sku: 1, quantity: 1 }, mistyped(options)] }),
    base: { sku: 2, quantity: 1 },
    required: ['sku', 'quantity'],
    options: { sku: sku(), quantity: whole(0, u32Max, [0, 1, u32Max]) },
    unknown: ['user', 'id', 'rest'],
  },
  {
    where: 'Stock.return',
    call: (options) => ledger().return(1n, mistyped(options)),
    base: {},
    options: { quantity: whole(1, u32Max, [1, u32Max]) },
    unknown: ['rest', 'line', 'sku', 'user'],
  },
  {
    where: 'Stock.return',
    call: (options) => bought().return(mistyped(options)),
    base: { sku: 1, quantity: 1, user: 1 },
    required: ['sku', 'quantity', 'user'],
    options: { sku: { ...sku(), good: [1] }, quantity: whole(1, u32Max, [1, 5, u32Max]), user: key(64) },
    unknown: ['reservation', 'lines', 'id'],
  },
  {
    where: 'Stock.movements',
    call: (options) => ledger().movements(mistyped(options)),
    base: {},
    options: {
      from: whole(0, 1, [0, 1]), // at most the position of the next movement
      signal: only(new AbortController().signal),
    },
    unknown: ['since', 'timeoutMs'],
  },
  {
    where: 'Stock.create: groups[0]',
    call: (options) => Stock.create({ items: [], groups: [mistyped(options)] }),
    base: { name: 'g', perUser: 1 },
    required: ['name', 'perUser'],
    options: { name: groupName(['g', 'ü'.repeat(16)], []), perUser: whole(1, u32Max, [1, u32Max]) },
    unknown: ['items', 'limit', 'sku'],
  },
  {
    where: 'Stock.addGroup',
    call: (options) => ledger().addGroup(mistyped(options)),
    base: { name: 'g', perUser: 1 },
    required: ['name', 'perUser'],
    options: { name: groupName(['g', 'ü'.repeat(16)], []), perUser: whole(1, u32Max, [1, u32Max]) },
    unknown: ['items', 'limit', 'sku'],
  },
  {
    where: 'Stock.changeGroup',
    call: (options) => ledger().changeGroup('g', mistyped(options)),
    base: { perUser: 1 },
    required: ['perUser'],
    options: { perUser: whole(1, u32Max, [1, u32Max]) },
    unknown: ['name', 'limit'],
  },
  {
    where: 'Stock.setTotal',
    call: (options) => ledger().setTotal(1, 5, mistyped(options)),
    base: {},
    options: { clamp: { good: [true, false], wrong: [null, 0, 1, 'true', {}, []], outside: [] } },
    unknown: ['total', 'force', 'quantity'],
  },
  {
    where: 'Stock.changeItem',
    call: (options) => ledger().changeItem(1, mistyped(options)),
    base: {},
    options: {
      perUser: { ...whole(1, u32Max), good: [1, u32Max, null], wrong: ['1', true, 1n, [], {}] },
      backorder: { ...whole(0, u32Max), good: [0, u32Max - 10] },
    },
    unknown: ['quantity', 'total', 'shards', 'peruser', 'holdMs'],
  },
  {
    where: 'Stock.changeItem',
    call: (options) => ledger().changeItem(1, { backorder: 0 }, mistyped(options)),
    base: {},
    options: { clamp: { good: [true, false], wrong: [null, 0, 1, 'true', {}, []], outside: [] } },
    unknown: ['backorder', 'perUser', 'force'],
  },
  {
    where: 'Stock.configure',
    call: (options) => ledger().configure(mistyped(options)),
    base: {},
    options: { holdMs: real(1, 86_400_000) },
    unknown: ['hold', 'maxUsers', 'perUser', 'sku'],
  },
  {
    where: 'Stock.restore',
    call: (options) => Stock.restore(ledger().snapshot(), mistyped(options)),
    base: {},
    options: {
      clock: only(new ManualClock()),
      maxItems: whole(1, 65_536, [1, 1_024]),
      maxReservations: whole(1, 2 ** 24, [1, 1_000]),
      maxUsers: whole(1, 2 ** 26, [1, 1_000]),
      maxIds: whole(1, 2 ** 26, [1, 1_000]),
      movements: whole(0, 2 ** 24, [0, 1, 1_000]),
      commit: only(true, false),
    },
    unknown: ['items', 'holdMs'],
  },
];
