// Messages that say what to do instead.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Gate, Limiter, Queue, record, Stock, u32, u53 } from 'sluice';
import { limit } from 'sluice/http';
import { expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';

const Order = record({ id: u53, sku: u32, quantity: u32 });
const option = { code: 'ERR_SLUICE_OPTION', name: 'TypeError' };

it.each([
  ['capasity', 'capacity'],
  ['capacit', 'capacity'],
  ['ttlms', 'ttlMs'],
  ['overfolw', 'overflow'],
])('the option %s is probably %s', (name, meant) => {
  const create = () => Queue.create(Order, mistyped({ capacity: 8, [name]: 1 }));
  expect(create).toThrow(
    `Queue.create: unknown option "${name}": did you mean ${meant}? (options: capacity, `,
  );
});

it.each(['sluice', 'x', 'c'.repeat(1_000)])('no option is like %s', (name) => {
  const create = () => Queue.create(Order, mistyped({ capacity: 8, [name]: 1 }));
  expect(create).toThrow(
    expect.objectContaining({ ...option, message: expect.not.stringContaining('mean') }),
  );
  expect(create).toThrow('(options: capacity, ');
});

it('a limiter without a tier says that there is none', () => {
  const expected =
    'Limiter.create: expected at least one of tokenBucket, slidingWindow, queueDepth, none given';
  expect(() => Limiter.create({})).toThrow(expected);
});

it.each([
  ['a', { sku: 'shoe', quantity: 1, perUser: 2 }, 'item "shoe" has a limit per user'],
  ['a group', { sku: 7, quantity: 1, group: 'shoes' }, 'item "7" is in a group'],
])('a gate whose stock counts units of users names the item that needs them: %s', (_, item, why) => {
  const queue = Queue.create(Order, { capacity: 8 });
  const groups = [{ name: 'shoes', perUser: 1 }];
  const stock = Stock.create({ items: [{ sku: 1, quantity: 1 }, item], groups });
  const create = () => Gate.create({ queue, stock, fields: { id: 'id', sku: 'sku', quantity: 'quantity' } });
  expect(create).toThrow(expect.objectContaining({ ...option, option: 'Gate.create: fields: user' }));
  expect(create).toThrow(`expected the name of a field, because ${why}`);
});

const queue = Queue.create(Order, { capacity: 8 });
const stock = Stock.create({ items: [{ sku: 1, quantity: 1 }] });
const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity' } });

it('attach names the class that a handle belongs to', () => {
  expect(() => Gate.attach(Order, mistyped(queue.handle))).toThrow(
    'got the handle of a queue: use Queue.attach',
  );
  expect(() => Queue.attach(Order, mistyped(gate.handle))).toThrow(
    'got the handle of a gate: use Gate.attach',
  );
});

it('attach asks for the handle of an object that was passed itself', () => {
  expect(() => Queue.attach(Order, mistyped(queue))).toThrow('got the queue itself: pass queue.handle');
  expect(() => Gate.attach(Order, mistyped(gate))).toThrow('got the gate itself: pass gate.handle');
  expect(() => Queue.attach(Order, mistyped(Limiter.create({ queueDepth: { max: 1 } })))).toThrow(
    'got a limiter itself: use Limiter.attach with its handle',
  );
  expect(() => Stock.attach(mistyped([]))).toThrow('got an array of 0');
  expect(() => Stock.attach(mistyped(structuredClone(stock)))).toThrow('sent in place of stock.handle?');
});

it.each([
  ['a queue', queue],
  ['a gate', gate],
  ['a record type', Order],
])('%s cannot be sent, and structured clone says what to send', (_, object) => {
  expect(() => structuredClone(object)).toThrow(
    /send the handle of a queue or gate instead.* could not be cloned/,
  );
});

it('a limiter in place of the options of a middleware is refused', () => {
  const limiter = Limiter.create({ queueDepth: { max: 1 } });
  expect(() => limit(mistyped(limiter))).toThrow(
    'limit: expected an object of options, got a Limiter: pass { limiter }',
  );
});

it('the first failure of a handler is a warning, unless a channel has it', async () => {
  const warnings: string[] = [];
  const listen = ({ message, code }: Error & { code?: string }) => {
    if (code === 'SLUICE_GATE_HANDLER') warnings.push(message);
  };
  process.on('warning', listen);
  const run = async (): Promise<void> => {
    const orders = Queue.create(Order, { capacity: 8 });
    const items = Stock.create({ items: [{ sku: 1, quantity: 9 }] });
    const failing = Gate.create({
      queue: orders,
      stock: items,
      fields: { sku: 'sku', quantity: 'quantity' },
    });
    for (let id = 0; id < 3; id++) failing.admit({ id, sku: 1, quantity: 1 });
    orders.close();
    await failing.consume(() => {
      throw new ReferenceError('charg is not defined');
    });
    await new Promise(setImmediate);
  };
  await run();
  expect(warnings.length).toBe(1);
  expect(warnings[0]).toContain('which cancels its order: ReferenceError: charg is not defined');
  const ignore = (): void => {};
  subscribe('sluice:gate:handler-failed', ignore);
  await run();
  unsubscribe('sluice:gate:handler-failed', ignore);
  process.off('warning', listen);
  expect(warnings.length).toBe(1);
});
