import { inspect } from 'node:util';
import { Queue, record, Stock, u8 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, type Thrown } from '../thrown.js';
import { gateTables } from './gate-tables.js';
import { limiterTables } from './limiter-tables.js';
import type { OptionTable } from './option-table.js';
import { queueTables } from './queue-tables.js';
import { stockTables } from './stock-tables.js';

/** Returns a short text on one line that shows the value. */
function shown(value: unknown): string {
  return inspect(value, { depth: 0, maxArrayLength: 3, breakLength: Infinity }).slice(0, 60);
}

/** Returns what the call throws or rejects with. */
async function failure(table: OptionTable, options: unknown): Promise<Thrown> {
  try {
    await table.call(options);
  } catch (error) {
    return error as Thrown;
  }
  throw new Error(`${table.where} took ${shown(options)}`);
}

/** Returns the table's `base` with `name` set to `value`, as an own property even if the name is `__proto__`. */
function withOption(table: OptionTable, name: string, value: unknown): Record<string, unknown> {
  return Object.defineProperty({ ...table.base }, name, { value, enumerable: true, configurable: true });
}

describe.each([...queueTables, ...limiterTables, ...stockTables, ...gateTables])(
  'the options of $where',
  (table) => {
    it('are taken when they are right', async () => {
      await table.call({ ...table.base });
      for (const [name, rules] of Object.entries(table.options)) {
        for (const value of rules.good) await table.call(withOption(table, name, value));
      }
    });

    const named = Object.entries(table.options);
    const wrong = named.flatMap(([name, { wrong: values }]) =>
      values.map((value) => [name, shown(value), value] as const),
    );
    it.each(wrong)('%s: %s is a TypeError that names it', async (name, _shown, value) => {
      const error = await failure(table, withOption(table, name, value));
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expect(error.message).toContain(`${table.where}: ${name}`);
      expect(error.option).toContain(name);
    });

    const outside = named.flatMap(([name, { outside: values }]) =>
      values.map((value) => [name, shown(value), value] as const),
    );
    it.each(outside)('%s: %s is a RangeError that names it', async (name, _shown, value) => {
      const error = await failure(table, withOption(table, name, value));
      expectError(error, 'ERR_SLUICE_OPTION', RangeError);
      expect(error.message).toContain(`${table.where}: ${name}`);
      expect(error.message).toMatch(/expected .+, got .+/);
      expect(error.option).toContain(name);
    });

    it.each(table.required ?? [])('are incomplete without %s', async (name) => {
      const { [name]: _left, ...rest } = table.base;
      const error = await failure(table, rest);
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expect(error.message).toContain(name);
    });

    it.each(table.unknown)('do not include %s, whatever its value', async (name) => {
      for (const value of [1, undefined]) {
        const error = await failure(table, withOption(table, name, value));
        expectError(error, 'ERR_SLUICE_OPTION', TypeError);
        expect(error.message).toContain(`${table.where}: unknown option "${name}"`);
      }
    });

    it('are own properties: inherited ones count as absent, known or not, and each is read once', async () => {
      const [own = '', unknown = ''] = [Object.keys(table.options).at(-1), table.unknown[0]];
      for (const inherited of [
        { [unknown]: 1 },
        ...Object.keys(table.options).map((name) => ({ [name]: {} })),
      ]) {
        const optional = !Object.keys(table.base).some((name) => name in inherited);
        if (optional) await table.call(Object.assign(Object.create(inherited), table.base));
      }
      for (const name of table.required ?? []) {
        const { [name]: value, ...rest } = table.base;
        const error = await failure(table, Object.assign(Object.create({ [name]: value }), rest));
        expectError(error, 'ERR_SLUICE_OPTION', TypeError);
        expect(error.message).toContain(name);
      }
      const once = Object.entries({ [own]: table.options[own]?.good[0], ...table.base });
      const given = {};
      for (const [name, value] of once) {
        let reads = 0;
        Object.defineProperty(given, name, {
          enumerable: true,
          get() {
            if (++reads > 1) throw new Error(`${name} was read twice`);
            return value;
          },
        });
      }
      await table.call(given);
    });

    it.each([null, 5, 'options', true, [], [1]].map((value) => [shown(value), value]))(
      'are an object, not %s',
      async (_, value) => {
        expectError(await failure(table, value), 'ERR_SLUICE_OPTION', TypeError);
      },
    );
  },
);

it('a property that was added to Object.prototype is no option', () => {
  const queue = Queue.create(record({ number: u8 }), { capacity: 4 });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 3 }] });
  const reserved = stock.reserve({ sku: 1, quantity: 3 });
  const names = { lane: 99, quantity: 1 };
  try {
    for (const [name, value] of Object.entries(names)) {
      Object.defineProperty(Object.prototype, name, { value, configurable: true });
    }
    expect(queue.tryPush({ number: 1 }, {})).toBe(true);
    expect(reserved.ok && stock.confirm(reserved.reservation, {})).toBe('confirmed');
  } finally {
    for (const name of Object.keys(names)) Reflect.deleteProperty(Object.prototype, name);
  }
  expect(stock.counts(1)).toMatchObject({ sold: 3 });
});
