import fc from 'fast-check';
import { ManualClock, Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { commands } from './model/commands.js';
import { type Config, Model } from './model/model.js';
import { Real } from './model/real.js';
import { Row } from './row.js';

const capacity = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 150 }));
const config: fc.Arbitrary<Config> = fc.record({
  capacity,
  lanes: fc.integer({ min: 1, max: 3 }),
  maxWaiting: fc.integer({ min: 0, max: 5 }),
  ttlMs: fc.constantFrom(undefined, 10, Number.POSITIVE_INFINITY),
  overflow: fc.constantFrom('reject', 'drop-oldest', 'caller'),
  latency: fc.boolean(),
  start: fc.constantFrom(0n, 2n ** 31n - 40n, 2n ** 32n - 40n, 2n ** 47n - 40n, 2n ** 48n - 40n),
});

describe('any sequence of calls, by two objects, with time passing', () => {
  it('does what plain arrays would', async () => {
    await fc.assert(
      fc.asyncProperty(
        config,
        fc.commands(commands, { maxCommands: 60, size: 'max' }),
        async (given, sequence) => {
          const { start, ttlMs, overflow, ...options } = given;
          const clock = new ManualClock(1);
          const spilled: number[] = [];
          const spill =
            overflow === 'caller'
              ? { onOverflow: ({ number }: { number: number }) => spilled.push(number) }
              : {};
          const queue = Queue.createAt(
            Row,
            { ...options, clock, overflow, ...(ttlMs && { ttlMs }), ...spill } as never,
            start,
          );
          const objects = [queue, Queue.attach(Row, queue.handle, spill as never)] as const;
          const model = new Model(given);
          const real = new Real(objects, clock, spilled);
          try {
            await fc.asyncModelRun(() => ({ model, real }), sequence);
            await real.finish(model);
          } finally {
            await real.dispose();
          }
        },
      ),
      { seed, numRuns: 400 },
    );
  }, 120_000);

  it('names the seed of a failure', () => {
    expect(replay).toBe(`SLUICE_SEED=${seed}`);
  });
});
