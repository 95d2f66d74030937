import { describe, expect, it } from 'vitest';
import * as binding from '../../dist/binding/index.js';
import { Limiter, ManualClock, Queue, record, Stock, u32 } from '../../dist/index.js';
import { nativeLimiter } from '../../dist/limiter/index.js';
import { insideQueue } from '../../dist/queue/index.js';
import { nativeStock } from '../../dist/stock/index.js';

const { native } = binding;
const queue = insideQueue(Queue.create(record({ sku: u32 }), { capacity: 4 })).native;
const overwriting = insideQueue(
  Queue.create(record({ sku: u32 }), { capacity: 4, overflow: 'overwrite' }),
).native;
const limiter = nativeLimiter(Limiter.create({ queueDepth: { max: 1 } }));
const stock = nativeStock(Stock.create({ items: [] }));
const gateOf = (fed: typeof queue): object =>
  binding.made(
    'Gate',
    native.createGate({ queue: fed }, {}, 4, new ArrayBuffer(binding.gateStaging.bytes), 0),
  );
const clock = binding.made('ManualClock', native.attachClock(new ManualClock().handle));

function functionsOf(object: object): string[] {
  return Object.entries(object)
    .filter(([, member]) => typeof member === 'function')
    .map(([name]) => name);
}

describe('the functions that native code registers', () => {
  it.each([
    ['the addon', native, binding.addonFunctions],
    ['a clock', clock, binding.clockFunctions],
    ['a queue', queue, binding.queueFunctions],
    ['a limiter', limiter, binding.limiterFunctions],
    ['a stock ledger', stock, binding.stockFunctions],
    ['a gate', gateOf(queue), binding.gateFunctions],
    ['a gate of a queue that overwrites', gateOf(overwriting), binding.gateFunctions],
  ])('are, of %s, those of the contract', (_, object, names) => {
    expect(functionsOf(object).sort()).toEqual([...names].sort());
  });
});
