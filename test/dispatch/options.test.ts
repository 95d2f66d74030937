import { Queue } from 'sluice';
import { dispatch } from 'sluice/dispatch';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { handler, Shop } from './crew.js';

const shop = new Shop();
const url = 'https://example.com/handler.js';

/** Bad options, the class of the error, and what its message says. */
const bad: ReadonlyArray<
  readonly [options: object, kind: typeof TypeError | typeof RangeError, message: string]
> = [
  [{ workers: 0 }, RangeError, 'dispatch: workers: expected a whole number from 1 to 64, got 0'],
  [{ workers: 65 }, RangeError, 'workers'],
  [
    { workers: 'all' },
    TypeError,
    `dispatch: workers: expected a whole number from 1 to 64, or 'auto', got "all"`,
  ],
  [{ handler: undefined }, TypeError, 'dispatch: handler: expected the URL or the absolute path of a module'],
  [{ handler: './relative.js' }, RangeError, 'handler'],
  [{ handler: url }, RangeError, 'handler'],
  [
    { deadLetters: undefined },
    TypeError,
    'dispatch: deadLetters: expected a function, or an object with a method push',
  ],
  [{ deadLetters: {} }, TypeError, 'deadLetters'],
  [{ by: 'user' }, TypeError, 'dispatch: by: expected a function'],
  [{ concurrency: 0 }, RangeError, 'concurrency'],
  [{ concurrency: 1_025 }, RangeError, 'concurrency'],
  [{ maxInHand: 1_025 }, RangeError, 'dispatch: maxInHand: expected a whole number from 1 to 1024, got 1025'],
  [{ retries: { max: -1 } }, RangeError, 'dispatch: retries: max'],
  [{ retries: { maximum: 1 } }, TypeError, 'dispatch: retries: unknown option "maximum"'],
  [{ retries: { backoff: { baseMs: -1 } } }, RangeError, 'dispatch: retries: backoff: baseMs'],
  [{ retries: { backoff: { factor: 0.5 } } }, RangeError, 'backoff: factor'],
  [{ retries: { backoff: { maxMs: 2 ** 31 } } }, RangeError, 'backoff: maxMs'],
  [{ retries: { backoff: { jitter: 1.1 } } }, RangeError, 'backoff: jitter'],
  [{ handlerTimeoutMs: 0 }, RangeError, 'handlerTimeoutMs'],
  [{ cpus: [] }, TypeError, 'dispatch: cpus: expected a list of processors'],
  [{ cpus: [1.5] }, TypeError, 'cpus'],
  [{ cpus: [-1] }, TypeError, 'cpus'],
  [{ cpus: 2 }, TypeError, 'cpus'],
  [{ resourceLimits: { maxOldGenerationSizeMb: 0 } }, RangeError, 'resourceLimits: maxOldGenerationSizeMb'],
  [{ resourceLimits: { maxOldGenerationSizeMb: 1 } }, RangeError, 'resourceLimits: maxOldGenerationSizeMb'],
  [{ resourceLimits: { stackSizeMb: 0.01 } }, RangeError, 'resourceLimits: stackSizeMb'],
  [{ resourceLimits: { heap: 1 } }, TypeError, 'resourceLimits: unknown option "heap"'],
  [{ worker: 4 }, TypeError, 'dispatch: unknown option "worker"'],
];

describe('dispatch', () => {
  it.each(bad)('refuses %j, and starts no thread', (options, kind, message) => {
    const error = thrown(() => shop.dispatch(options));
    expectError(error, 'ERR_SLUICE_OPTION', kind);
    expect(error.message).toContain(message);
  });

  it('takes orders from a gate or a queue only', () => {
    const options = { workers: 1, handler, deadLetters: () => {} };
    for (const source of [undefined, {}, shop.stock, Object.create(Queue.prototype)]) {
      expect(thrown(() => dispatch(mistyped(source), options)).message).toContain(
        'dispatch: source: expected a Gate or a Queue',
      );
    }
  });

  it("has one worker less than there are processors with 'auto', and takes a path", async () => {
    const own = new Shop();
    const crew = own.dispatch({ workers: 'auto', handler: decodeURIComponent(handler.pathname) });
    expect(crew.stats().workers.length).toBeGreaterThanOrEqual(1);
    await crew.close();
  });

  it('fails if the data cannot be given to a worker', async () => {
    const own = new Shop();
    await expect(own.dispatch({ data: () => {} }).done).rejects.toMatchObject({
      code: 'ERR_SLUICE_OPTION',
      message: expect.stringContaining('dispatch: data: expected a value that structured clone can copy'),
    });
  });
});
