import fc from 'fast-check';
import { ManualClock, Queue } from 'sluice';
import { beforeAll, describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { seed } from '../seed.js';
import { commands } from './model/commands.js';
import { type Config, Model } from './model/model.js';
import { Real } from './model/real.js';
import { Row } from './row.js';

const capacity = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 150 }));
const weight = fc.integer({ min: 1, max: 20 });
const config: fc.Arbitrary<Config> = fc.record({
  capacity,
  lanes: fc.integer({ min: 1, max: 3 }),
  maxWaiting: fc.integer({ min: 0, max: 5 }),
  ttlMs: fc.constantFrom(undefined, 10, Number.POSITIVE_INFINITY),
  overflow: fc.constantFrom('reject', 'drop-oldest', 'caller', 'overwrite'),
  latency: fc.boolean(),
  weights: fc.option(fc.tuple(weight, weight, weight), { nil: undefined }),
  shed: fc.option(fc.record({ targetMs: fc.constantFrom(1, 4), intervalMs: fc.constantFrom(3, 25) }), {
    nil: undefined,
  }),
  start: fc.constantFrom(0n, 2n ** 31n - 40n, 2n ** 32n - 40n, 2n ** 47n - 40n, 2n ** 48n - 40n),
});

/** The names of the members that were called, by prototype. */
const calls = new Map<object, Set<string | symbol>>();

/** Records every call of a member of `object`'s prototype from now on. */
function watch(object: object): void {
  const prototype = Object.getPrototypeOf(object) as object;
  const called = new Set<string | symbol>();
  calls.set(prototype, called);
  for (const name of Reflect.ownKeys(prototype)) {
    const { get, value, ...property } = Object.getOwnPropertyDescriptor(
      prototype,
      name,
    ) as PropertyDescriptor;
    if (name === 'constructor') continue;
    const noting = (act: (...args: unknown[]) => unknown) =>
      function (this: unknown, ...args: unknown[]): unknown {
        called.add(name);
        return Reflect.apply(act, this, args);
      };
    const watched = get === undefined ? { value: noting(value) } : { get: noting(get) };
    Object.defineProperty(prototype, name, { ...property, ...watched });
  }
}

beforeAll(() => {
  const queue = Queue.create(Row, { capacity: 1 });
  for (const object of [queue, queue.tryReserve(1) as object, queue.batcher()]) watch(object);
});

describe('any sequence of calls, by two objects, with time passing', () => {
  it('does what plain arrays would', async () => {
    await fc.assert(
      fc.asyncProperty(
        config,
        fc.commands(commands, { maxCommands: 60, size: 'max' }),
        async (given, sequence) => {
          const { start, ttlMs, overflow, weights, shed, ...options } = given;
          const clock = new ManualClock(1);
          const spilled: number[] = [];
          const spill =
            overflow === 'caller'
              ? { onOverflow: ({ number }: { number: number }) => spilled.push(number) }
              : {};
          const queue = Queue.createAt(
            Row,
            mistyped({
              ...options,
              clock,
              overflow,
              ...(ttlMs && { ttlMs }),
              ...(weights && { weights: weights.slice(0, given.lanes) }),
              ...(shed && { shed }),
              ...spill,
            }),
            start,
          );
          const objects = [queue, Queue.attach(Row, queue.handle, mistyped(spill))] as const;
          const model = new Model(given);
          const real = new Real(objects, clock, spilled);
          try {
            await fc.asyncModelRun(() => ({ model, real }), sequence);
            await real.finish(model);
            await real.end(model);
          } finally {
            for (const object of real.objects) object[Symbol.dispose]();
          }
        },
      ),
      { seed, numRuns: 400 },
    );
  }, 240_000); // takes seconds where nothing else runs

  it('has called every public method and property of a queue, a permit and a batcher', () => {
    const internal = ['constructor', 'native', 'producer', 'consumer'];
    const isPublic = (name: string | symbol) => !internal.includes(String(name));
    for (const [prototype, called] of calls) {
      const never = Reflect.ownKeys(prototype).filter((name) => isPublic(name) && !called.has(name));
      expect(never).toEqual([]);
    }
  });
});
