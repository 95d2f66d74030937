import { describe, expect, it } from 'vitest';
import type { LimiterScenario } from './drivers/limiter.js';
import type { LimiterOperation } from './drivers/limiter-operations.js';
import type { StockOperation } from './drivers/stock-operations.js';
import { shrink } from './shrink.js';
import { explore, replay, type Trace } from './simulation.js';

const seeds = Array.from({ length: 24 }, (_, i) => i + 1);

describe('The simulator', () => {
  it.each(seeds)('seed %i: every answer is the one that the auditor predicts', async (seed) => {
    const { error } = await explore(seed, 200);
    expect(error, error?.message).toBeUndefined();
  });

  it('runs a seed the same way again', async () => {
    const [one, other] = [await recorded(7), await recorded(7)];
    expect(one.operations.length).toBeGreaterThan(50);
    expect(other).toEqual(one);
  });

  it('runs a trace, and any part of one, without its seed', async () => {
    const trace = await recorded(3);
    expect(await replay(JSON.parse(JSON.stringify(trace)))).toBeUndefined();
    for (let kept = 2; kept <= 4; kept++) {
      const operations = trace.operations.filter((_, i) => i % kept === 0);
      expect(await replay({ ...trace, operations })).toBeUndefined();
    }
  });

  it('knows which places a refused cart has used, where a hold that is over was found before', async () => {
    const lines = [
      { sku: 1, quantity: 4 },
      { sku: 2, quantity: 3 },
    ];
    const by = { driver: 'stock', by: 0 } as const;
    const advance = { driver: 'time', name: 2, do: 'advance', ns: 5e6 };
    const operations: Array<StockOperation | typeof advance> = [
      { ...by, name: 1, do: 'reserve', lines: lines.slice(0, 1), cart: true, user: 'anna', holdMs: 5 },
      advance,
      { ...by, name: 3, do: 'confirm', of: 1 },
      { ...by, name: 4, do: 'reserve', lines, cart: true, user: 1, holdMs: 5 },
      { ...by, name: 5, do: 'find', of: 1 },
    ];
    const items = [1, 2].map((sku) => ({ sku, quantity: 9, group: '1' }));
    const sizes = { maxItems: 7, maxReservations: 2, maxUsers: 100, maxIds: 1_000 };
    const groups = [{ name: '1', perUser: 6 }];
    const stock = {
      items,
      groups,
      ...sizes,
      holdMs: 10,
      movements: 0,
      commit: false,
      objects: 1,
      weights: {},
    };
    expect(await replay({ scenario: { drivers: {}, stock }, operations })).toBeUndefined();
  });

  it('lets a request that costs nothing wait behind others, however much they cost together', async () => {
    const limiter: LimiterScenario = {
      slidingWindow: { limit: 2, windowMs: 1, buckets: 2 },
      commit: false,
      followsQueue: false,
      maxWaiting: 20,
      enforce: true,
      objects: 1,
      weights: {},
    };
    const by = { driver: 'limiter', by: 0 } as const;
    const operations: LimiterOperation[] = [
      { ...by, name: 1, do: 'block', ms: 1 },
      ...[2, 3, 4].map((name) => ({ ...by, name, do: 'acquire', cost: 1 }) as const),
      { ...by, name: 5, do: 'acquire', cost: 0 },
    ];
    const error = await replay({ scenario: { drivers: {}, limiter }, operations });
    expect(error, error?.message).toBeUndefined();
  });

  it('does not ask an exact window, made longer, for times of keys that the limiter may have forgotten', async () => {
    const { error } = await explore(638_395_320, 300);
    expect(error, error?.message).toBeUndefined();
  });

  it('shrinks a failure to the operations that it needs', async () => {
    const { scenario, operations } = await recorded(3);
    // An operation that no driver can run, in the middle of others that can be run.
    const broken = { driver: 'time', name: 1_000, do: 'advance', ns: 'soon' };
    const trace = { scenario, operations: operations.toSpliced(60, 0, broken) };
    const error = (await replay(trace)) as Error;
    expect((await shrink({ trace, error })).trace.operations).toEqual([broken]);
  });
});

/** Returns the trace of a seed. */
async function recorded(seed: number): Promise<Trace> {
  const { trace, error } = await explore(seed, 120);
  expect(error).toBeUndefined();
  return trace;
}
